/**
 * Local rate-limit filter.
 * @packageDocumentation
 */
export { NOTE_LIMITED, ratelimit } from './ratelimit.ts';
