import { watch, type FSWatcher } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { TulleError } from '@tulle/filter';
import {
  diagnostic,
  formatDiagnostic,
  readResources,
  type Diagnostic,
  type FilterCatalogue,
  type LocatedResource,
  type ResourceSource,
  type SourceSink,
  type SourceUpdate,
} from '@tulle/resources';

/** Options of {@link directorySource}. */
export interface DirectorySourceOptions {
  readonly directory: string;
  /** A burst of changes is read once it is quiet for this long. Default 50: editors write in several steps. */
  readonly debounceMs?: number;
  /** The directory is looked at anyway this often, for file systems that tell nothing. Default 5,000. */
  readonly pollMs?: number;
  /** Files read. Default 10,000; past it the directory is faulty and what was read stays. */
  readonly maxFiles?: number;
  /** Filters whose configuration is validated. Default: the standard ones. */
  readonly filters?: FilterCatalogue;
}

interface FileState {
  /** Modification time and size as last read. */
  stamp: string;
  /** Last good content. */
  good: readonly LocatedResource[];
  faults: readonly Diagnostic[];
}

/**
 * Source of the `.yaml`, `.yml` and `.json` files below a directory (hidden ones left out). What a file said last stays in
 * force while it is broken, also over a restart of the control plane. Where nothing is known from before, `start` throws
 * `TULLE_CONFIG_INVALID` with every fault: a policy that cannot be read is not the same as none.
 */
export function directorySource(options: DirectorySourceOptions): ResourceSource {
  const { directory } = options;
  const files = new Map<string, FileState>();
  let sink: SourceSink | undefined;
  let watcher: FSWatcher | undefined;
  let timer: NodeJS.Timeout | undefined;
  let poll: NodeJS.Timeout | undefined;
  let closed = false;
  let running: Promise<void> = Promise.resolve();
  let directoryFault: Diagnostic | undefined;

  const scan = async (): Promise<void> => {
    const found = await listFiles(directory, options.maxFiles ?? 10_000);
    if (closed || sink === undefined) return;
    if (typeof found === 'string') {
      // A directory that vanished says nothing about its files: what they said last stays in force.
      directoryFault = diagnostic('TULLE0106', {
        message: found,
        position: { file: directory, line: 1, column: 1 },
      });
      report();
      return;
    }
    directoryFault = undefined;
    const updates: SourceUpdate[] = [];
    const gone = [...files.keys()].filter((path) => !found.has(path));
    for (const path of gone) {
      files.delete(path);
      updates.push({ owner: ownerOf(path), resources: [] });
    }
    for (const [path, stamp] of found) {
      if (files.get(path)?.stamp === stamp) continue;
      const state = await readOne(path, stamp);
      if (state === undefined) continue;
      files.set(path, state);
      if (state.faults.length === 0) updates.push({ owner: ownerOf(path), resources: state.good });
    }
    if (closed) return;
    if (updates.length > 0) sink.apply({ cause: `files in ${directory}`, updates });
    report();
  };

  const readOne = async (path: string, stamp: string): Promise<FileState | undefined> => {
    const before = files.get(path)?.good ?? [];
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (error) {
      const message = `${path} cannot be read (${reason(error)}); what it held before stays in force`;
      return {
        stamp,
        good: before,
        faults: [diagnostic('TULLE0106', { message, position: { file: path, line: 1, column: 1 } })],
      };
    }
    const read = await readResources(
      [{ text, file: path }],
      options.filters === undefined ? {} : { filters: options.filters },
    );
    const faults = read.diagnostics.filter((d) => d.class === 'invalid');
    return { stamp, good: faults.length === 0 ? read.resources : before, faults };
  };

  const faultsNow = (): Diagnostic[] => [
    ...(directoryFault === undefined ? [] : [directoryFault]),
    ...[...files.values()].flatMap((f) => f.faults),
  ];

  const report = (): void => {
    if (!closed) sink?.faults(faultsNow());
  };

  const stop = (): void => {
    closed = true;
    clearTimeout(timer);
    clearInterval(poll);
    watcher?.close();
  };

  /** Scans follow each other; none is lost. */
  const soon = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => void (running = running.then(scan)), options.debounceMs ?? 50);
  };

  const rewatch = (): void => {
    watcher?.close();
    watcher = undefined;
    try {
      watcher = watch(directory, { recursive: true }, soon);
      watcher.on('error', () => {
        watcher?.close();
        watcher = undefined;
      });
    } catch {
      // Not there, or no watches left: the poll below finds changes, and watches again.
    }
  };

  const ownerOf = (path: string): string => OWNER + path;
  const pathOf = (owner: string): string => owner.slice(OWNER.length);

  return {
    id: `file:${directory}`,
    async start(to) {
      sink = to;
      // As if it had been read by us: a file that is gone meanwhile is told, a broken one keeps what it said.
      for (const { owner, resources } of to.held)
        files.set(pathOf(owner), { stamp: '', good: resources, faults: [] });
      rewatch();
      await (running = running.then(scan));
      const faults = faultsNow();
      if (to.held.length === 0 && faults.length > 0) {
        stop();
        throw new TulleError(
          'TULLE_CONFIG_INVALID',
          `${faults.map(formatDiagnostic).join('\n')}\n${directory} says nothing else yet, so that nothing was started; mend it and start again`,
        );
      }
      poll = setInterval(() => {
        if (watcher === undefined || directoryFault !== undefined) rewatch();
        soon();
      }, options.pollMs ?? 5000);
      poll.unref();
    },
    async close() {
      stop();
      await running;
    },
  };
}

const OWNER = 'file:';

/** Paths with their stamps, or why there are none. */
async function listFiles(directory: string, maxFiles: number): Promise<Map<string, string> | string> {
  const found = new Map<string, string>();
  try {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    for (const entry of entries) {
      if (
        entry.name.startsWith('.') ||
        !/\.(ya?ml|json)$/.test(entry.name) ||
        relative(directory, entry.parentPath)
          .split('/')
          .some((p) => p.startsWith('.') && p !== '')
      )
        continue;
      const path = join(entry.parentPath, entry.name);
      try {
        const { mtimeMs, size, ino } = await stat(path);
        found.set(path, `${mtimeMs}:${size}:${ino}`);
      } catch {
        // Renamed away since it was listed.
      }
      if (found.size > maxFiles)
        return `${directory} has more than ${maxFiles} files (maxFiles); what was read before stays in force`;
    }
  } catch (error) {
    return `${directory} cannot be read (${reason(error)}); what it held before stays in force`;
  }
  return new Map([...found].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function reason(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
