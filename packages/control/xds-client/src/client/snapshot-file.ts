import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { KINDS } from '../wire.ts';
import { type DraftStore, emptyStore, type Held, isPart, type Store } from '../session/store.ts';

/** Layout of the file. Another number is not read. */
const FORMAT = 1;
/**
 * Grows whenever translation gives other models for the same messages. A snapshot of another translation is served,
 * because old config is better than none, but everything is fetched anew.
 */
const TRANSLATION = 1;

/** What was saved. */
export interface SavedSnapshot {
  readonly changeId: string;
  readonly savedAtMs: number;
  /** Versions are ones that no server has when the translation has changed since. */
  readonly store: Store;
}

/** Whose snapshot, and how large it may be. */
export interface SnapshotFileOptions {
  /** A snapshot of another node is not read. */
  readonly nodeId: string;
  readonly maxBytes: number;
  epochMs(): number;
  /** A snapshot could not be read or written; the proxy works on. */
  failed(message: string, error: unknown): void;
}

/** The last good configuration on disk (mode 0600: it may hold private keys). */
export interface SnapshotFile {
  /** @returns `undefined` when there is none, or none that can be trusted */
  load(): Promise<SavedSnapshot | undefined>;
  /** Returns at once. While one is being written, only the newest of those that follow is kept. */
  save(store: Store, changeId: string): void;
  /** Everything given to {@link save} is on disk, or was reported as failed. */
  settled(): Promise<void>;
}

export function createSnapshotFile(path: string, options: SnapshotFileOptions): SnapshotFile {
  let next: (() => string) | undefined;
  let writing: Promise<void> | undefined;

  async function writeAll(): Promise<void> {
    while (next) {
      const make = next;
      next = undefined;
      try {
        await writeAtomically(path, make());
      } catch (error) {
        options.failed(
          'The snapshot could not be saved; a restart without the control plane would serve an older one',
          error,
        );
      }
    }
    writing = undefined;
  }

  return {
    async load() {
      try {
        const { size } = await stat(path);
        if (size > options.maxBytes)
          throw new Error(`it has ${size} bytes, more than maxSnapshotBytes = ${options.maxBytes}`);
        return parse(await readFile(path, 'utf8'), options.nodeId);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
          options.failed('The saved snapshot is not used', error);
        return undefined;
      }
    },
    save(store, changeId) {
      next = () => format(store, changeId, options.nodeId, options.epochMs());
      writing ??= writeAll();
    },
    settled: () => writing ?? Promise.resolve(),
  };
}

/** Whole or not at all: a new file, flushed, put in the place of the old one. */
async function writeAtomically(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.new`;
  try {
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

function format(store: Store, changeId: string, nodeId: string, savedAtMs: number): string {
  const resources = Object.fromEntries(
    SAVED_KINDS.map((kind) => [
      kind,
      [...(store[kind] as ReadonlyMap<string, Held>).values()].filter(isSaved),
    ]),
  );
  const payload = JSON.stringify({ translation: TRANSLATION, nodeId, savedAtMs, changeId, resources });
  return `${JSON.stringify({ format: FORMAT, sha256: sha256(payload) })}\n${payload}\n`;
}

/** Secrets are not kept on disk, nor filters' configs, nor what cannot be made without them. */
const SAVED_KINDS = KINDS.filter((kind) => !isPart(kind));

function isSaved({ fixed, fill }: Held): boolean {
  return fixed !== true && fill === undefined;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** @throws Error that says why the text is not used */
function parse(text: string, nodeId: string): SavedSnapshot {
  const [head = '', payload = ''] = text.split('\n', 2);
  const header = JSON.parse(head) as { format?: unknown; sha256?: unknown };
  if (header.format !== FORMAT)
    throw new Error(`its format is ${String(header.format)}, this version reads ${FORMAT}`);
  if (header.sha256 !== sha256(payload))
    throw new Error('its checksum is wrong: it was damaged or changed by hand');
  const saved = JSON.parse(payload) as {
    translation: number;
    nodeId: string;
    savedAtMs: number;
    changeId: string;
    resources: Record<keyof Store, Held[]>;
  };
  if (saved.nodeId !== nodeId) throw new Error(`it is of node "${saved.nodeId}", this is "${nodeId}"`);
  const current = saved.translation === TRANSLATION;
  const store: DraftStore = emptyStore();
  for (const kind of SAVED_KINDS) {
    const target = store[kind] as Map<string, Held>;
    for (const { version, resource, needs } of saved.resources[kind] ?? [])
      target.set(resource.name, {
        version: current ? version : `~${version}`,
        resource,
        ...(needs && { needs }),
      });
  }
  return { changeId: saved.changeId, savedAtMs: saved.savedAtMs, store };
}
