/**
 * Time as a value: clock, timer wheel, backoff, token bucket, retry budget. No platform imports.
 * @packageDocumentation
 */
export { systemClock } from './clock.ts';
export type { Clock } from './clock.ts';
export { createTimerWheel } from './timer-wheel.ts';
export type { TimerWheel, TimerWheelOptions, WheelTimer } from './timer-wheel.ts';
export { backoffDelayMs, createBackoff, jitteredMs } from './backoff.ts';
export type { Backoff, BackoffOptions } from './backoff.ts';
export { TokenBucket } from './token-bucket.ts';
export type { TokenBucketOptions } from './token-bucket.ts';
export { KeyedBuckets } from './keyed-buckets.ts';
export type { KeyedBucketsOptions } from './keyed-buckets.ts';
export { TokenBank } from './token-bank.ts';
export type { Loan, SharedLimit, TokenLender } from './token-bank.ts';
export { RecentCount } from './recent-count.ts';
export { RetryBudget } from './retry-budget.ts';
export type { RetryBudgetOptions } from './retry-budget.ts';
