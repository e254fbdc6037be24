import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { definitionIssues, type AnyConnFilter, type AnyHttpFilter, type ConfigIssue } from '@tulle/filter';
import { isIdOf, refusal, type AllowedPackage } from './allow-list.ts';
import { confineImports } from './confine.ts';
import { entryOf, findPackage, type InstalledPackage } from './installed-package.ts';
import { checkInstalled, type VerifiedFilters } from './verify.ts';

/** A filter of either kind. */
export type AnyFilter = AnyHttpFilter | AnyConnFilter;

/**
 * Loads the filters of an allow-list, for a proxy's registry, beside its main's own. What is installed is compared with the
 * list once more, since processes start long after their supervisor did.
 * @throws TulleError `TULLE_CONFIG_INVALID` with every fault, each naming its package: changed since it was allowed, not
 *   loadable, no such export, an invalid definition or one for another version of the contract
 */
export async function loadFilters(verified: Pick<VerifiedFilters, 'file' | 'list'>): Promise<AnyFilter[]> {
  checkInstalled(verified);
  const { file, list } = verified;
  const issues: ConfigIssue[] = [];
  const filters: AnyFilter[] = [];
  for (const [i, allowed] of list.packages.entries()) {
    try {
      const installed = findPackage(allowed.package, dirname(file)) as InstalledPackage;
      const module = await importPackage(installed);
      for (const [j, entry] of allowed.filters.entries()) {
        const filter = module[entry.export];
        const faults = [...filterFaults(filter, allowed.package)];
        if (faults.length === 0) faults.push(...differences(filter as AnyFilter, entry, allowed.package));
        if (faults.length === 0) filters.push(filter as AnyFilter);
        for (const message of faults)
          issues.push({
            path: `/packages/${i}/filters/${j}`,
            message: `${entry.export} of ${allowed.package}@${allowed.version} ${message}`,
          });
      }
    } catch (error) {
      issues.push({ path: `/packages/${i}`, message: (error as Error).message });
    }
  }
  if (issues.length > 0) throw refusal(file, issues);
  return filters;
}

/**
 * Loads an installed package, which may import only what was verified with it ({@link confineImports}).
 * @throws Error naming the package, with the reason
 */
export async function importPackage(installed: InstalledPackage): Promise<Record<string, unknown>> {
  try {
    confineImports(installed);
    return (await import(pathToFileURL(entryOf(installed)).href)) as Record<string, unknown>;
  } catch (error) {
    throw new Error(
      `${installed.name}@${installed.version} cannot be loaded: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}

/** Whether a value looks like what `defineHttpFilter` and `defineConnFilter` make, of any copy of the contract. */
export function isFilter(value: unknown): value is AnyFilter {
  return (
    typeof value === 'function' &&
    'definition' in value &&
    typeof value.definition === 'object' &&
    value.definition !== null
  );
}

/** What is wrong with an export of a package, as sentences without subject. */
export function filterFaults(filter: unknown, packageName: string): string[] {
  if (filter === undefined) return ['is not exported'];
  if (!isFilter(filter)) return ['is no filter: make it by defineHttpFilter or defineConnFilter'];
  const { definition } = filter;
  const faults = definitionIssues(definition).map(
    ({ path, message }) => `has an invalid definition: ${path} ${message}`,
  );
  const { id, config } = definition;
  if (typeof id === 'string' && !isIdOf(id, packageName))
    faults.push(`has the id ${id}; it must be ${packageName}, or begin with ${packageName}/`);
  if (typeof config?.jsonSchema !== 'object' || config.jsonSchema === null)
    faults.push('has an invalid definition: /config has no jsonSchema');
  return faults;
}

/** Where a filter is not as its allow-list describes it; that can only be when the list was edited by hand. */
function differences(
  { definition }: AnyFilter,
  entry: AllowedPackage['filters'][number],
  packageName: string,
): string[] {
  const again = `run tulle filters allow ${packageName} again`;
  const faults: string[] = [];
  if (definition.id !== entry.id) faults.push(`has the id ${definition.id}, not ${entry.id}; ${again}`);
  if (definition.kind !== entry.kind)
    faults.push(`is of kind ${String(definition.kind)}, not ${entry.kind}; ${again}`);
  const phase = 'phase' in definition ? definition.phase : undefined;
  if (entry.phase !== undefined && entry.phase !== phase)
    faults.push(`is of phase ${String(phase)}, not ${entry.phase}; ${again}`);
  if (JSON.stringify(definition.config.jsonSchema) !== JSON.stringify(entry.configSchema))
    faults.push(`has another schema than the list says; ${again}`);
  return faults;
}
