import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { run } from './run.ts';

/** The oldest Node that the packages promise to run on (`engines`). */
const OLDEST: readonly [number, number] = [22, 18];

/**
 * The Node that a user of this machine has: the first on PATH that is not the workspace's own. Where there is none, or it is too old, the
 * workspace's.
 */
export async function plainNode(
  root: string,
): Promise<{ readonly command: string; readonly version: string }> {
  const directories = (process.env['PATH'] ?? '').split(delimiter).filter((one) => !one.startsWith(root));
  const found = directories.map((one) => join(one, 'node')).find((file) => existsSync(file));
  for (const command of [...(found === undefined ? [] : [found]), process.execPath]) {
    const version = (await run(command, ['-p', 'process.versions.node'], '/')).trim();
    const [major = 0, minor = 0] = version.split('.').map(Number);
    if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return { command, version };
  }
  throw new Error(`no Node ${OLDEST.join('.')} or later here`);
}
