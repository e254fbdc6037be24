import { dirname, resolve } from 'node:path';
import { isTulleError } from '@tulle/filter';
import { refusal, type AllowedFilter, type AllowedPackage } from './allow-list.ts';
import { parseAllowList } from './allow-list.ts';
import { dependenciesOf, findPackage, integrityOf } from './installed-package.ts';
import { filterFaults, importPackage, isFilter, type AnyFilter } from './load.ts';

/**
 * Describes an installed package as an allow-list would: its version, what is on disk of it and of what it depends on, and
 * the filters that it exports. Loads its code, in this process.
 * @param file the allow-list; the package is looked for beside it
 * @param names exports to allow; empty: every filter among them
 * @throws TulleError `TULLE_CONFIG_INVALID` when it is not installed, exports no filter, or an invalid one
 */
export async function allowPackage(
  file: string,
  packageName: string,
  names: readonly string[] = [],
): Promise<AllowedPackage> {
  const wrong = (messages: readonly string[]): never => {
    throw refusal(
      file,
      messages.map((message) => ({ path: '', message })),
    );
  };
  try {
    const directory = dirname(resolve(file));
    const installed =
      findPackage(packageName, directory) ??
      wrong([`${packageName} is not installed in ${directory}; run npm install ${packageName} there`]);
    if (installed.name !== packageName)
      wrong([`${packageName} is ${installed.name} by its package.json; an alias is not allowed`]);
    // Taken before the code runs, so that it cannot change what is compared later.
    const integrity = integrityOf(installed.directory);
    const dependencies = dependenciesOf(installed);
    const module = await importPackage(installed);
    const chosen = names.length > 0 ? names : filterExports(module);
    if (chosen.length === 0)
      wrong([
        `${packageName}@${installed.version} exports no filter, only ${Object.keys(module).join(', ') || 'nothing'}`,
      ]);
    const faults = chosen.flatMap((name) =>
      filterFaults(module[name], packageName).map((fault) => `${name} of ${packageName} ${fault}`),
    );
    if (faults.length > 0) wrong(faults);
    const allowed: AllowedPackage = {
      package: packageName,
      version: installed.version,
      integrity,
      dependencies,
      filters: chosen.map((name) => describe(name, module[name] as AnyFilter)),
    };
    // What is written must be what will be read: a schema that is wrong itself is found here.
    parseAllowList(JSON.stringify({ packages: [allowed] }), file);
    return allowed;
  } catch (error) {
    if (isTulleError(error)) throw error;
    return wrong([(error as Error).message]);
  }
}

/** Exports that are filters; one that has several names (the default export, too) once. */
function filterExports(module: Readonly<Record<string, unknown>>): string[] {
  const seen = new Set<unknown>();
  return Object.keys(module)
    .sort((a, b) => Number(a === 'default') - Number(b === 'default') || (a < b ? -1 : 1))
    .filter((name) => {
      const value = module[name];
      return isFilter(value) && !seen.has(value) && seen.add(value);
    });
}

function describe(name: string, { definition }: AnyFilter): AllowedFilter {
  const { id, kind, summary, config } = definition;
  const phase = 'phase' in definition ? definition.phase : undefined;
  return {
    export: name,
    id,
    kind: kind === 'connection' ? 'connection' : 'http',
    ...(phase === undefined ? {} : { phase }),
    ...(summary === undefined ? {} : { summary }),
    configSchema: config.jsonSchema,
  };
}
