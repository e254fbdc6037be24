import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { SecretFile } from '@tulle/envoy-bootstrap';

/** Editors and Kubernetes replace a file in several steps. */
const SETTLE_MS = 100;

/**
 * Calls `changed` after one of the files was replaced or written. Their directories are watched, since a file that is moved into place is
 * another file (Envoy looks for moves).
 * @returns a function that ends it
 */
export function watchFiles(files: readonly SecretFile[], changed: () => void): () => void {
  const names = new Map<string, Set<string> | undefined>();
  for (const { path, watchedDirectory } of files) {
    // Below a directory that is said, any move means that the file is another one: ConfigMaps move a link there.
    if (watchedDirectory !== undefined) names.set(watchedDirectory, undefined);
    else {
      const directory = dirname(path);
      const known = names.has(directory) ? names.get(directory) : new Set<string>();
      names.set(directory, known?.add(basename(path)));
    }
  }
  let timer: NodeJS.Timeout | undefined;
  const soon = (): void => {
    clearTimeout(timer);
    timer = setTimeout(changed, SETTLE_MS).unref();
  };
  const watchers: FSWatcher[] = [...names].map(([directory, only]) => {
    const watcher = watch(directory, { persistent: false }, (_, name) => {
      if (only === undefined || name === null || only.has(name)) soon();
    });
    watcher.on('error', () => {}); // the directory is gone; a start finds that out
    return watcher;
  });
  return () => {
    clearTimeout(timer);
    for (const watcher of watchers) watcher.close();
  };
}
