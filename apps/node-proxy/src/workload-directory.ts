import { readdirSync, readFileSync, watch, type FSWatcher } from 'node:fs';
import { join } from 'node:path';
import { keyOf, readWorkload, type NodeWorkload } from './workload.ts';

/** Directories are watched; some file systems say nothing, so they are looked at now and then too. */
const LOOK_EVERY_MS = 5_000;

/** What the files of a directory say. */
export interface WorkloadFiles {
  /** By {@link keyOf}; the text tells whether it changed. */
  readonly workloads: ReadonlyMap<string, { readonly workload: NodeWorkload; readonly text: string }>;
  /** A sentence for each file that cannot be used. */
  readonly faults: readonly string[];
}

/** Reads `*.json`: each is one workload. A file that is being written, or is wrong, is a fault and no workload. */
export function readDirectory(directory: string): WorkloadFiles {
  const workloads = new Map<string, { workload: NodeWorkload; text: string }>();
  const faults: string[] = [];
  for (const name of readdirSync(directory).toSorted()) {
    if (!name.endsWith('.json')) continue;
    const file = join(directory, name);
    try {
      const text = readFileSync(file, 'utf8');
      const workload = readWorkload(text, file);
      const key = keyOf(workload);
      if (workloads.has(key)) throw new Error(`${file}: ${key} is in another file already`);
      workloads.set(key, { workload, text });
    } catch (error) {
      faults.push((error as Error).message);
    }
  }
  return { workloads, faults };
}

/** Calls back when something in it may have changed. @returns stops it */
export function watchDirectory(directory: string, changed: () => void): () => void {
  const watcher: FSWatcher = watch(directory, changed).on('error', () => {});
  const timer = setInterval(changed, LOOK_EVERY_MS);
  return () => {
    watcher.close();
    clearInterval(timer);
  };
}
