/**
 * Retry policy filter.
 * @packageDocumentation
 */
export { retry } from './retry.ts';
