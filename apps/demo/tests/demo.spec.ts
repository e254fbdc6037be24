import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { endTree, processTree } from '../src/process-tree.ts';
import { alive } from './alive.ts';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

interface Demo {
  readonly process: ChildProcess;
  readonly ended: Promise<number | null>;
  said(pattern: RegExp): Promise<RegExpExecArray>;
}

describe('npm run demo', () => {
  const running: Demo[] = [];
  afterEach(() => {
    for (const { process: child } of running.splice(0)) endTree(child.pid ?? 0);
  });

  function start(...args: string[]): Demo {
    const child = spawn(process.execPath, [MAIN, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1' },
    });
    let text = '';
    const waiting = new Set<() => void>();
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
        for (const wake of waiting) wake();
      });
    const ended = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)));
    const demo: Demo = {
      process: child,
      ended,
      said: async (pattern) =>
        new Promise((resolve, reject) => {
          const look = (): void => {
            const match = pattern.exec(text);
            if (match !== null) resolve(match);
          };
          waiting.add(look);
          look();
          void ended.then((code) =>
            reject(new Error(`ended with ${String(code)} before ${String(pattern)}:\n${text}`)),
          );
        }),
    };
    running.push(demo);
    return demo;
  }

  it('opens the shop, prints where, and on Ctrl-C every process is gone, and what they kept', async () => {
    const demo = start();
    const [, url = ''] = await demo.said(/The shop is open: (http:\/\/127\.0\.0\.1:\d+\/)/);
    const [, state = ''] = await demo.said(/TULLE_STATE_DIR=(\S+)/);
    await demo.said(/Ctrl-C stops everything/);
    const page = await (await fetch(url)).text();
    expect(page).toMatch(/Tulle, silk[^]*reviews v1/); // a part of each service
    expect(existsSync(state)).toBe(true);
    const pids = processTree(demo.process.pid as number);
    // The demo, a control plane, a collector, and for each of four: tulle run, its engine, the program.
    expect(pids.length).toBe(1 + 1 + 1 + 4 * 3);
    demo.process.kill('SIGINT');
    expect(await demo.ended).toBe(0);
    expect(alive(pids)).toEqual([]);
    expect(existsSync(state)).toBe(false);
  }, 180_000);

  it('gives up the start on Ctrl-C, with every process that it has started', async () => {
    const demo = start();
    await demo.said(/the control plane \(/);
    const pid = demo.process.pid as number;
    await expect.poll(() => processTree(pid).length, { timeout: 60_000 }).toBeGreaterThan(4);
    const pids = processTree(pid);
    demo.process.kill('SIGINT');
    expect(await demo.ended).toBe(130);
    expect(alive(pids)).toEqual([]);
  }, 180_000);

  it('ends at once when it is asked twice, with every process', async () => {
    const demo = start('--check');
    await demo.said(/1\. Security/);
    const pids = processTree(demo.process.pid as number);
    demo.process.kill('SIGTERM');
    demo.process.kill('SIGTERM');
    expect(await demo.ended).toBe(130);
    await expect.poll(() => alive(pids)).toEqual([]);
  }, 180_000);

  it('names what it does not know', async () => {
    const demo = start('--chek');
    await demo.said(/demo: Unknown option '--chek'[^]*Usage: npm run demo/);
    expect(await demo.ended).toBe(64);
  });
});
