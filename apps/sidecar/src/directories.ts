import { lstatSync, mkdirSync } from 'node:fs';
import { homedir, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

/** Where one user's Tulle keeps things. */
export interface TulleDirectories {
  /** Survives a reboot: identities, saved snapshots, the control plane's address. */
  readonly state: string;
  /** Does not: sockets, and what runs. Short, because a socket's path is limited to 107 bytes. */
  readonly run: string;
}

/**
 * `TULLE_STATE_DIR` and `TULLE_RUN_DIR`, else the XDG directories, else `~/.local/state/tulle` and `tulle-<uid>` in the
 * temporary directory.
 */
export function tulleDirectories(
  env: Readonly<Record<string, string | undefined>> = process.env,
): TulleDirectories {
  const given = (name: string): string | undefined =>
    env[name] === undefined || env[name] === '' ? undefined : env[name];
  const xdgState = given('XDG_STATE_HOME');
  const xdgRun = given('XDG_RUNTIME_DIR');
  return {
    state:
      given('TULLE_STATE_DIR') ??
      (xdgState === undefined ? join(homedir(), '.local', 'state', 'tulle') : join(xdgState, 'tulle')),
    run:
      given('TULLE_RUN_DIR') ??
      (xdgRun === undefined ? join(tmpdir(), `tulle-${userInfo().uid}`) : join(xdgRun, 'tulle')),
  };
}

/**
 * Makes a directory that only this user can enter.
 * @throws Error when it is there and somebody else could have made it or can enter it
 */
export function makePrivateDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const found = lstatSync(path);
  if (!found.isDirectory())
    throw new Error(`${path} is no directory; remove it or set TULLE_RUN_DIR and TULLE_STATE_DIR`);
  if (found.uid !== userInfo().uid)
    throw new Error(
      `${path} belongs to user ${found.uid}; set TULLE_RUN_DIR and TULLE_STATE_DIR to directories of your own`,
    );
  if ((found.mode & 0o022) !== 0)
    throw new Error(
      `${path} may be written by others (mode ${(found.mode & 0o777).toString(8)}); chmod 700 it`,
    );
}
