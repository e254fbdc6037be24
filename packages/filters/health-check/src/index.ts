/**
 * Health check filter.
 * @packageDocumentation
 */
export { healthCheck, NOTE_ANSWERED } from './health-check.ts';
