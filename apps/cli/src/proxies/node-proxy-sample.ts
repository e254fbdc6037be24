import { join } from 'node:path';
import type { NodeProxyStatus } from '@tulle/node-proxy';
import { apiClient } from '../api/api-client.ts';
import { CliError } from '../cli/exit-codes.ts';
import type { Io } from '../cli/io.ts';
import { nodeProxyRunDirectory } from '../commands/node-proxy-directory.ts';
import { processUsage, usagesOf, type ProcessUsage } from '../metrics/process-usage.ts';

/** What the node proxy of this machine has used at a moment. */
export interface NodeProxySample {
  readonly pid: number;
  readonly startedMs: number;
  /** `performance.now()`. */
  readonly atMs: number;
  readonly workloads: readonly { readonly namespace: string; readonly name: string }[];
  /** Processes that move bytes, by pid. */
  readonly engines: ReadonlyMap<number, ProcessUsage>;
  readonly supervisor: ProcessUsage | undefined;
}

/** @returns undefined where none runs */
export async function sampleNodeProxy(io: Io, signal: AbortSignal): Promise<NodeProxySample | undefined> {
  const admin = apiClient(`unix:${join(nodeProxyRunDirectory(io), 'admin.sock')}`, signal, {
    who: "this node's proxy",
    hint: 'start it: tulle node-proxy',
  });
  try {
    const { pid, startedMs, workloads, supervisor } = await admin.must<NodeProxyStatus>('GET', '/node-proxy');
    return {
      pid,
      startedMs,
      atMs: performance.now(),
      workloads: workloads.filter(({ state }) => state === 'serving'),
      engines: await usagesOf(supervisor.processes.map((engine) => engine.pid)),
      supervisor: await processUsage(pid),
    };
  } catch (error) {
    if (error instanceof CliError && !signal.aborted) return undefined;
    throw error;
  }
}

/** A node proxy between two moments. */
export interface NodeProxyInterval {
  readonly after: NodeProxySample;
  /** Undefined: it has come meanwhile, or all since its start is wanted. */
  readonly before: NodeProxySample | undefined;
}
