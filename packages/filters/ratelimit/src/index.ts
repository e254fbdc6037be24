/**
 * Local rate-limit filter.
 * @packageDocumentation
 */
export { NOTE_LIMITED, rateLimit } from './ratelimit.ts';
