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
  const answered = await new Promise<boolean>((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(true);
    }).on('error', () => resolve(false));
  });
  if (answered) throw new Error(`another process listens on ${path}; stop it, or choose another path`);
  rmSync(path, { force: true });
}
