import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { TulleError } from '@tulle/filter';
import type { Resource } from '@tulle/resources';

/** What survives a restart. */
export interface SavedState {
  /** Resources of REST. */
  readonly resources: readonly Resource[];
  /** Workloads of joined sidecars. */
  readonly workloads: readonly Resource[];
  /** Service accounts (`namespace/name`) that gateways have proven. Absent: none. */
  readonly gatewayAccounts?: readonly string[];
  /** By what proxies know the tokens of sessions as theirs (32 hex digits). Absent: there is none yet. */
  readonly sessionSecret?: string;
  /** What each source said last, by source and owner: files that break while nobody reads them are not forgotten. */
  readonly sources?: Readonly<Record<string, readonly SavedOwner[]>>;
}

/** What one owner (a file) said last. */
export interface SavedOwner {
  readonly owner: string;
  readonly resources: readonly Resource[];
}

/** Keeps the state. */
export interface StateStore {
  /** @throws TulleError `TULLE_CONFIG_INVALID` when what is there was damaged */
  load(): SavedState;
  /** Durable when it returns. @throws when it is not; what was saved before is as it was */
  save(state: SavedState): void;
}

/** Forgets on exit. */
export function memoryState(): StateStore {
  let kept: SavedState = { resources: [], workloads: [] };
  return { load: () => kept, save: (state) => void (kept = state) };
}

/**
 * One file, written whole beside itself, flushed, and renamed: whenever the process dies, the file is the old one or
 * the new one. A checksum in its first line tells damage from content.
 */
export function fileState(path: string): StateStore {
  return {
    load() {
      if (!existsSync(path)) return { resources: [], workloads: [] };
      const text = readFileSync(path, 'utf8');
      const end = text.indexOf('\n');
      const body = text.slice(end + 1);
      if (end !== 64 || text.slice(0, end) !== sum(body))
        throw new TulleError(
          'TULLE_CONFIG_INVALID',
          `the saved state ${path} is damaged (its checksum does not fit); restore it from a backup, or move it away to start with nothing`,
        );
      return JSON.parse(body) as SavedState;
    },
    save(state) {
      const body = JSON.stringify(state);
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      const file = openSync(`${path}.new`, 'w', 0o600);
      try {
        writeAll(file, Buffer.from(`${sum(body)}\n${body}`));
        fsyncSync(file);
      } catch (error) {
        rmSync(`${path}.new`, { force: true }); // gives back the room that half of it took
        throw error;
      } finally {
        closeSync(file);
      }
      renameSync(`${path}.new`, path);
      const directory = openSync(dirname(path), 'r');
      try {
        fsyncSync(directory);
      } finally {
        closeSync(directory);
      }
    },
  };
}

/** A file system that runs full may take a part and say so only in the count. */
function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    const taken = writeSync(file, bytes, at);
    if (taken === 0) throw new Error(`nothing more can be written after ${at} of ${bytes.length} bytes`);
    at += taken;
  }
}

function sum(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
