import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach } from 'vitest';
import type { RunningControlPlane } from '@tulle/app-control-plane';
import { startMesh } from './mesh.ts';
import { freePort as anyPort } from '@tulle/testkit/free-port';

const BIN = fileURLToPath(new URL('../bin/tulle.mjs', import.meta.url));

/** A command that ended. */
export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A command that runs. */
export interface Running {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves with what it wrote so far once that matches. */
  said(pattern: RegExp): Promise<RegExpExecArray>;
}

/** The command as a process of its own, beside a mesh of its own for each test. */
export interface TulleBench {
  readonly dir: string;
  readonly mesh: RunningControlPlane;
  start(...args: string[]): Running;
  tulle(...args: string[]): Promise<Ended>;
}

/** Call it in `describe`: its parts are there from the beginning of each test to its end. */
export function tulleBench(): TulleBench {
  let dir = '';
  let mesh: RunningControlPlane | undefined;
  const running: Running[] = [];

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'tl-'));
    mesh = await startMesh(join(dir, 's'));
  });
  afterEach(async () => {
    for (const one of running.splice(0)) {
      one.process.kill('SIGTERM');
      await one.ended;
    }
    await mesh?.close();
    await rm(dir, { recursive: true });
  });

  const start = (...args: string[]): Running => {
    const child = spawn(process.execPath, [BIN, ...args], {
      cwd: dir,
      env: { ...process.env, TULLE_STATE_DIR: join(dir, 's'), TULLE_RUN_DIR: join(dir, 'r'), NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    let err = '';
    const waiting = new Set<() => void>();
    const heard = (): void => waiting.forEach((wake) => wake());
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
      heard();
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
      heard();
    });
    const ended = new Promise<Ended>((resolve) => child.on('close', (code) => resolve({ code, out, err })));
    const one: Running = {
      process: child,
      ended,
      said: async (pattern) =>
        new Promise((resolve, reject) => {
          const look = (): void => {
            const match = pattern.exec(out + err);
            if (match === null) return;
            waiting.delete(look);
            resolve(match);
          };
          waiting.add(look);
          look();
          void ended.then(({ code }) =>
            reject(new Error(`ended with ${String(code)} without saying ${String(pattern)}:\n${out}${err}`)),
          );
        }),
    };
    running.push(one);
    return one;
  };
  return {
    get dir() {
      return dir;
    },
    get mesh() {
      return mesh as RunningControlPlane;
    },
    start,
    tulle: async (...args) => start(...args).ended,
  };
}

/** A port of loopback that nobody listens on, as commands take it. */
export async function freePort(): Promise<string> {
  return String(await anyPort());
}
