// The guard of capture rules, a process of its own: see guard.ts, which starts it.
import { readFileSync, watch } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { RELEASE, type GuardAnswer, type GuardOrder } from './guard.ts';
import { holdRules } from './rule-holder.ts';

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const answer = (text: GuardAnswer): void => void process.stdout.write(`${JSON.stringify(text)}\n`);
// Whoever reads the answers may be dead, and its terminal gone.
process.stdout.on('error', () => {});
for (const signal of ['SIGINT', 'SIGHUP', 'SIGQUIT'] as const) process.on(signal, () => {});
const told = new Promise<void>((resolve) => process.once('SIGTERM', () => resolve()));

const { value: first } = await lines.next();
const { table, commands, options, cgroup } = JSON.parse(first as string) as GuardOrder;
try {
  const rules = await holdRules(table, commands, options);
  answer({ pid: rules.pid });
  await Promise.race([told, over(cgroup)]);
  await rules.release();
  process.exit(0); // its input may be open still
} catch (error) {
  answer({ error: (error as Error).message });
  process.exit(1); // as above
}

async function over(directory: string): Promise<void> {
  const { value: second } = await lines.next();
  if (second !== RELEASE) await untilEmpty(directory);
}

/** The kernel changes the file when the last process leaves (cgroups(7), `cgroup.events`). */
async function untilEmpty(directory: string): Promise<void> {
  const file = join(directory, 'cgroup.events');
  const isEmpty = (): boolean => {
    try {
      return /^populated 0$/m.test(readFileSync(file, 'utf8'));
    } catch {
      return true; // it is gone
    }
  };
  if (isEmpty()) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = (): void => {
    if (isEmpty()) resolve();
  };
  const watcher = watch(file, look).on('error', look);
  look(); // it may have changed before it was watched
  await promise;
  watcher.close();
}
