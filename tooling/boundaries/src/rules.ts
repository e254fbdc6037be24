import { isBuiltin } from 'node:module';
import { matchesGlob, posix } from 'node:path';
import { findCycles, findRings } from './cycles.ts';
import type { Import } from './imports.ts';
import type { Layers, Package, SourceFile } from './workspace.ts';

export interface Fault {
  /** Relative to the root. */
  readonly path: string;
  readonly line?: number;
  readonly message: string;
}

interface House {
  readonly packages: ReadonlyMap<string, Package>;
  readonly layers: Layers;
  /** What the root package declares: every test may use it. */
  readonly tools: ReadonlySet<string>;
}

/** Checks a workspace against the import matrix; returns every fault. */
export function check(packages: readonly Package[], layers: Layers, tools: ReadonlySet<string>): Fault[] {
  const house: House = { packages: new Map(packages.map((one) => [one.name, one])), layers, tools };
  const faults: Fault[] = [];
  for (const one of packages) {
    faults.push(...declarationFaults(one, house));
    for (const file of one.files) {
      for (const imported of file.imports) {
        const message = importFault(one, file, imported, house);
        if (message) faults.push({ path: file.path, line: imported.line, message });
      }
    }
  }
  faults.push(...packageCycles(house), ...fileCycles(house), ...typeRings(house), ...purityFaults(house));
  return faults;
}

/** The edges that a package declares: allowed by the matrix, and in the right group. */
function declarationFaults(one: Package, { packages, layers }: House): Fault[] {
  const path = `${one.directory}/package.json`;
  const layer = one.layer === undefined ? undefined : layers.layers[one.layer];
  if (!layer)
    return [{ path, message: 'is in no layer of layers.json: move the package, or add a layer for it' }];
  const faults: Fault[] = [];
  for (const group of [
    'dependencies',
    'optionalDependencies',
    'peerDependencies',
    'devDependencies',
  ] as const) {
    for (const name of Object.keys(one.manifest[group] ?? {})) {
      const target = packages.get(name);
      const development = group === 'devDependencies';
      if (!target) {
        if (layer.thirdParty === false && !development) {
          faults.push({ path, message: `${one.layer} have no dependencies: remove ${name} from ${group}` });
        }
        continue;
      }
      const permission = layer.imports[target.layer ?? ''];
      if (permission === undefined) {
        faults.push({ path, message: `${one.layer} may not import ${target.layer}: ${name} in ${group}` });
      } else if (permission === 'dev' && !development) {
        faults.push({
          path,
          message: `${one.layer} import ${target.layer} only in tests: move ${name} from ${group} to devDependencies`,
        });
      } else if (permission === 'peer' && !development && group !== 'peerDependencies') {
        faults.push({
          path,
          message: `${one.layer} take ${target.layer} as a peer: move ${name} from ${group} to peerDependencies`,
        });
      }
    }
  }
  return faults;
}

/** One import: declared in a group that holds where the file runs, through an entry that the target exports. */
function importFault(
  one: Package,
  file: SourceFile,
  { specifier }: Import,
  house: House,
): string | undefined {
  if (specifier.startsWith('.')) {
    const target = resolveRelative(file, specifier);
    return target.startsWith(`${one.directory}/`)
      ? undefined
      : `leaves the package: import ${specifier} by a package name`;
  }
  if (specifier.startsWith('node:')) return undefined;
  if (isBuiltin(specifier)) return `write node:${specifier}`;
  const [name, entry] = splitSpecifier(specifier);
  const target = house.packages.get(name);
  if (target && !exportsEntry(target, entry)) return `deep import: ${name} exports no "${entry}"`;
  if (name === one.name) return undefined;
  if (target && one.layer && house.layers.layers[one.layer]?.imports[target.layer ?? ''] === undefined) {
    return `${one.layer} may not import ${target.layer}: ${name}`;
  }
  const { dependencies, peerDependencies, optionalDependencies, devDependencies } = one.manifest;
  if (dependencies?.[name] ?? peerDependencies?.[name] ?? optionalDependencies?.[name]) return undefined;
  if (file.development && (devDependencies?.[name] || house.tools.has(name))) return undefined;
  if (devDependencies?.[name] === undefined) return `undeclared: add ${name} to package.json of ${one.name}`;
  return `${name} is a devDependency: sources need it in dependencies or peerDependencies`;
}

function packageCycles({ packages }: House): Fault[] {
  const graph = new Map<string, string[]>();
  for (const { name, manifest } of packages.values()) {
    const names = Object.keys({
      ...manifest.dependencies,
      ...manifest.peerDependencies,
      ...manifest.optionalDependencies,
    });
    graph.set(
      name,
      names.filter((other) => packages.has(other)),
    );
  }
  return findCycles(graph).map((cycle) => ({
    path: `${packages.get(cycle[0] ?? '')?.directory}/package.json`,
    message: `packages in a cycle: ${cycle.join(' → ')}`,
  }));
}

/** Imports of types are erased and may close a ring, but for {@link typeRings}. */
function fileCycles({ packages }: House): Fault[] {
  const graph = new Map<string, string[]>();
  for (const { files } of packages.values()) {
    for (const file of files) {
      const relative = file.imports.filter(
        ({ specifier, typeOnly }) => !typeOnly && specifier.startsWith('.'),
      );
      graph.set(
        file.path,
        relative.map(({ specifier }) => resolveRelative(file, specifier)),
      );
    }
  }
  return findCycles(graph).map((cycle) => ({
    path: cycle[0] ?? '',
    message: `files in a cycle: ${cycle.join(' → ')}`,
  }));
}

/** Where layers.json says so, types form no ring either: what is read there is read from one end to the other. */
function typeRings({ packages, layers }: House): Fault[] {
  const faults: Fault[] = [];
  for (const { files: globs, apart = [], why } of layers.noTypeRings) {
    const graph = new Map<string, string[]>();
    for (const file of [...packages.values()].flatMap((one) => one.files)) {
      if (file.development || !globs.some((glob) => matchesGlob(file.path, glob))) continue;
      const relative = file.imports.filter(({ specifier }) => specifier.startsWith('.'));
      graph.set(
        file.path,
        relative.map(({ specifier }) => resolveRelative(file, specifier)),
      );
    }
    for (const ring of findRings(graph)) {
      if (ring.every((path) => apart.some((glob) => matchesGlob(path, glob)))) continue;
      faults.push({
        path: ring[0] ?? '',
        message: `types in a ring of ${ring.length} files, ${ring.join(', ')}: ${why}`,
      });
    }
  }
  return faults;
}

/**
 * A pure file reaches no `node:` module, neither itself nor through what it imports in the workspace; where the rule says
 * so, it uses no global of Node's itself.
 */
function purityFaults({ packages, layers }: House): Fault[] {
  const files = new Map(
    [...packages.values()].flatMap((one) => one.files.map((file) => [file.path, file] as const)),
  );
  const faults: Fault[] = [];
  for (const { files: globs, noGlobals, why } of layers.pure) {
    for (const file of files.values()) {
      if (file.development || !globs.some((glob) => matchesGlob(file.path, glob))) continue;
      if (noGlobals === true)
        for (const { name, line } of file.globals)
          faults.push({ path: file.path, line, message: `uses the global ${name}: ${why}` });
      const seen = new Set<string>();
      const visit = (at: SourceFile, trail: readonly string[], line?: number): void => {
        if (seen.has(at.path)) return;
        seen.add(at.path);
        for (const { specifier, typeOnly, line: importedAt } of at.imports) {
          if (isBuiltin(specifier) && (!typeOnly || at === file)) {
            faults.push({
              path: file.path,
              line: line ?? importedAt,
              message: `imports ${[...trail, specifier].join(' → ')}: ${why}`,
            });
          } else if (!typeOnly) {
            const next = files.get(
              specifier.startsWith('.') ? resolveRelative(at, specifier) : entryFile(packages, specifier),
            );
            if (next) visit(next, [...trail, next.path], line ?? importedAt);
          }
        }
      };
      visit(file, []);
    }
  }
  return faults;
}

function resolveRelative(file: SourceFile, specifier: string): string {
  return posix.join(posix.dirname(file.path), specifier);
}

/** `@tulle/x/y/z` → `@tulle/x` and `./y/z`. */
function splitSpecifier(specifier: string): [name: string, entry: string] {
  const parts = specifier.split('/');
  const name = parts.splice(0, specifier.startsWith('@') ? 2 : 1).join('/');
  return [name, ['.', ...parts].join('/')];
}

function exportsEntry({ manifest }: Package, entry: string): boolean {
  return Object.keys(manifest.exports ?? {}).some((key) => {
    const [before = '', after] = key.split('*');
    return after === undefined ? key === entry : entry.startsWith(before) && entry.endsWith(after);
  });
}

/** The source of a workspace import, where it is written by hand. */
function entryFile(packages: ReadonlyMap<string, Package>, specifier: string): string {
  const [name, entry] = splitSpecifier(specifier);
  const target = packages.get(name);
  const file = target?.manifest.exports?.[entry];
  return typeof file === 'string' && target ? posix.join(target.directory, file) : '';
}
