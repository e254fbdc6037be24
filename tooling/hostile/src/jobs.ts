import { Random, type Chunking } from './random.ts';
import type { Fault, Result } from './verdict.ts';

/** Requests are tried on so many connections at a time. */
export const LANES = 6;

export interface RunOptions {
  readonly seed: number;
  /** Sends per payload: whole, byte by byte, then random cuts. */
  readonly rounds: number;
  /** Part of an id or a group; '' for all. */
  readonly filter: string;
}

/** A payload that is still to be sent, and what came of it so far. */
export interface Job extends Result {
  readonly once: (mark: string, how: Chunking, random: Random) => Promise<Fault[]>;
}

/** Runs each job `rounds` times, on `lanes` connections at a time. @param byMark gets which mark was whose */
export async function runJobs(
  jobs: readonly Job[],
  options: RunOptions,
  byMark: Map<string, Job>,
  lanes: number,
): Promise<void> {
  const queue = [...jobs];
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
        const random = new Random(options.seed ^ hash(job.id));
        for (let round = 0; round < options.rounds; round++) {
          const mark = `m${byMark.size.toString(36).padStart(5, '0')}`;
          byMark.set(mark, job);
          const how: Chunking = round === 0 ? 'whole' : round === 1 ? 'bytes' : 'random';
          job.faults.push(...(await job.once(mark, how, random)));
          job.runs++;
        }
      }
    }),
  );
}

export function resultsOf(jobs: readonly Job[]): Result[] {
  return jobs.map(({ once: _once, ...result }) => result);
}

/** Names jobs by kind and side: `hostile-request-001`. */
export function numbering(): (side: string, kind: string) => string {
  const counts = new Map<string, number>();
  return (side, kind) => {
    const count = (counts.get(side + kind) ?? 0) + 1;
    counts.set(side + kind, count);
    return `${kind}-${side}-${String(count).padStart(3, '0')}`;
  };
}

/** The first characters of a payload, for people. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 300 ? `${text.slice(0, 300)}…` : text);
}

function hash(text: string): number {
  let hashed = 0;
  for (let i = 0; i < text.length; i++) hashed = (Math.imul(hashed, 31) + text.charCodeAt(i)) | 0;
  return hashed;
}
