import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A directory that this process alone uses. */
export interface DirectoryLock {
  release(): void;
}

/** Somebody else has the directory. */
export class DirectoryInUseError extends Error {
  readonly code = 'TULLE_DIRECTORY_IN_USE';
  readonly directory: string;
  /** Of the process that has it; undefined where it could not leave its number. */
  readonly pid: number | undefined;

  constructor(directory: string, pid: number | undefined, options?: ErrorOptions) {
    super(
      `${directory} is in use by ${pid === undefined ? 'another process' : `process ${pid}`}; stop that process, or give this one a directory of its own`,
      options,
    );
    this.name = 'DirectoryInUseError';
    this.directory = directory;
    this.pid = pid;
  }
}

/**
 * Takes a directory for this process. The lock is the operating system's (SQLite's on a file of its own), so it ends with
 * the process that holds it, however that ends: there is no stale lock to judge.
 * @param directory must exist
 * @throws {DirectoryInUseError} naming the process that holds it
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const file = join(directory, '.lock');
  const holder = join(directory, '.lock-holder');
  makeOnce(file);
  const { DatabaseSync } = await import('node:sqlite');
  const database = new DatabaseSync(file);
  try {
    database.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (!(error instanceof Error) || !('errcode' in error) || error.errcode !== busy) throw error;
    throw new DirectoryInUseError(directory, holderOf(holder), { cause: error });
  }
  try {
    writeFileSync(holder, `${process.pid}\n`, { mode: 0o600 });
  } catch {
    // A full disk. The lock holds all the same, and whoever meets it is told of "another process".
  }
  return { release: () => database.close() };
}

/** Never opens a file that is there: to close it again would end this process's own lock on it (fcntl(2), POSIX locks). */
function makeOnce(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600));
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'EEXIST') throw error;
  }
}

/** SQLITE_BUSY: somebody else holds the lock. */
const busy = 5;

function holderOf(file: string): number | undefined {
  try {
    const pid = readFileSync(file, 'utf8').trim();
    return /^\d+$/.test(pid) ? Number(pid) : undefined;
  } catch {
    return undefined;
  }
}
