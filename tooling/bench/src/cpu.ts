import { readdirSync, readFileSync } from 'node:fs';

/** CPU time that a process has used so far, all its threads, in microseconds (the `schedstat` of each thread, ns). */
export function cpuUs(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]);
    } catch {
      // The thread ended between the listing and the reading.
    }
  }
  return nanoseconds / 1000;
}

/** Ticks since the process began in user mode and in all (`/proc/PID/stat`): how its CPU time is split. */
export function ticks(pid: number): { user: number; all: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const user = Number(fields[11]);
  return { user, all: user + Number(fields[12]) };
}

/** Resident memory in MiB, what is shared with other processes divided among them (`Pss`). */
export function pssMb(pid: number): number {
  const line = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'));
  return Number(line?.[1] ?? 0) / 1024;
}

/** Resident memory in MiB. */
export function rssMb(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  return Number(line?.[1] ?? 0) / 1024;
}
