import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { fileState } from '../src/index.ts';
import { resourcesOf } from './generations.ts';

/** The long form is for `pnpm test:nightly`. */
const KILLS = process.env['TULLE_NIGHTLY'] === '1' ? 30 : 6;
/** Time for some ten applies; most of an apply is the writing of its state. */
const LATEST_KILL_MS = 250;

const directory = mkdtempSync(join(tmpdir(), 'tulle-kill-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** Runs the process until `delayMs` after it began to apply. */
async function killAfter(delayMs: number): Promise<{ found: number; applied: number }> {
  const main = fileURLToPath(new URL('applying-process.ts', import.meta.url));
  const child = spawn(process.execPath, [main, join(directory, 'resources')], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  let timer: NodeJS.Timeout | undefined;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    timer ??= setTimeout(() => child.kill('SIGKILL'), delayMs);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const signal = await new Promise((resolve) => child.on('close', (_, how) => resolve(how)));
  clearTimeout(timer);
  expect({ signal, err }).toEqual({ signal: 'SIGKILL', err: '' });
  const found = Number(/^found (\d+)\n/.exec(out)?.[1]);
  const applied = [...out.matchAll(/^applied (\d+)\n/gm)].map(([, generation]) => Number(generation));
  return { found, applied: applied.at(-1) ?? found };
}

it(`after each of ${KILLS} kills while it applies, the state is the last one applied or the one under way, whole`, async () => {
  let last = 0;
  let underWay = 0;
  let halfWritten = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const { found, applied } = await killAfter(((kill % 6) + Math.random()) * (LATEST_KILL_MS / 6));
    expect([last, last + 1], `after kill ${kill}`).toContain(found);
    if (found === last + 1) underWay++;
    if (existsSync(join(directory, 'resources.new'))) halfWritten++;
    last = applied;
  }
  console.info(
    `${KILLS} kills over ${last} applies: ${halfWritten} left a half-written file beside the state, ${underWay} had saved what they had not answered yet`,
  );
  expect(last).toBeGreaterThan(KILLS / 2); // on a slow machine some kill comes before the first apply
}, 120_000);

it('a half-written file beside the state is passed over, and replaced by the next apply', () => {
  const path = join(directory, 'other');
  const [first, second] = [resourcesOf(1), resourcesOf(2)];
  fileState(path).save({ resources: first, workloads: [] });
  const whole = readFileSync(path, 'utf8');
  for (const length of [0, 1, 64, 65, 1000, whole.length - 1]) {
    writeFileSync(`${path}.new`, whole.slice(0, length));
    expect(fileState(path).load().resources).toEqual(first);
  }
  fileState(path).save({ resources: second, workloads: [] });
  expect(fileState(path).load().resources).toEqual(second);
  expect(existsSync(`${path}.new`)).toBe(false);
});
