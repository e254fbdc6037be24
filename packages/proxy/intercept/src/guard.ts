import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { HeldRules, HoldOptions } from './rule-holder.ts';

/** What the guard is told on its standard input, in the first line. */
export interface GuardOrder {
  readonly table: string;
  readonly commands: string;
  readonly options: HoldOptions;
  /** Directory of the cgroup whose processes are captured. */
  readonly cgroup: string;
}

/** What the guard answers in one line. */
export type GuardAnswer = { readonly pid: number } | { readonly error: string };

/** The second line that it may be told: take the rules away. Without it, the end of the input means that the proxy is dead. */
export const RELEASE = 'release';

/**
 * Puts rules into force that outlive this process as long as the cgroup has processes: a process of its own holds them. When
 * the proxy is killed, what is captured is led to where nobody listens, so it fails closed; when the last process of the
 * cgroup has ended, or the guard is told to end (SIGTERM), the rules go.
 * @param commands of `captureCommands` for this table
 * @param cgroup directory of the cgroup
 * @throws Error with what nft says; nothing is in force then
 */
export async function holdRulesFor(
  cgroup: string,
  table: string,
  commands: string,
  options: HoldOptions = {},
): Promise<HeldRules> {
  const program = fileURLToPath(import.meta.resolve('@tulle/intercept/guard-main'));
  // Its own session: a signal for the terminal's foreground is none for it.
  const child = spawn(process.execPath, ['--max-semi-space-size=1', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  child.stdin.on('error', () => {}); // it ended
  child.stdin.write(`${JSON.stringify({ table, commands, options, cgroup } satisfies GuardOrder)}\n`);
  const answer = await new Promise<GuardAnswer>((resolve) => {
    createInterface({ input: child.stdout }).once('line', (line) => resolve(JSON.parse(line) as GuardAnswer));
    child.once('error', (error) => resolve({ error: error.message }));
    child.once('close', (code) => resolve({ error: `the guard of the rules ended with ${code}` }));
  });
  if ('error' in answer) throw new Error(answer.error);
  return {
    table,
    pid: answer.pid,
    ended,
    release: async () => {
      child.stdin.end(`${RELEASE}\n`);
      await ended;
    },
  };
}
