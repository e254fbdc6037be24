/**
 * Header filter.
 * @packageDocumentation
 */
export { headers } from './headers.ts';
