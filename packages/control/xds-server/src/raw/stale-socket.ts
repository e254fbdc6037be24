import { lstatSync, rmSync } from 'node:fs';
import { connect } from 'node:net';

/**
 * Removes a socket that a killed process left behind.
 * @throws Error when somebody listens on it, or when it is no socket
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket())
    throw new Error(`${path} exists and is no socket; move it away, or choose another path`);
  // Only a refusal says that nobody listens: a busy owner's full queue (EAGAIN) or missing rights (EACCES) do not.
  const code = await new Promise<string | undefined>((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(undefined);
    }).on('error', (error) => resolve('code' in error ? String(error.code) : error.message));
  });
  if (code === undefined)
    throw new Error(`another process listens on ${path}; stop it, or choose another path`);
  if (code !== 'ECONNREFUSED' && code !== 'ENOENT')
    throw new Error(
      `cannot tell whether another process listens on ${path} (${code}); remove it if none does, or choose another path`,
    );
  rmSync(path, { force: true });
}
