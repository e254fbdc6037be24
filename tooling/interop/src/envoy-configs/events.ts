import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../until.ts';

/** Files that the configuration `event-logs` has, and what of each is waited for. */
const EJECTIONS = 'ejections.log';
const HEALTH = 'health.log';
/** A rule that is not enforced, one that is, and the return. */
const EJECTION_LINES = 3;
/** Of the endpoint that answers well every third time: it begins anew after so many. */
const CHECKS = 9;
/** Of the one at which nobody listens. */
const FAILED_CHECKS = 3;

/** What is never the same twice. */
const OWN = /("timestamp":)"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"|("secs_since_last_action":)"[12]"/g;

/** Nothing of an earlier run is left. */
export function forgetEvents(directory: string): void {
  for (const file of [EJECTIONS, HEALTH]) rmSync(join(directory, file), { force: true });
}

/** Lines of both files, character by character but for times and ports; of health those of each endpoint behind each other. */
export async function readEvents(directory: string, ports: ReadonlyMap<number, number>): Promise<string[]> {
  const read = (file: string): string[] => {
    let text = readFileSync(join(directory, file), 'utf8');
    for (const [named, real] of ports) text = text.replaceAll(String(real), String(named));
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => line.replaceAll(OWN, '$1$2'));
  };
  return until('all that happens is in the files', async () => {
    const ejections = read(EJECTIONS);
    const health = read(HEALTH);
    const of = (port: number): string[] => health.filter((line) => line.includes(`"port_value":${port},`));
    const [flaky, nobody] = [of(9002), of(9009)];
    if (ejections.length < EJECTION_LINES || flaky.length < CHECKS || nobody.length < FAILED_CHECKS)
      throw new Error(`there are ${ejections.length}, ${flaky.length} and ${nobody.length} lines`);
    return Promise.resolve([
      ...ejections.slice(0, EJECTION_LINES),
      ...flaky.slice(0, CHECKS),
      ...nobody.slice(0, FAILED_CHECKS),
    ]);
  });
}
