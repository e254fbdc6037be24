/**
 * External processing: a service is told of requests and responses while they pass, and may change or answer them.
 * @packageDocumentation
 */
export { extProc } from './ext-proc.ts';
