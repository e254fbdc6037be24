import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from './bundle.ts';
import { median, spread } from './stats.ts';

interface EngineResult {
  readonly userUs: number;
  readonly systemUs: number;
  readonly bytesPerRequest: number;
}

interface Measured {
  readonly name: string;
  readonly mesh: boolean;
  readonly program: string;
  readonly directory: string;
  readonly results: EngineResult[];
}

const PROGRAM = 'tooling/bench/src/engine-process.ts';
const HERE: string = fileURLToPath(new URL('../../..', import.meta.url));
const REQUESTS = 200_000;

/**
 * The engine's own cost of a request, over sockets that are plain objects: user time and bytes allocated. It moves by a
 * few percent where figures with a kernel in them move by tens, so it is what a change of the hot path is judged by.
 */
export async function engineCost(
  rounds: number,
  baselineCheckout: string | undefined,
  directory: string,
): Promise<string> {
  const measured: Measured[] = [];
  for (const [name, checkout] of [
    ['tulle', HERE],
    ['baseline', baselineCheckout],
  ] as const) {
    if (checkout === undefined) continue;
    const source = join(checkout, PROGRAM);
    if (!existsSync(source)) throw new Error(`--baseline ${checkout}: there is no ${PROGRAM} in it`);
    for (const mesh of [false, true]) {
      const scratch = join(directory, `engine-${name}-${mesh ? 'mesh' : 'bare'}`);
      mkdirSync(scratch, { recursive: true });
      const program = await bundle(source, scratch);
      measured.push({ name, mesh, program, directory: scratch, results: [] });
    }
  }
  for (let round = 0; round < rounds; round++)
    for (const one of round % 2 === 0 ? measured : measured.toReversed()) one.results.push(runOnce(one));
  const lines = [
    '\nengine without a kernel, HTTP/1.1, 32 connections',
    row('subject', ['user µs/request', 'spread', 'bytes/request']),
  ];
  for (const { name, mesh, results } of measured) {
    const user = results.map((result) => result.userUs);
    const [least, greatest] = spread(user);
    lines.push(
      row(`${name}/${mesh ? 'mesh' : 'bare'}`, [
        median(user).toFixed(2),
        `${least.toFixed(2)}–${greatest.toFixed(2)}`,
        median(results.map((result) => result.bytesPerRequest)).toFixed(0),
      ]),
    );
  }
  lines.push(`medians of ${rounds} processes of ${REQUESTS} requests`);
  return `${lines.join('\n')}\n`;
}

function runOnce({ program, mesh, directory }: Measured): EngineResult {
  const accessLogFile = join(directory, 'access.log');
  const setup = { mesh, accessLogFile, connections: 32, requests: REQUESTS };
  const output = execFileSync('taskset', ['-c', '0', process.execPath, program, JSON.stringify(setup)], {
    encoding: 'utf8',
  });
  rmSync(accessLogFile, { force: true });
  return JSON.parse(output) as EngineResult;
}

function row(name: string, cells: readonly string[]): string {
  return `  ${name.padEnd(16)}${cells.map((cell) => cell.padStart(18)).join('')}`;
}
