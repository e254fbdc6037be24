import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Resource } from '@tulle/resources';

/** A control plane in a process of its own. */
export interface Plane {
  readonly pid: number;
  /** `host:port` of xDS. */
  readonly address: string;
  /** @returns the change @throws Error when it is refused */
  apply(resources: readonly Resource[]): Promise<string>;
  remove(kind: string, name: string): Promise<string>;
  /** How long each proxy that a change concerns took to confirm it, in milliseconds. @throws Error when one did not */
  confirmed(change: string): Promise<readonly number[]>;
  close(): Promise<void>;
}

/** What its process says when it listens. */
export interface PlaneAddresses {
  readonly xds: string;
  readonly api: string;
  readonly apiSecret: string;
}

/** As long as REST waits. */
const WAIT_MS = 60_000;

/** @param execArgv flags of Node, e.g. `--cpu-prof` */
export async function startPlane(stateDir: string, execArgv: readonly string[] = []): Promise<Plane> {
  const child = fork(join(import.meta.dirname, 'plane-process.ts'), [stateDir], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv: [...execArgv],
  });
  const ended = once(child, 'exit');
  const [at] = (await Promise.race([
    once(child, 'message'),
    ended.then(([code]) => Promise.reject(new Error(`the control plane ended with ${code}`))),
  ])) as [PlaneAddresses];

  async function rest<T>(path: string, init: RequestInit = {}): Promise<T> {
    const response = await fetch(`${at.api}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${at.apiSecret}`, 'content-type': 'application/json' },
    });
    const text = await response.text();
    if (!response.ok)
      throw new Error(`${init.method ?? 'GET'} ${path}: ${response.status} ${text.slice(0, 500)}`);
    return JSON.parse(text) as T;
  }

  function changeOf({ changeId }: { readonly changeId?: string }): string {
    if (changeId === undefined) throw new Error('the change changed nothing');
    return changeId;
  }

  return {
    pid: child.pid ?? 0,
    address: at.xds,
    apply: async (resources) =>
      changeOf(await rest('/api/v1/apply', { method: 'POST', body: JSON.stringify(resources) })),
    remove: async (kind, name) =>
      changeOf(await rest(`/api/v1/resources/${kind}/default/${name}`, { method: 'DELETE' })),
    async confirmed(change) {
      const record = await rest<{
        readonly settled: boolean;
        readonly proxies: Readonly<
          Record<string, { readonly state: string; readonly propagationMs?: number }>
        >;
      }>(`/api/v1/changes/${change}?waitMs=${WAIT_MS}`);
      const proxies = Object.entries(record.proxies);
      const late = proxies.find(([, { state }]) => state !== 'acked');
      if (!record.settled || late !== undefined)
        throw new Error(`${change} is not confirmed after ${WAIT_MS} ms, by ${late?.[0] ?? 'somebody'}`);
      return proxies.map(([, { propagationMs = 0 }]) => propagationMs);
    },
    async close() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await ended;
    },
  };
}

/** CPU time of all threads of a process so far, in milliseconds (`schedstat`). */
export function cpuMs(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]);
    } catch {
      // It ended between the listing and the reading.
    }
  }
  return nanoseconds / 1e6;
}

/** Resident memory in MiB: now, and the most so far. */
export function memoryMb(pid: number): { readonly now: number; readonly peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const of = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) / 1024;
  return { now: of('VmRSS'), peak: of('VmHWM') };
}
