import { execFile, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Observed } from './bench-proxy.ts';
import { bundle } from './bundle.ts';
import type { EngineResult } from './engine-run.ts';
import { pinnedFork, stop } from './pinned.ts';
import { checkTraces } from './run-scenario.ts';
import { median, spread } from './stats.ts';
import { TRACE_RATIO } from './subjects/tulle.ts';

/** What a measured engine has on. */
interface Load {
  readonly name: string;
  readonly http2?: boolean;
  readonly mesh: boolean;
  readonly observed?: Omit<Observed, 'collectorPort'>;
}

interface Measured {
  readonly name: string;
  readonly load: Load;
  readonly program: string;
  readonly directory: string;
  readonly results: EngineResult[];
}

const PROGRAM = 'tooling/bench/src/engine-process.ts';
const HERE: string = fileURLToPath(new URL('../../..', import.meta.url));
const REQUESTS = 200_000;

const NOTHING = { metrics: false, accessLog: false, traceRatio: null };
const SETS: readonly Load[] = [
  { name: 'bare', mesh: false },
  { name: 'mesh', mesh: true },
  { name: 'bare http2', mesh: false, http2: true },
  { name: 'mesh http2', mesh: true, http2: true },
];
/** Each part of telemetry alone, then all, on an engine that does nothing else; the first is what they are compared with. */
const OBSERVED: readonly Load[] = [
  { name: 'none', mesh: false, observed: NOTHING },
  { name: 'metrics', mesh: false, observed: { ...NOTHING, metrics: true } },
  { name: 'access log', mesh: false, observed: { ...NOTHING, accessLog: true } },
  { name: 'unsampled', mesh: false, observed: { ...NOTHING, traceRatio: 0 } },
  { name: 'traces 1 %', mesh: false, observed: { ...NOTHING, traceRatio: TRACE_RATIO } },
  { name: 'traces 100 %', mesh: false, observed: { ...NOTHING, traceRatio: 1 } },
  { name: 'all three', mesh: false, observed: { metrics: true, accessLog: true, traceRatio: TRACE_RATIO } },
];

/** What {@link engineCost} found: for people, and the medians. */
export interface EngineCost {
  readonly text: string;
  readonly loads: readonly EngineLoad[];
}

/** Medians of one load. */
export interface EngineLoad {
  readonly subject: string;
  readonly load: string;
  readonly userUs: number;
  readonly bytesPerRequest: number;
}

/**
 * The engine's own cost of a request, over sockets that are plain objects: user time and bytes allocated. It moves by a
 * few percent where figures with a kernel in them move by tens, so it is what a change of the hot path is judged by.
 * @param loads `sets`: bare and the mesh set; `telemetry`: bare with each part of telemetry
 */
export async function engineCost(
  loads: 'sets' | 'telemetry',
  rounds: number,
  baselineCheckout: string | undefined,
  directory: string,
): Promise<EngineCost> {
  const measured: Measured[] = [];
  for (const [name, checkout] of [
    ['tulle', HERE],
    ['baseline', baselineCheckout],
  ] as const) {
    if (checkout === undefined) continue;
    const source = join(checkout, PROGRAM);
    if (!existsSync(source)) throw new Error(`--baseline ${checkout}: there is no ${PROGRAM} in it`);
    const scratch = join(directory, `engine-${name}`);
    mkdirSync(scratch, { recursive: true });
    const program = await bundle(source, scratch);
    for (const load of loads === 'sets' ? SETS : OBSERVED)
      measured.push({ name, load, program, directory: scratch, results: [] });
  }
  const children: ChildProcess[] = [];
  try {
    const collector = pinnedFork('./collector-process.ts', children);
    const [{ port }] = (await once(collector, 'message')) as [{ port: number }];
    for (let round = 0; round < rounds; round++)
      for (const one of round % 2 === 0 ? measured : measured.toReversed())
        one.results.push(await runOnce(one, port));
    if (loads === 'telemetry') await checkTraces(collector, 'engine');
  } finally {
    await Promise.all(children.map(stop));
  }
  return {
    text: report(measured, rounds),
    loads: measured.map(({ name, load, results }) => ({
      subject: name,
      load: load.name,
      userUs: median(results.map((result) => result.userUs)),
      bytesPerRequest: median(results.map((result) => result.bytesPerRequest)),
    })),
  };
}

function report(measured: readonly Measured[], rounds: number): string {
  const lines = [
    '\nengine without a kernel, HTTP/1.1, 32 connections; HTTP/2, 8 connections of 16 streams',
    row('subject', ['user µs/request', 'spread', '× the first', 'bytes/request']),
  ];
  for (const { name, load, results } of measured) {
    const user = results.map((result) => result.userUs);
    const [least, greatest] = spread(user);
    const first = measured.find((other) => other.name === name) as Measured;
    const ratios = user.map((us, round) => us / (first.results[round] as EngineResult).userUs);
    lines.push(
      row(`${name}/${load.name}`, [
        median(user).toFixed(2),
        `${least.toFixed(2)}–${greatest.toFixed(2)}`,
        median(ratios).toFixed(2),
        median(results.map((result) => result.bytesPerRequest)).toFixed(0),
      ]),
    );
  }
  lines.push(`medians of ${rounds} processes of ${REQUESTS} requests`);
  return `${lines.join('\n')}\n`;
}

async function runOnce({ program, load, directory }: Measured, collectorPort: number): Promise<EngineResult> {
  const accessLogFile = join(directory, 'access.log');
  const setup = {
    mesh: load.mesh,
    ...(load.observed === undefined ? {} : { observed: { ...load.observed, collectorPort } }),
    accessLogFile,
    connections: load.http2 === true ? 8 : 32,
    ...(load.http2 === true ? { http2: true } : {}),
    requests: REQUESTS,
  };
  const result = await engineProcess(program, setup);
  rmSync(accessLogFile, { force: true });
  return result;
}

/** Runs a program of the engine without a kernel on one core. */
export async function engineProcess(program: string, setup: object): Promise<EngineResult> {
  const { stdout } = await promisify(execFile)('taskset', [
    '-c',
    '0',
    process.execPath,
    program,
    JSON.stringify(setup),
  ]);
  return JSON.parse(stdout) as EngineResult;
}

function row(name: string, cells: readonly string[]): string {
  return `  ${name.padEnd(24)}${cells.map((cell) => cell.padStart(18)).join('')}`;
}
