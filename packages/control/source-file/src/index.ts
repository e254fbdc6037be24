/**
 * Resources from a watched directory.
 * @packageDocumentation
 */
export { directorySource } from './directory-source.ts';
export type { DirectorySourceOptions } from './directory-source.ts';
