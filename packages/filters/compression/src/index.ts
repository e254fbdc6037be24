/**
 * Compression filter.
 * @packageDocumentation
 */
export { compression, NOTE_COMPRESSED, NOTE_REQUEST_COMPRESSED } from './compression.ts';
