import type { RunningProxy } from '@tulle/sidecar';
import { CliError } from '../cli/exit-codes.ts';
import { readMetrics, type Sample } from '../metrics/metrics-page.ts';
import { processUsage, usagesOf, type ProcessUsage } from '../metrics/process-usage.ts';
import { adminClient } from './local-proxies.ts';

/** What one proxy of this machine has counted and used at a moment. */
export interface ProxySample {
  readonly proxy: RunningProxy;
  /** `performance.now()`. */
  readonly atMs: number;
  /** Empty where it keeps no metrics (its profile leaves them out). */
  readonly metrics: readonly Sample[];
  /** Processes that move bytes, by pid. */
  readonly engines: ReadonlyMap<number, ProcessUsage>;
  /** The process beside them; undefined where there is one process for all. */
  readonly supervisor: ProcessUsage | undefined;
}

interface SidecarPage {
  readonly supervisor: { readonly processes: readonly { readonly pid: number }[] };
}

/** @returns undefined when it does not answer: it has just ended, or was killed */
export async function sampleProxy(
  proxy: RunningProxy,
  signal: AbortSignal,
): Promise<ProxySample | undefined> {
  const admin = adminClient(proxy, signal);
  try {
    const [page, sidecar] = await Promise.all([
      admin.text('/stats/prometheus'),
      admin.must<SidecarPage>('GET', '/sidecar'),
    ]);
    const pids = sidecar.supervisor.processes.map(({ pid }) => pid);
    return {
      proxy,
      atMs: performance.now(),
      metrics: readMetrics(page ?? ''),
      engines: await usagesOf(pids),
      supervisor: pids.includes(proxy.pid) ? undefined : await processUsage(proxy.pid),
    };
  } catch (error) {
    if (error instanceof CliError && !signal.aborted) return undefined;
    throw error;
  }
}

/** A proxy between two moments. */
export interface ProxyInterval {
  readonly after: ProxySample;
  /** Undefined: it has come meanwhile, or all since its start is wanted. */
  readonly before: ProxySample | undefined;
}
