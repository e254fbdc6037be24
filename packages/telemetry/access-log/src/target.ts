import { close, open, write } from 'node:fs';
import { promisify } from 'node:util';

const openFile = promisify(open);
const closeFile = promisify(close);

/** Where lines go: a standard stream of the process, an open descriptor, or a file that is appended to. */
export type AccessLogTarget = 'stdout' | 'stderr' | { readonly fd: number } | { readonly file: string };

/** A place that takes whole batches, one at a time. */
export interface Target {
  /** Makes sure that it can be written to; without it that shows with the first write. @throws the system's error */
  open(): Promise<void>;
  /** Resolves once every byte was taken. @throws the system's error */
  write(bytes: Buffer): Promise<void>;
  /** Opens a file anew under its name (after a rotation renamed it); does nothing for the others. */
  reopen(): Promise<void>;
  close(): Promise<void>;
}

/** Owner may write, group may read, others nothing: paths and addresses are personal data. */
const FILE_MODE = 0o640;
/** A descriptor of a full pipe that somebody made non-blocking is asked again after so long. */
const FULL_PIPE_RETRY_MS = 20;

/** Makes a target; a file is opened with the first write. */
export function openTarget(target: AccessLogTarget): Target {
  if (target === 'stdout' || target === 'stderr') return streamTarget(target);
  return 'fd' in target ? fdTarget(target.fd) : fileTarget(target.file);
}

// Not descriptor 1 or 2 by `fs.write`: Node may have made it non-blocking, and its stream knows how to wait.
function streamTarget(name: 'stdout' | 'stderr'): Target {
  return {
    open: async () => {},
    write: async (bytes) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      process[name].write(bytes, (error) => (error == null ? resolve() : reject(error)));
      return promise;
    },
    reopen: async () => {},
    close: async () => {},
  };
}

function fdTarget(fd: number): Target {
  const nothing = async (): Promise<void> => {};
  return { open: nothing, write: async (bytes) => writeWhole(fd, bytes), reopen: nothing, close: nothing };
}

function fileTarget(file: string): Target {
  let current: number | undefined;
  return {
    async open() {
      current ??= await openFile(file, 'a', FILE_MODE);
    },
    async write(bytes) {
      current ??= await openFile(file, 'a', FILE_MODE);
      await writeWhole(current, bytes);
    },
    async reopen() {
      const old = current;
      current = await openFile(file, 'a', FILE_MODE);
      if (old !== undefined) await closeFile(old);
    },
    async close() {
      const old = current;
      current = undefined;
      if (old !== undefined) await closeFile(old);
    },
  };
}

async function writeWhole(fd: number, bytes: Buffer): Promise<void> {
  let at = 0;
  while (at < bytes.length) {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    write(fd, bytes, at, bytes.length - at, null, (error, written) => {
      if (error === null) resolve(written);
      else if (error.code === 'EAGAIN') setTimeout(resolve, FULL_PIPE_RETRY_MS, 0);
      else reject(error);
    });
    at += await promise;
  }
}
