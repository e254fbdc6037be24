import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Address } from '@tulle/model';

/** What an agent that runs says of itself, for `tulle agent status` on the same machine. */
export interface RunningAgent {
  readonly name: string;
  readonly namespace: string;
  readonly pid: number;
  readonly admin: Address;
}

const FILE = 'agent.json';

export async function announceAgent(runDir: string, agent: RunningAgent): Promise<void> {
  const path = join(runDir, FILE);
  await writeFile(`${path}.new`, `${JSON.stringify(agent, null, 2)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

export async function withdrawAgent(runDir: string): Promise<void> {
  await rm(join(runDir, FILE), { force: true });
}

/** The agents that this user runs on this machine. @param run directory of everything that runs */
export async function runningAgents(run: string): Promise<readonly RunningAgent[]> {
  const directories = await readdir(run).catch(() => [] as string[]);
  const found = await Promise.all(
    directories.toSorted().map(async (directory) => {
      try {
        return JSON.parse(await readFile(join(run, directory, FILE), 'utf8')) as RunningAgent;
      } catch {
        return undefined; // no agent runs there
      }
    }),
  );
  return found.filter((agent) => agent !== undefined);
}
