import { globSync, readFileSync } from 'node:fs';
import { dirname, join, matchesGlob } from 'node:path';
import { type GlobalUse, globalsOf, type Import, importsOf } from './imports.ts';

/** `peer`: only as a peerDependency. `dev`: only from tests, as a devDependency. */
export type Permission = 'yes' | 'peer' | 'dev';

/** layers.json: the import matrix, the purity rule and where types form no ring, as data. */
export interface Layers {
  readonly layers: Readonly<Record<string, Layer>>;
  readonly pure: readonly PureRule[];
  readonly noTypeRings: readonly TypeRingRule[];
}

/** Files that reach no `node:` module. */
export interface PureRule {
  readonly files: readonly string[];
  /** true: nor do they use globals of Node or its timers themselves; the file that lends them such a thing is not among them. */
  readonly noGlobals?: boolean;
  readonly why: string;
}

/** Files that import each other in a ring neither as values nor as types. */
export interface TypeRingRule {
  readonly files: readonly string[];
  /** A ring wholly among these may stand. */
  readonly apart?: readonly string[];
  readonly why: string;
}

export interface Layer {
  /** Glob of package directories. */
  readonly packages: string;
  /** Layer imported → how. A layer that is not named must not be imported. */
  readonly imports: Readonly<Record<string, Permission>>;
  /** false: its packages have no dependencies outside the workspace either. */
  readonly thirdParty?: boolean;
}

export interface Manifest {
  readonly name: string;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

export interface Package {
  readonly name: string;
  /** Relative to the root, with slashes. */
  readonly directory: string;
  readonly layer: string | undefined;
  readonly manifest: Manifest;
  readonly files: readonly SourceFile[];
}

export interface SourceFile {
  /** Relative to the root. */
  readonly path: string;
  /** A spec, a type test, anything under `tests` or outside `src`: may use what the package only needs to develop. */
  readonly development: boolean;
  readonly imports: readonly Import[];
  readonly globals: readonly GlobalUse[];
}

/** Reads every package under the root, and all its TypeScript but the generated. */
export function readWorkspace(root: string, layers: Layers): Package[] {
  const manifests = globSync('{packages/*,apps,examples,tooling}/*/package.json', { cwd: root }).toSorted();
  return manifests.map((path): Package => {
    const directory = path.slice(0, -'/package.json'.length);
    const manifest = JSON.parse(readFileSync(join(root, path), 'utf8')) as Manifest;
    const layer = Object.entries(layers.layers).find(([, { packages }]) =>
      matchesGlob(directory, packages),
    )?.[0];
    return { name: manifest.name, directory, layer, manifest, files: readSources(root, directory) };
  });
}

function readSources(root: string, directory: string): SourceFile[] {
  const cwd = join(root, directory);
  const exclude = ['**/node_modules/**', '**/dist/**', 'src/gen/**'];
  // A program beside the sources with a package.json of its own is installed by itself, outside of the workspace.
  const programs = globSync('*/**/package.json', { cwd, exclude: [...exclude, 'src/**'] }).map(
    (path) => `${dirname(path)}/**`,
  );
  const names = globSync('**/*.{ts,mts,mjs}', { cwd, exclude: [...exclude, ...programs] }).toSorted();
  return names.map((name): SourceFile => {
    const path = `${directory}/${name}`;
    const development = !name.startsWith('src/') || /\.(spec|test-d)\.m?ts$|(^|\/)tests\//.test(name);
    const text = readFileSync(join(root, path), 'utf8');
    return {
      path,
      development,
      imports: importsOf(path, text),
      globals: development ? [] : globalsOf(path, text),
    };
  });
}
