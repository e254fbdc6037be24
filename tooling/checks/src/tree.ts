import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Content hashes of every file that git does not ignore: tracked, changed or new. `undefined` where there is no
 * repository (an unpacked archive): then nothing can be told of changes.
 */
export function readTree(root: string): Map<string, string> | undefined {
  if (!existsSync(join(root, '.git'))) return undefined;
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  const tree = new Map<string, string>();
  for (const path of listed.split('\0')) {
    const file = join(root, path);
    if (path === '' || !existsSync(file) || !statSync(file).isFile()) continue;
    tree.set(path, createHash('sha256').update(readFileSync(file)).digest('hex'));
  }
  return tree;
}

/** Paths that were added, changed or removed between two readings. */
export function changedPaths(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): string[] {
  const paths = new Set([...before.keys(), ...after.keys()]);
  return [...paths].filter((path) => before.get(path) !== after.get(path)).toSorted();
}
