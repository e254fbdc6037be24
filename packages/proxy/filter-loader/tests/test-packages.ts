import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A directory as its user has it: packages installed, an allow-list beside them. */
export interface TestDirectory {
  readonly file: string;
  /** Writes a package into node_modules: files by path; package.json gets name and version. */
  install(name: string, version: string, files: Readonly<Record<string, string>>, manifest?: object): void;
  write(path: string, text: string): void;
  remove(): void;
}

/** What the code of `teapotSource` imports. */
const PEERS = { '@tulle/filter': '^0.1.0', '@tulle/schema': '^0.1.0' };

/** In an own temporary directory, with the contract of this workspace installed. */
export function testDirectory(): TestDirectory {
  const root = mkdtempSync(join(tmpdir(), 'tulle-loader-'));
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  mkdirSync(join(root, 'node_modules/@tulle'), { recursive: true });
  for (const [name, directory] of [
    ['filter', '../../../contracts/filter'],
    ['schema', '../../../mechanisms/schema'],
  ] as const)
    symlinkSync(join(import.meta.dirname, directory), join(root, 'node_modules/@tulle', name));
  return {
    file: join(root, 'tulle-filters.json'),
    install(name, version, files, manifest = {}) {
      rmSync(join(root, 'node_modules', name), { recursive: true, force: true });
      const all = { exports: './index.js', peerDependencies: PEERS, ...manifest };
      write(
        `node_modules/${name}/package.json`,
        JSON.stringify({ name, version, type: 'module', ...all }, null, 2),
      );
      for (const [path, text] of Object.entries(files)) write(`node_modules/${name}/${path}`, text);
    },
    write,
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** Source of a filter that answers 418 on its configured path. */
export const teapotSource = (id: string, apiVersion = 1): string => `
import { CONTINUE, defineHttpFilter } from '@tulle/filter';
import { jsonSchema } from '@tulle/schema';
export const teapot = defineHttpFilter({
  apiVersion: ${apiVersion}, id: ${JSON.stringify(id)}, summary: 'Refuses coffee.', phase: 'authn',
  config: jsonSchema({ type: 'object', additionalProperties: false, required: ['path'], properties: { path: { type: 'string' } } }),
  create: () => ({
    requestHeaders: (stream, config) =>
      stream.request.path === config.path ? stream.reply(418, 'TEAPOT', 'no coffee') : CONTINUE,
  }),
});
export default teapot;
export const other = 1;
`;
