// Every package is built by this file: tsup finds it upwards from the package's directory.
import type { Options } from 'tsup';
import { writeDeclarations } from './tooling/build/src/declarations.ts';
import { entries, readManifest } from './tooling/build/src/entries.ts';

const config: Options = {
  entry: entries(readManifest(process.cwd())),
  format: 'esm',
  target: 'node22',
  clean: true,
  sourcemap: true,
  silent: true,
  removeNodeProtocol: false, // `node:sqlite` and `node:test` exist only with the prefix
  onSuccess: async () => writeDeclarations(process.cwd()),
};
export default config;
