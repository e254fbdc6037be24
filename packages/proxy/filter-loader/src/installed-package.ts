import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';

/** What `package.json` says, as far as it matters here. */
interface Manifest {
  readonly name?: unknown;
  readonly version?: unknown;
  readonly exports?: unknown;
  readonly main?: unknown;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

/** A package on disk. */
export interface InstalledPackage {
  readonly name: string;
  readonly version: string;
  /** Real path, without symbolic links. */
  readonly directory: string;
  readonly manifest: Manifest;
}

/** Bounds of one package: beyond them something else than a filter stands there. */
const MAX_FILES = 20_000;
const MAX_BYTES = 256 * 1024 * 1024;
/** Bound of what one package depends on. */
const MAX_DEPENDENCIES = 1000;

/**
 * Finds a package as Node does: in `node_modules` of the directory, then of each one above it.
 * @returns `undefined` when it is not installed
 * @throws Error when its package.json cannot be read or names no version
 */
export function findPackage(name: string, from: string): InstalledPackage | undefined {
  for (let at = from; ; at = dirname(at)) {
    const candidate = join(at, 'node_modules', name);
    if (existsSync(join(candidate, 'package.json'))) return readPackage(realpathSync(candidate));
    if (dirname(at) === at) return undefined;
  }
}

function readPackage(directory: string): InstalledPackage {
  const file = join(directory, 'package.json');
  let manifest: Manifest;
  try {
    manifest = JSON.parse(readFileSync(file, 'utf8')) as Manifest;
  } catch (error) {
    throw new Error(`${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  const { name, version } = manifest;
  if (typeof name !== 'string' || typeof version !== 'string')
    throw new Error(`${file} has no name and version`);
  return { name, version, directory, manifest };
}

/** Whether a package's integrity covers what stands under this name in its directory. */
export function isCovered(name: string): boolean {
  return name !== 'node_modules' && name !== '.git';
}

/**
 * Digest of the files of a package as they are on disk, without its own `node_modules` and `.git`: SHA-512 of a line
 * `<SHA-512 in hex>  ./<path>` a file, in the order of the paths' bytes. `sha512sum` makes the same, see the README.
 * @throws Error when it holds something else than files and directories, or too much
 */
export function integrityOf(directory: string): string {
  const files: string[] = [];
  const walk = (below: string): void => {
    for (const entry of readdirSync(join(directory, below), { withFileTypes: true })) {
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      if (below === '' && !isCovered(entry.name)) continue;
      if (entry.isDirectory()) walk(path);
      else if (entry.isFile()) files.push(path);
      else throw new Error(`holds ${path}, which is no file`);
      if (files.length > MAX_FILES) throw new Error(`holds more than ${MAX_FILES} files`);
    }
  };
  walk('');
  let bytes = 0;
  const digest = createHash('sha512');
  for (const path of files.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))) {
    bytes += statSync(join(directory, path)).size;
    if (bytes > MAX_BYTES) throw new Error(`holds more than ${MAX_BYTES / 1024 / 1024} MiB`);
    const content = createHash('sha512').update(readFileSync(join(directory, path)));
    digest.update(`${content.digest('hex')}  ./${path}\n`);
  }
  return `sha512-${digest.digest('base64')}`;
}

/**
 * What a package depends on, whole: integrity by `name@version`, peers included, since their code runs too.
 * @throws Error naming what is not installed
 */
export function dependenciesOf(root: InstalledPackage): Record<string, string> {
  const found = new Map<string, string>();
  for (const [name, dependency] of installedWith(root)) {
    const key = `${name}@${dependency.version}`;
    const integrity = integrityOf(dependency.directory);
    if ((found.get(key) ?? integrity) !== integrity)
      throw new Error(`two copies of ${key} are installed that differ`);
    found.set(key, integrity);
  }
  return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * The packages that a package depends on, whole, each directory once, with the name by which it was found first.
 * @throws Error naming what is not installed
 */
export function* installedWith(
  root: InstalledPackage,
): Generator<readonly [name: string, dependency: InstalledPackage]> {
  const seen = new Set([root.directory]);
  const queue = [root];
  for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
    const { dependencies = {}, peerDependencies = {}, optionalDependencies = {} } = one.manifest;
    for (const name of Object.keys({ ...dependencies, ...peerDependencies, ...optionalDependencies })) {
      const dependency = findPackage(name, one.directory);
      if (dependency === undefined) {
        if (name in optionalDependencies || one.manifest.peerDependenciesMeta?.[name]?.optional === true)
          continue;
        throw new Error(`${one.name} needs ${name}, which is not installed`);
      }
      if (seen.has(dependency.directory)) continue;
      seen.add(dependency.directory);
      if (seen.size > MAX_DEPENDENCIES) throw new Error(`depends on more than ${MAX_DEPENDENCIES} packages`);
      queue.push(dependency);
      yield [name, dependency];
    }
  }
}

/**
 * The file that `import '<package>'` means: `exports` under the conditions of an import, else `main`.
 * @throws Error when there is none
 */
export function entryOf({ directory, manifest }: InstalledPackage): string {
  const { exports, main } = manifest;
  const target =
    exports === undefined || exports === null
      ? typeof main === 'string'
        ? main
        : 'index.js'
      : pick(isRecord(exports) && '.' in exports ? exports['.'] : exports);
  if (target === undefined) throw new Error('its package.json exports nothing under "."');
  const entry = relative(directory, join(directory, target));
  // What the integrity does not cover could be changed after it was allowed.
  const [first = ''] = entry.split(sep);
  if (isAbsolute(entry) || first === '..' || !isCovered(first))
    throw new Error(`its package.json names ${target}, which is no file of its own`);
  return join(directory, entry);
}

const CONDITIONS: ReadonlySet<string> = new Set(['node', 'import', 'module-sync', 'default']);

/** As Node chooses (PACKAGE_TARGET_RESOLVE): the first condition that holds and leads to a file. */
function pick(target: unknown): string | undefined {
  if (typeof target === 'string') return target.startsWith('./') ? target : undefined;
  for (const [key, value] of Array.isArray(target)
    ? target.map((one: unknown) => ['default', one] as const)
    : Object.entries(isRecord(target) ? target : {})) {
    if (!CONDITIONS.has(key)) continue;
    const found = pick(value);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
