import { lstatSync, rmSync } from 'node:fs';
import { connect } from 'node:net';

/**
 * What stands at the path of a Unix socket.
 * - `absent`: nothing, or it went away meanwhile.
 * - `stale`: a socket that nobody listens on; connecting to it is refused (ECONNREFUSED).
 * - `served`: a socket that somebody listens on.
 * - `other`: something that is no socket.
 * - anything else: a socket of which one cannot tell, as the system's error code, e.g. `EAGAIN` of an owner that is too busy to
 *   accept (Linux), `EACCES` where one may not connect.
 */
export type SocketState = 'absent' | 'stale' | 'served' | 'other' | (string & {});

/** Looks at what stands at `path`, by connecting to it. */
export async function socketState(path: string): Promise<SocketState> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return 'absent';
  // Connecting to an ordinary file is refused too, so that alone says nothing.
  if (!found.isSocket()) return 'other';
  const refusal = await new Promise<string>((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve('served');
    }).on('error', (error) => resolve('code' in error ? String(error.code) : error.message));
  });
  if (refusal === 'ENOENT') return 'absent';
  return refusal === 'ECONNREFUSED' ? 'stale' : refusal;
}

/**
 * Removes the socket that a killed process left at `path`, so that one can listen there.
 * @throws Error when somebody listens there, when one cannot tell, or when it is no socket; what stands there stays
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const state = await socketState(path);
  if (state === 'other')
    throw new Error(`${path} exists and is no socket; move it away, or choose another path`);
  if (state === 'served')
    throw new Error(`another process listens on ${path}; stop it, or choose another path`);
  if (state !== 'stale' && state !== 'absent')
    throw new Error(
      `cannot tell whether another process listens on ${path} (${state}); remove it if none does, or choose another path`,
    );
  rmSync(path, { force: true });
}
