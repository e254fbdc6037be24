/**
 * Cross-origin requests (CORS) filter.
 * @packageDocumentation
 */
export { cors, NOTE_ORIGIN, NOTE_PREFLIGHT } from './cors.ts';
