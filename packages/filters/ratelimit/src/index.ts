/**
 * Rate-limit filters: local ones, and one that asks a service.
 * @packageDocumentation
 */
export { NOTE_LIMITED, rateLimit, sharedRateLimit } from './ratelimit.ts';
export { globalRateLimit, NOTE_NO_ANSWER, NOTE_OVER_LIMIT, NOTE_WITHIN_LIMIT } from './global-ratelimit.ts';
export type { TokenLender } from '@tulle/time';
