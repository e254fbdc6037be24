import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from './run.ts';

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly bin?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly publishConfig?: Pick<Manifest, 'exports'>;
}

/** A package as npm gets it. */
export interface Packed {
  readonly name: string;
  readonly version: string;
  readonly tarball: string;
  /** Import specifiers. Of a wildcard entry, one that exists. */
  readonly specifiers: readonly string[];
  readonly bins: readonly string[];
}

/** Packs every public package of the workspace into a directory, with what `publishConfig` and `workspace:` become. */
export async function packAll(root: string, into: string): Promise<Packed[]> {
  const directories = globSync('{packages/*,apps,tooling}/*/package.json', { cwd: root })
    .toSorted()
    .map(dirname);
  const manifests = directories.map((directory) => ({
    directory,
    manifest: readManifest(join(root, directory)),
  }));
  const shipped = manifests.filter(({ manifest }) => !manifest.private);
  const filters = shipped.flatMap(({ directory }) => ['--filter', `./${directory}`]);
  await run('pnpm', ['-r', ...filters, 'pack', '--pack-destination', into], root);
  return shipped.map(({ directory, manifest: { name, version, exports = {}, bin = {}, publishConfig } }) => ({
    name,
    version,
    tarball: join(into, `${name.replace(/^@/, '').replace('/', '-')}-${version}.tgz`),
    specifiers: Object.entries(exports)
      // What is for other workspaces of this repository alone is not shipped.
      .filter(([key]) => Object.hasOwn(publishConfig?.exports ?? exports, key))
      .map(([key, target]) =>
        join(
          name,
          key.includes('*') ? key.replace('*', wildcardExample(join(root, directory), target)) : key,
        ),
      ),
    bins: Object.keys(bin),
  }));
}

function readManifest(directory: string): Manifest {
  return JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Manifest;
}

/** What stands for `*` in the first file that a wildcard target matches. */
function wildcardExample(directory: string, target: unknown): string {
  const pattern = (target as { readonly default?: string }).default ?? String(target);
  const [before = '', after = ''] = pattern.replace(/^\.\//, '').split('*');
  const file = globSync(`${before}**/*${after}`, { cwd: directory }).toSorted()[0];
  if (!file) throw new Error(`${directory}: nothing matches ${pattern}; run \`pnpm generate\` first`);
  return file.slice(before.length, -after.length);
}
