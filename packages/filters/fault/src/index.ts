/**
 * Fault-injection filter.
 * @packageDocumentation
 */
export { fault, NOTE_ABORTED, NOTE_DELAYED, NOTE_DELAY_SKIPPED } from './fault.ts';
