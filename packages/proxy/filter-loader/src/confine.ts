import { realpathSync } from 'node:fs';
import { isBuiltin, registerHooks, type ModuleHooks } from 'node:module';
import { dirname, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installedWith, isCovered, type InstalledPackage } from './installed-package.ts';

/** Packages whose files were compared, by real directory; of this thread, as module hooks are. */
const verified = new Map<string, InstalledPackage>();
let hooks: ModuleHooks | undefined;

/**
 * From now on, in this thread, neither a package nor what it depends on may import or require a file that its verification did
 * not cover: of a package that it does not declare and that happens to be found, or of a `node_modules` of its own that
 * no declared package is in. Modules of Node's own are free. Imports of any other code are not looked at.
 */
export function confineImports(installed: InstalledPackage): void {
  verified.set(installed.directory, installed);
  for (const [, dependency] of installedWith(installed)) verified.set(dependency.directory, dependency);
  hooks ??= registerHooks({
    resolve(specifier, context, nextResolve) {
      const resolved = nextResolve(specifier, context);
      const importer = context.parentURL === undefined ? undefined : ownerOf(context.parentURL);
      if (importer === undefined || isBuiltin(resolved.url) || ownerOf(resolved.url) !== undefined)
        return resolved;
      throw new Error(
        `${importer.name}@${importer.version} imports ${JSON.stringify(specifier)}, which is ${resolved.url.slice(0, 500)}: that is no file of a package that it declares, so nobody verified it; name its package in the dependencies of ${importer.name}`,
      );
    },
  });
}

/** The package among the verified whose integrity covers a module. */
function ownerOf(url: string): InstalledPackage | undefined {
  if (!url.startsWith('file:')) return undefined;
  let file: string;
  try {
    file = realpathSync(fileURLToPath(url));
  } catch {
    return undefined;
  }
  for (let at = dirname(file); ; at = dirname(at)) {
    const owner = verified.get(at);
    if (owner !== undefined && isCovered(relative(at, file).split(sep)[0] as string)) return owner;
    if (dirname(at) === at) return undefined;
  }
}
