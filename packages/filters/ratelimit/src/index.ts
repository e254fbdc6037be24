/**
 * Local rate-limit filter.
 * @packageDocumentation
 */
export { NOTE_LIMITED, rateLimit, sharedRateLimit } from './ratelimit.ts';
export type { TokenLender } from '@tulle/time';
