import { readdir, readFile } from 'node:fs/promises';

/** What a process has used. */
export interface ProcessUsage {
  /** Of all its threads, user and system, since its start. */
  readonly cpuSeconds: number;
  /** Resident set: memory in RAM that the system counts to it, shared pages too. */
  readonly residentBytes: number;
}

/** Linux keeps process times in hundredths of a second, on every architecture that Node runs on (USER_HZ, time(7)). */
const TICKS_PER_SECOND = 100;

/** @returns undefined where the system does not tell (it is not Linux), or the process is gone */
export async function processUsage(pid: number): Promise<ProcessUsage | undefined> {
  try {
    const [stat, status] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile(`/proc/${pid}/status`, 'utf8'),
    ]);
    // After the name, which may hold blanks and parentheses: state is the third field of proc(5), utime the 14th.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]);
    const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
    if (!Number.isFinite(ticks) || kibibytes === undefined) return undefined;
    return {
      cpuSeconds: (await scheduledSeconds(pid)) ?? ticks / TICKS_PER_SECOND,
      residentBytes: Number(kibibytes) * 1024,
    };
  } catch {
    return undefined;
  }
}

/** Of those of these processes of which the system tells, by pid. */
export async function usagesOf(pids: readonly number[]): Promise<ReadonlyMap<number, ProcessUsage>> {
  const usages = await Promise.all(pids.map(async (pid) => [pid, await processUsage(pid)] as const));
  return new Map(usages.flatMap(([pid, usage]) => (usage === undefined ? [] : [[pid, usage] as const])));
}

/** The scheduler's own account of each thread, in nanoseconds (Documentation/scheduler/sched-stats.rst), where it keeps one. */
async function scheduledSeconds(pid: number): Promise<number | undefined> {
  try {
    const threads = await readdir(`/proc/${pid}/task`);
    const texts = await Promise.all(
      threads.map(async (thread) => readFile(`/proc/${pid}/task/${thread}/schedstat`, 'utf8')),
    );
    const nanoseconds = texts.reduce((sum, text) => sum + Number(text.split(' ')[0]), 0);
    return nanoseconds > 0 ? nanoseconds / 1e9 : undefined;
  } catch {
    return undefined;
  }
}
