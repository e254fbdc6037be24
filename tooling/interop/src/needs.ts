import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { runToEnd } from '@tulle/processes';
import type { Need } from './suite.ts';

/** What suites install stays here from run to run: `$XDG_CACHE_HOME/tulle/interop`. */
export const CACHE: string = join(
  process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
  'tulle/interop',
);

/** Path of a program on PATH. */
export function findProgram(name: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((directory) => join(directory, name))
    .find((file) => existsSync(file));
}

/** A program on PATH. @param hint how to get it */
export function program(name: string, hint: string): Need {
  return {
    what: name,
    missing: () => Promise.resolve(findProgram(name) === undefined ? `not on PATH; ${hint}` : undefined),
  };
}

/** A directory of the cache that is made once, whole or not at all. @param make fills an empty directory at its final path */
export function cached(what: string, name: string, make: (directory: string) => Promise<void>): Need {
  const done = `${join(CACHE, name)}.done`;
  return {
    what,
    async missing() {
      if (existsSync(done)) return undefined;
      const directory = join(CACHE, name);
      try {
        mkdirSync(CACHE, { recursive: true });
        rmSync(directory, { recursive: true, force: true });
        await make(directory);
        mkdirSync(`${done}.new`);
        renameSync(`${done}.new`, done);
        return undefined;
      } catch (error) {
        return `it could not be installed: ${error instanceof Error ? error.message : String(error)}`;
      }
    },
  };
}

/** A package of PyPI in a virtual environment of its own in the cache. */
export function pythonPackage(name: string, version: string): Need & { readonly directory: string } {
  const key = `${name}-${version}`;
  const install = cached(`${name} ${version}`, key, async (directory) => {
    await runToEnd('python3', ['-m', 'venv', directory]);
    const pip = ['install', '--quiet', '--disable-pip-version-check', `${name}==${version}`];
    await runToEnd(join(directory, 'bin/pip'), pip, { timeoutMs: 300_000 });
  });
  return { ...install, directory: join(CACHE, key) };
}
