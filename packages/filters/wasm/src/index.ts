/**
 * WebAssembly filter.
 * @packageDocumentation
 */
export { wasm } from './wasm.ts';
