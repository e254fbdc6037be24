/**
 * Rate-limit filters: local ones of requests and of connections, and one that asks a service.
 * @packageDocumentation
 */
export { NOTE_LIMITED, rateLimit, sharedRateLimit } from './ratelimit.ts';
export { globalRateLimit, NOTE_NO_ANSWER, NOTE_OVER_LIMIT, NOTE_WITHIN_LIMIT } from './global-ratelimit.ts';
export { connLimit } from './conn-limit.ts';
export { connRateLimit } from './conn-ratelimit.ts';
export type { TokenLender } from '@tulle/time';
