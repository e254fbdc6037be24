import { totalmem } from 'node:os';
import type { OverloadOptions } from '@tulle/proxy';

const MIB = 1024 * 1024;
/** Program and libraries of Node: in the resident memory of each process, and once in that of the cgroup. */
const SHARED_BYTES = 50 * MIB;
/** What the supervisor has for itself (docs/performance.md: some 57 MiB). */
const SUPERVISOR_BYTES = 64 * MIB;
/** An engine process at rest has some 105 MiB: a smaller limit would have it refuse everything. */
const LEAST_BYTES = 150 * MIB;

/**
 * What the resident memory of one engine process may be, where the processes of a proxy share the memory limit of a cgroup: each
 * that took the whole limit for its own would shed no load before the kernel ends one of them.
 * @param workers engine processes
 * @param limitBytes of the cgroup; a number past what the machine has: there is none
 * @returns `undefined`: without limit
 */
export function memoryShareBytes(
  workers: number,
  limitBytes: number = process.constrainedMemory(),
  machineBytes: number = totalmem(),
): number | undefined {
  if (limitBytes <= 0 || limitBytes >= machineBytes) return undefined;
  const share = Math.floor((limitBytes - SUPERVISOR_BYTES - SHARED_BYTES) / workers) + SHARED_BYTES;
  return Math.max(share, LEAST_BYTES);
}

/**
 * How one engine process sheds load: as it was told, and by its share of the memory unless it was told another limit.
 * @param workers engine processes beside a supervisor; `undefined`: this process is all
 */
export function overloadOf(
  chosen: OverloadOptions | false | undefined,
  workers: number | undefined,
  memoryBytes: number | undefined = workers === undefined ? undefined : memoryShareBytes(workers),
): OverloadOptions | false | undefined {
  if (chosen === false || memoryBytes === undefined) return chosen;
  return { ...chosen, limits: { memoryBytes, ...chosen?.limits } };
}
