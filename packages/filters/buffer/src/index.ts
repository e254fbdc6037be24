/**
 * Buffer filter.
 * @packageDocumentation
 */
export { buffer } from './buffer.ts';
