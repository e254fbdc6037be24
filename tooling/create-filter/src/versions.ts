import { readFileSync } from 'node:fs';

interface Manifest {
  readonly version: string;
  readonly devDependencies: Readonly<Record<string, string>>;
}

const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as Manifest;

/** Version of this package; Tulle's packages have the same. */
export const VERSION: string = manifest.version;

/**
 * Range of a package that a new filter uses: what this one was tested with. In a clone, where the manifest names the
 * workspace instead of a version, what is installed.
 */
export function rangeOf(name: string): string {
  const range = manifest.devDependencies[name];
  if (range === undefined) throw new Error(`${name} is not among the devDependencies`);
  if (!/^(?:workspace|catalog):/.test(range)) return range;
  const installed = JSON.parse(
    readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), 'utf8'),
  ) as Manifest;
  return `^${installed.version}`;
}
