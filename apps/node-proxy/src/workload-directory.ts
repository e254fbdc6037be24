import { readdirSync, readFileSync, watch, type FSWatcher } from 'node:fs';
import { join } from 'node:path';
import { keyOf, readWorkload, type NodeWorkload } from './workload.ts';

/** Directories are watched; some file systems say nothing, so they are looked at now and then too. */
const LOOK_EVERY_MS = 5_000;

/** What the files of a directory say. */
export interface WorkloadFiles {
  /** By {@link keyOf}; the text tells whether it changed. */
  readonly workloads: ReadonlyMap<string, WorkloadFile>;
  /** A sentence for each file that cannot be used. */
  readonly faults: readonly string[];
}

interface WorkloadFile {
  readonly file: string;
  readonly workload: NodeWorkload;
  readonly text: string;
}

/**
 * Reads `*.json`: each is one workload. What a file said last holds while it is wrong, or being written, and so does a directory
 * that cannot be read: a workload that is dropped speaks plain text. Only a file that is gone takes its workload away.
 * @param before what was read last
 */
export function readDirectory(directory: string, before: WorkloadFiles): WorkloadFiles {
  let names: string[];
  try {
    names = readdirSync(directory).toSorted();
  } catch (error) {
    const fault = `${directory} cannot be read (${(error as Error).message}); what its files said last holds`;
    return { workloads: before.workloads, faults: [fault] };
  }
  const good = new Map([...before.workloads.values()].map((one) => [one.file, one]));
  const workloads = new Map<string, WorkloadFile>();
  const faults: string[] = [];
  for (const name of names) {
    if (!name.endsWith('.json')) continue;
    const file = join(directory, name);
    let read = good.get(file);
    try {
      const text = readFileSync(file, 'utf8');
      read = { file, workload: readWorkload(text, file), text };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue; // gone by now
      const { message } = error as Error;
      faults.push(read === undefined ? message : `${message}; what the file said before holds`);
    }
    if (read === undefined) continue;
    const { network } = read.workload;
    const key = keyOf(read.workload);
    const same = workloads.get(key);
    const beside = [...workloads.values()].find(({ workload }) => workload.network === network);
    if (same !== undefined)
      faults.push(
        `${file}: ${key} is in ${same.file} already; choose another name, or remove one of the files`,
      );
    else if (beside !== undefined)
      faults.push(
        `${file}: network: ${network} is that of ${keyOf(beside.workload)} in ${beside.file} already; a workload has a network of its own`,
      );
    else workloads.set(key, read);
  }
  return { workloads, faults };
}

/** Calls back when something in it may have changed. @returns stops it */
export function watchDirectory(directory: string, changed: () => void): () => void {
  const watcher: FSWatcher = watch(directory, changed).on('error', () => {}); // it is looked at all the same
  const timer = setInterval(changed, LOOK_EVERY_MS);
  return () => {
    watcher.close();
    clearInterval(timer);
  };
}
