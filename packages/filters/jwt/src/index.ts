/**
 * Bearer tokens (JWT) filter.
 * @packageDocumentation
 */
export { jwt, NOTE_PASSED, NOTE_REFUSED } from './jwt.ts';
