import { dirname, resolve } from 'node:path';
import type { ConfigIssue } from '@tulle/filter';
import { readAllowList, refusal, type AllowedPackage, type AllowList } from './allow-list.ts';
import { dependenciesOf, findPackage, integrityOf } from './installed-package.ts';

/** An allow-list whose packages are installed as it says. Plain data, to be handed to the processes that load them. */
export interface VerifiedFilters {
  /** Absolute path of the allow-list: packages are looked for beside it. */
  readonly file: string;
  readonly list: AllowList;
  /** `id@version` of each filter, for the control plane. */
  readonly extensions: readonly string[];
  /** Phase of each filter that says one, and `connection` for connection filters, by id; for the control plane. */
  readonly phases: Readonly<Record<string, string>>;
}

/**
 * Reads an allow-list and compares what it names with what is installed. Runs no code of the packages.
 * @throws TulleError `TULLE_CONFIG_INVALID` with every fault, each naming its package
 */
export function verifyFilters(file: string): VerifiedFilters {
  const path = resolve(file);
  const list = readAllowList(path);
  const verified = {
    file: path,
    list,
    extensions: list.packages.flatMap(({ version, filters }) => filters.map(({ id }) => `${id}@${version}`)),
    phases: Object.fromEntries(
      list.packages.flatMap(({ filters }) =>
        filters.flatMap(
          ({ id, kind, phase = kind === 'connection' ? kind : undefined }): [string, string][] =>
            phase === undefined ? [] : [[id, phase]],
        ),
      ),
    ),
  };
  checkInstalled(verified);
  return verified;
}

/** @throws TulleError `TULLE_CONFIG_INVALID` with every fault */
export function checkInstalled({ file, list }: Pick<VerifiedFilters, 'file' | 'list'>): void {
  const issues: ConfigIssue[] = list.packages.flatMap((allowed, i) =>
    packageFaults(file, allowed).map((message) => ({ path: `/packages/${i}`, message })),
  );
  if (issues.length > 0) throw refusal(file, issues);
}

/** What is wrong with the installed package beside an allow-list; nothing when it is the one that was allowed. */
export function packageFaults(file: string, allowed: AllowedPackage): string[] {
  const name = allowed.package;
  const again = `look at what changed, then run tulle filters allow ${name}`;
  try {
    const installed = findPackage(name, dirname(resolve(file)));
    if (installed === undefined)
      return [`${name} is not installed beside ${file}; run npm install ${name}@${allowed.version} there`];
    if (installed.name !== name)
      return [`${name} is ${installed.name} by its package.json; an alias is not allowed`];
    if (installed.version !== allowed.version)
      return [
        `${name} is installed in version ${installed.version}, allowed is ${allowed.version}; install that one, or ${again}`,
      ];
    if (integrityOf(installed.directory) !== allowed.integrity)
      return [`the files of ${name}@${allowed.version} are not those that were allowed; ${again}`];
    const now = dependenciesOf(installed);
    const differ = [
      ...Object.keys(now).filter((key) => !(key in allowed.dependencies)),
      ...Object.keys(allowed.dependencies).filter((key) => now[key] !== allowed.dependencies[key]),
    ];
    return differ.map((key) =>
      !(key in now)
        ? `${name} no longer depends on ${key}, with which it was allowed; ${again}`
        : key in allowed.dependencies
          ? `the files of ${key}, on which ${name} depends, are not those that were allowed; ${again}`
          : `${name} depends on ${key}, which was not allowed; ${again}`,
    );
  } catch (error) {
    return [`${name}: ${(error as Error).message}`];
  }
}
