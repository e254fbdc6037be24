import { readFileSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { until } from '../until.ts';

/** File that the configurations `tcp-log-moments` and `http-log-moments` have their logs in. */
const MOMENTS = 'moments.log';

/** Nothing of an earlier run is left. */
export function forgetMoments(directory: string): void {
  rmSync(join(directory, MOMENTS), { force: true });
}

/** Waits for a line that begins so. @returns all lines */
async function linesWith(directory: string, what: string): Promise<string[]> {
  return until(`${what} is in the log`, async () => {
    const lines = readFileSync(join(directory, MOMENTS), 'utf8').split('\n').filter(Boolean);
    if (!lines.some((line) => line.startsWith(what))) throw new Error(`it has ${lines.join(', ')}`);
    return Promise.resolve(lines);
  });
}

const withoutRepeats = (lines: readonly string[]): string[] =>
  lines.filter((line, at) => line !== lines[at - 1]);

/** The lines of one connection that goes on for a while, those of one kind behind each other taken for one. */
export async function momentsOf(directory: string, port: number): Promise<string[]> {
  const caller = connect(port, '127.0.0.1');
  await once(caller, 'connect');
  await linesWith(directory, 'TcpPeriodic');
  caller.destroy();
  return withoutRepeats(await linesWith(directory, 'TcpConnectionEnd'));
}

/** Likewise of one request that waits. */
export async function momentsOfRequest(directory: string, port: number): Promise<string[]> {
  await fetch(`http://127.0.0.1:${port}/slow`);
  return withoutRepeats(await linesWith(directory, 'DownstreamEnd'));
}
