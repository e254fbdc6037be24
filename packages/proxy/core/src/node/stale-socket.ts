import { lstat, unlink } from 'node:fs/promises';
import { connect } from 'node:net';

/**
 * Removes a socket file that nobody listens on: left over from a process that was killed. Anything else stays, and
 * listening there fails by itself: a file that is no socket, and a socket at which somebody answers.
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  // Connecting to an ordinary file is refused too, so that alone says nothing.
  if (found === undefined || !found.isSocket()) return;
  const stale = await new Promise<boolean>((resolve) => {
    const probe = connect({ path });
    probe.once('connect', () => {
      probe.destroy();
      resolve(false);
    });
    probe.once('error', (error) => resolve('code' in error && error.code === 'ECONNREFUSED'));
  });
  if (stale) await unlink(path).catch(() => {});
}
