import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { runToEnd } from '@tulle/processes';
import { CACHE, cached, program } from './needs.ts';
import type { Need } from './suite.ts';

/** Go itself. */
export const go: Need = program('go', 'apt-get install golang, or https://go.dev/dl');

/** Programs of a Go module whose versions are pinned by a `go.mod` and `go.sum` of ours. */
export interface GoPrograms extends Need {
  /** Path of one of the binaries. */
  path(name: string): string;
}

/**
 * Builds main packages of the Go modules that `directory/go.mod` names, once for each state of its files.
 * @param packages binary name → import path
 */
export function goPrograms(
  what: string,
  directory: string,
  packages: Readonly<Record<string, string>>,
): GoPrograms {
  const hash = createHash('sha256');
  for (const name of readdirSync(directory).toSorted()) hash.update(readFileSync(join(directory, name)));
  const key = `${what.replaceAll(/\W+/g, '-')}-${hash.digest('hex').slice(0, 12)}`;
  const need = cached(what, key, async (cache) => {
    await cp(directory, cache, { recursive: true });
    for (const [name, path] of Object.entries(packages))
      await runToEnd('go', ['build', '-o', join(cache, name), path], { cwd: cache, timeoutMs: 400_000 });
  });
  return { ...need, path: (name) => join(CACHE, key, name) };
}
