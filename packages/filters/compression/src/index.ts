/**
 * Compression filter.
 * @packageDocumentation
 */
export { compression, NOTE_COMPRESSED } from './compression.ts';
