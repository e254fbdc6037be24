import { chmodSync } from 'node:fs';
import type { Server } from 'node:net';
import { isMainThread } from 'node:worker_threads';
import { removeStaleSocket } from '@tulle/unix-socket';

/** Longest path of a Unix socket (sockaddr_un, unix(7): 108 bytes with the end). */
const MAX_PATH_BYTES = 107;

/**
 * Has a server listen on a Unix socket that only this user can connect to (mode 0600 from the first moment).
 * @throws Error when the path is too long, somebody listens there, or something else stands there
 */
export async function listenPrivately(server: Server, path: string): Promise<void> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES)
    throw new Error(
      `${path} is longer than the ${MAX_PATH_BYTES} bytes that a Unix socket's path may have; choose a shorter one`,
    );
  await removeStaleSocket(path);
  // Other threads cannot set it; there the directory, which is private, has to do until the mode is set.
  const umask = isMainThread ? process.umask(0o177) : undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, () => {
        server.off('error', reject);
        resolve();
      });
      // The socket is bound by now.
      if (umask !== undefined) process.umask(umask);
    });
  } finally {
    if (umask !== undefined) process.umask(umask);
  }
  chmodSync(path, 0o600);
}
