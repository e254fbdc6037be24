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
 * Runs a check, showing what it prints. Its own closing line is read and held back, so that a run of many checks ends
 * with one; lines that name a failure are also handed to `onFailure`. A check that takes too long, or leaves processes behind that hold its output, fails and is killed with all
 * that it started.
 */
export async function runCheck(check: Check, cwd: string, onFailure: (line: string) => void): Promise<Tally> {
  const [command = '', ...args] = check.command;
  // A process group of its own, so that a kill reaches the grandchildren too.
  const child = spawn(command, args, { cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const kill = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // The group has ended.
    }
  };
  const interrupt = (): void => {
    kill();
    process.exit(130);
  };
  process.once('SIGINT', interrupt);
  let fault: string | undefined;
  const limit = setTimeout(() => {
    fault = `stopped after ${check.timeoutMinutes} minutes`;
    kill();
  }, check.timeoutMinutes * 60_000);

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
      fault ??= 'left processes behind';
      kill();
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
    process.off('SIGINT', interrupt);
  }
}
