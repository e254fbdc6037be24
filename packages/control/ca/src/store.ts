import { randomBytes } from 'node:crypto';
import { link, lstat, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { DirectoryInUseError, lockDirectory } from '@tulle/directory-lock';
import { StoreError } from './errors.ts';

/** Where a CA keeps its keys, its state and its join tokens: small texts by name. Each operation is atomic. */
export interface SecretStore {
  /** The text, or undefined when there is none of that name. */
  read(name: string): Promise<string | undefined>;
  /** Writes the whole text; after the promise resolves it survives a crash. */
  write(name: string, text: string): Promise<void>;
  /** Writes a text of a name that there is none of yet, else false. Of two that try at once, one gets true. */
  create(name: string, text: string): Promise<boolean>;
  remove(name: string): Promise<void>;
  /** All names, in no order. */
  list(): Promise<readonly string[]>;
  /**
   * Takes the store for this process until it is released, or the process ends.
   * @throws {StoreError} when another has it
   */
  lock?(): Promise<{ release(): void }>;
}

/** Keeps everything in memory: for tests, and for a CA whose identities need not outlive the process. */
export function memoryStore(): SecretStore {
  const texts = new Map<string, string>();
  return {
    read: async (name) => texts.get(name),
    write: async (name, text) => void texts.set(name, text),
    async create(name, text) {
      if (texts.has(name)) return false;
      texts.set(name, text);
      return true;
    },
    remove: async (name) => void texts.delete(name),
    list: async () => [...texts.keys()],
  };
}

export interface DirectoryStoreOptions {
  /**
   * `private` (default): the directory must be closed to other users (0700), as keys of a CA need it.
   * `not-writable`: others may look into the directory but not write, for a state directory that is shared with files
   * that are no secret; the files written here are 0600 all the same.
   */
  readonly directory?: 'private' | 'not-writable';
}

const namePattern = /^[a-z0-9][a-z0-9.-]{0,99}$/;
const octal = (mode: number): string => (mode & 0o7777).toString(8).padStart(4, '0');
const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT';

/**
 * Keeps each text in a file of a directory: mode 0600 in 0700, written beside, synced and renamed, so a crash leaves
 * the old text or the new one. Makes the directory when it is missing; looser modes or foreign owners are refused, not
 * repaired, because the keys may have been read already.
 * @throws {StoreError} naming the file, its mode and the command that sets the right one.
 */
export function directoryStore(directory: string, options: DirectoryStoreOptions = {}): SecretStore {
  const root = resolve(directory);
  const forbidden = options.directory === 'not-writable' ? 0o022 : 0o077;
  let ready: Promise<void> | undefined;

  const check = async (path: string, forbiddenBits: number, wanted: string): Promise<void> => {
    const stat = await lstat(path);
    const own = process.getuid?.();
    if (stat.isSymbolicLink())
      throw new StoreError(
        `${path} is a symbolic link; keys are kept in real files only. Give the path it points to.`,
      );
    if ((stat.mode & forbiddenBits) !== 0)
      throw new StoreError(
        `${path} has mode ${octal(stat.mode)}, which lets other users at its keys; make it ${wanted} with: chmod ${wanted} ${path}`,
      );
    if (own !== undefined && stat.uid !== own && own !== 0)
      throw new StoreError(
        `${path} belongs to user ${stat.uid}, this process runs as ${own}; run as its owner, or give it away with: chown ${own} ${path}`,
      );
  };

  const open_ = async (): Promise<void> => {
    await mkdir(root, { recursive: true, mode: 0o700 });
    await check(root, forbidden, options.directory === 'not-writable' ? '0755' : '0700');
    // Left by a process that died while writing. Names with a leading dot are ours only.
    for (const name of await readdir(root))
      if (/^\.[a-z0-9.-]+\.[0-9a-f]{12}\.new$/.test(name)) await rm(join(root, name), { force: true });
  };

  const fileOf = async (name: string): Promise<string> => {
    if (!namePattern.test(name))
      throw new StoreError(`${JSON.stringify(name)} is not a name for a stored text`);
    ready ??= open_();
    await ready.catch((error: unknown) => {
      ready = undefined;
      throw error;
    });
    return join(root, name);
  };

  const syncDirectory = async (): Promise<void> => {
    const handle = await open(root, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  };

  /** Writes the text whole to a file of its own and has `place` put that where it belongs; nothing is left when it fails. */
  const beside = async (
    name: string,
    text: string,
    place: (fresh: string) => Promise<void>,
  ): Promise<void> => {
    const fresh = join(root, `.${name}.${randomBytes(6).toString('hex')}.new`);
    try {
      const handle = await open(fresh, 'wx', 0o600);
      try {
        await handle.writeFile(text);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await place(fresh);
    } catch (error) {
      await rm(fresh, { force: true });
      throw error;
    }
    await syncDirectory();
  };

  return {
    async read(name) {
      const file = await fileOf(name);
      try {
        await check(file, 0o077, '0600');
        const handle = await open(file, 'r');
        try {
          return await handle.readFile('utf8');
        } finally {
          await handle.close();
        }
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    },
    async write(name, text) {
      const file = await fileOf(name);
      await beside(name, text, (fresh) => rename(fresh, file));
    },
    async create(name, text) {
      const file = await fileOf(name);
      try {
        await beside(name, text, async (fresh) => {
          await link(fresh, file);
          await rm(fresh);
        });
        return true;
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
        throw error;
      }
    },
    async remove(name) {
      await rm(await fileOf(name), { force: true });
    },
    async list() {
      await fileOf('x');
      return (await readdir(root)).filter((name) => namePattern.test(name));
    },
    async lock() {
      await fileOf('x');
      return lockDirectory(root).catch((error: unknown) => {
        throw error instanceof DirectoryInUseError ? new StoreError(error.message, { cause: error }) : error;
      });
    },
  };
}
