/**
 * Adaptive-concurrency filter.
 * @packageDocumentation
 */
export { adaptiveConcurrency, NOTE_LIMITED } from './adaptive-concurrency.ts';
