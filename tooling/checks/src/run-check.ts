import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Check } from './checks.ts';
import { type Tally, parseClosingLine, resultOf } from './tally.ts';

/** A line that names what failed: of the test run (`failed: `), or of a suite that lists its cases (`× `). */
const FAILURE = /^failed: |^\s*× /;
/** After a check ends, what it started has this long to end too. */
const ORPHAN_GRACE_MS = 5_000;
/**
 * What is stopped has this long to take down what is no process of its own, as network namespaces are: longer than
 * `@tulle/processes` waits for a program that it stops (10 s).
 */
const STOP_GRACE_MS = 15_000;
/** What ends this process. */
const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs a check, showing what it prints. Its own closing line is read and held back, so that a run of many checks ends
 * with one; lines that name a failure are also handed to `onFailure`. A check that takes too long, or leaves processes behind that
 * hold its output, fails and is stopped with all that it started: by SIGTERM, and what is still there after `stopGraceMs` by SIGKILL.
 * So it is where this process is to end, which it then does; when it is told so again, at once.
 */
export async function runCheck(
  check: Check,
  cwd: string,
  onFailure: (line: string) => void,
  stopGraceMs: number = STOP_GRACE_MS,
): Promise<Tally> {
  const [command = '', ...args] = check.command;
  // A process group of its own, so that a signal reaches the grandchildren too.
  const child = spawn(command, args, { cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const signal = (name: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name);
    } catch {
      // The group has ended.
    }
  };
  let fault: string | undefined;
  let killing: NodeJS.Timeout | undefined;
  const stop = (why: string): void => {
    fault ??= why;
    if (killing !== undefined) return;
    signal('SIGTERM');
    killing = setTimeout(() => signal('SIGKILL'), stopGraceMs);
  };
  let isInterrupted = false;
  const interrupt = (): void => {
    if (isInterrupted) {
      signal('SIGKILL');
      process.exit(130);
    }
    isInterrupted = true;
    stop('interrupted');
  };
  for (const name of ENDING) process.on(name, interrupt);
  const limit = setTimeout(
    () => stop(`stopped after ${check.timeoutMinutes} minutes`),
    check.timeoutMinutes * 60_000,
  );

  let stated: Tally | undefined;
  const show = async (from: Readable, to: NodeJS.WriteStream): Promise<void> => {
    for await (const line of createInterface({ input: from, crlfDelay: Infinity })) {
      const tally = parseClosingLine(line);
      if (tally) stated = tally;
      else {
        to.write(`${line}\n`);
        if (FAILURE.test(line)) onFailure(line.trim());
      }
    }
  };
  const shown = Promise.all([show(child.stdout, process.stdout), show(child.stderr, process.stderr)]);
  try {
    const [code] = (await once(child, 'exit')) as [number | null];
    const quiet = await Promise.race([shown, sleep(ORPHAN_GRACE_MS, undefined, { ref: false })]);
    if (!quiet) {
      stop('left processes behind');
      await shown;
    }
    if (fault) {
      console.log(`${check.name}: ${fault}`);
      onFailure(fault);
    }
    return resultOf(code === 0 && !fault, stated);
  } catch (error) {
    console.error(`${check.name}: ${command} did not start: ${(error as Error).message}`);
    return resultOf(false, undefined);
  } finally {
    clearTimeout(limit);
    clearTimeout(killing);
    // Nobody of a group that was stopped holds its output any more.
    if (fault) signal('SIGKILL');
    for (const name of ENDING) process.off(name, interrupt);
    if (isInterrupted) process.exit(130);
  }
}
