import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startChild, type Child } from './child.ts';
import { endTree } from './process-tree.ts';

/** The directory of the demo: commands are run here, so that files have short names. */
export const demoDirectory: string = fileURLToPath(new URL('../', import.meta.url));
export const servicesDirectory: string = fileURLToPath(new URL('../services/', import.meta.url));
export const tulleCommand: string = fileURLToPath(new URL('../bin/tulle.mjs', import.meta.resolve('tulle')));

/** What a command did. */
export interface TulleResult {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** The command `tulle` on a mesh of the demo's own: nothing of it touches another mesh of this user. */
export interface Tulle {
  /** By which `tulle` finds the mesh. */
  readonly stateDir: string;
  /** Where its proxies write their access logs. */
  readonly logDir: string;
  readonly env: Readonly<Record<string, string>>;
  /** Runs a command to its end. */
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<TulleResult>;
  /** The same, where anything but success is an error. @throws Error with what it said */
  must(...args: readonly string[]): Promise<TulleResult>;
  /** Starts one that goes on. */
  start(name: string, args: readonly string[], env?: Readonly<Record<string, string>>): Child;
  /** A directory of its own for a workload that must not have an identity yet. */
  strangerDirectory(name: string): Promise<string>;
  /** Ends the commands that still run, with all that they started. */
  endCommands(): Promise<void>;
  /** Removes what the mesh kept. */
  remove(): Promise<void>;
}

export async function tulleInOwnMesh(): Promise<Tulle> {
  // Short: the path of a Unix socket is limited to 107 bytes.
  const root = await mkdtemp(join(tmpdir(), 'tulle-demo-'));
  const stateDir = join(root, 'state');
  const logDir = join(root, 'logs');
  await mkdir(stateDir, { mode: 0o700 });
  await mkdir(logDir, { mode: 0o700 });
  const env = { TULLE_STATE_DIR: stateDir, TULLE_RUN_DIR: join(root, 'run') };
  // Names in the user's shell would lead to another mesh.
  const cleared = Object.fromEntries(
    Object.keys(process.env)
      .filter((name) => name.startsWith('TULLE_'))
      .map((name) => [name, '']),
  );
  const own = { ...cleared, ...env };
  const commands = new Set<ChildProcess>();
  const run: Tulle['run'] = async (args, more = {}) =>
    new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [tulleCommand, ...args], {
        cwd: demoDirectory,
        env: { ...process.env, ...own, ...more, NO_COLOR: '1' },
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
      });
      commands.add(child);
      let [out, err] = ['', ''];
      child.stdout.setEncoding('utf8').on('data', (piece: string) => (out += piece));
      child.stderr.setEncoding('utf8').on('data', (piece: string) => (err += piece));
      child.on('error', reject);
      child.on('close', (code) => {
        commands.delete(child);
        resolve({ code, out, err });
      });
    });
  return {
    stateDir,
    logDir,
    env,
    run,
    async must(...args) {
      const result = await run(args);
      if (result.code === 0) return result;
      throw new Error(
        `tulle ${args.join(' ')} ended with code ${String(result.code)}:\n${result.out}${result.err}`,
      );
    },
    start: (name, args, more = {}) =>
      startChild({
        name,
        command: [process.execPath, tulleCommand, ...args],
        env: { ...own, ...more, NO_COLOR: '1' },
        cwd: demoDirectory,
      }),
    async strangerDirectory(name) {
      const directory = join(root, name);
      await mkdir(directory, { mode: 0o700, recursive: true });
      return directory;
    },
    async endCommands() {
      await Promise.all(
        [...commands].map(async (child) => {
          const ended = once(child, 'close');
          endTree(child.pid ?? 0);
          await ended;
        }),
      );
    },
    remove: async () => rm(root, { recursive: true, force: true }),
  };
}
