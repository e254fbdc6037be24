import { readFileSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { until } from '../until.ts';

/** File that the configuration `tcp-log-moments` has its log in. */
const MOMENTS = 'moments.log';

/** Nothing of an earlier run is left. */
export function forgetMoments(directory: string): void {
  rmSync(join(directory, MOMENTS), { force: true });
}

/** The lines of one connection that goes on for a while, those of one kind behind each other taken for one. */
export async function momentsOf(directory: string, port: number): Promise<string[]> {
  const file = join(directory, MOMENTS);
  const linesWith = async (what: string): Promise<string[]> =>
    until(`${what} is in the log`, async () => {
      const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
      if (!lines.some((line) => line.startsWith(what))) throw new Error(`it has ${lines.join(', ')}`);
      return Promise.resolve(lines);
    });
  const caller = connect(port, '127.0.0.1');
  await once(caller, 'connect');
  await linesWith('TcpPeriodic');
  caller.destroy();
  const lines = await linesWith('TcpConnectionEnd');
  return lines.filter((line, at) => line !== lines[at - 1]);
}
