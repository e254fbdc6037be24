import { increase, quantile, sumBuckets, type Sample } from './metrics-page.ts';
import type { ProcessUsage } from './process-usage.ts';
import type { ProxyInterval } from '../proxies/proxy-sample.ts';

/** What the mesh costs one workload. */
export interface Overhead {
  readonly namespace: string;
  readonly workload: string;
  /** Proxies that were looked at. */
  readonly instances: number;
  /** Requests a second that passed them, in either direction; undefined where they keep no metrics. */
  readonly rps: number | undefined;
  /** CPU seconds a second: 0.05 is a twentieth of a core. Undefined where the system does not tell. */
  readonly cpuCores: number | undefined;
  /** Of the processes that move bytes alone, a request; undefined without requests. */
  readonly cpuMicrosPerRequest: number | undefined;
  /** Resident, engines and supervisors together. */
  readonly memoryBytes: number | undefined;
  /** Of those, the supervisors'. */
  readonly supervisorMemoryBytes: number | undefined;
  /**
   * Time of a request inside one proxy without the endpoint's; undefined without requests. What a turn of the event loop
   * does counts as nothing here and is in the CPU.
   */
  readonly addedMsP50: number | undefined;
  readonly addedMsP99: number | undefined;
}

/** The cost of each workload's proxies over a time, by the proxies' own metrics and the system's accounts. */
export function overheadOf(intervals: readonly ProxyInterval[]): Overhead[] {
  const workloads = Map.groupBy(intervals, ({ after: { proxy } }) => `${proxy.namespace}/${proxy.name}`);
  return [...workloads.values()].map((of) => {
    const parts = of.map(costOf);
    const { proxy } = (of[0] as ProxyInterval).after;
    const total = (value: (part: Cost) => number | undefined): number | undefined =>
      parts.reduce<number | undefined>((sum, part) => {
        const one = value(part);
        return one === undefined ? sum : (sum ?? 0) + one;
      }, undefined);
    const requests = total((part) => part.requests);
    const engineSeconds = total((part) => part.engineSeconds);
    const added = sumBuckets(parts.flatMap((part) => part.added));
    const ms = (q: number): number | undefined => {
      const seconds = quantile(q, added);
      return seconds === undefined ? undefined : seconds * 1000;
    };
    return {
      namespace: proxy.namespace,
      workload: proxy.name,
      instances: of.length,
      rps: total((part) => (part.requests === undefined ? undefined : part.requests / part.seconds)),
      cpuCores: total((part) =>
        part.engineSeconds === undefined
          ? undefined
          : (part.engineSeconds + part.supervisorSeconds) / part.seconds,
      ),
      cpuMicrosPerRequest:
        requests === undefined || requests === 0 || engineSeconds === undefined
          ? undefined
          : (engineSeconds / requests) * 1e6,
      memoryBytes: total((part) => part.memoryBytes),
      supervisorMemoryBytes: total((part) => part.supervisorMemoryBytes),
      addedMsP50: ms(0.5),
      addedMsP99: ms(0.99),
    };
  });
}

interface Cost {
  readonly seconds: number;
  readonly requests: number | undefined;
  readonly engineSeconds: number | undefined;
  readonly supervisorSeconds: number;
  readonly memoryBytes: number | undefined;
  readonly supervisorMemoryBytes: number | undefined;
  readonly added: readonly Sample[];
}

function costOf({ after, before }: ProxyInterval): Cost {
  const counted = increase(after.metrics, before?.metrics);
  const known = after.engines.size > 0;
  const spent = (now: ProcessUsage, was: ProcessUsage | undefined): number =>
    Math.max(0, now.cpuSeconds - (was?.cpuSeconds ?? 0)); // what a thread used that has ended is gone
  const engines = [...after.engines];
  const memory = engines.reduce((sum, [, { residentBytes }]) => sum + residentBytes, 0);
  return {
    seconds:
      before === undefined ? (Date.now() - after.proxy.startedMs) / 1000 : (after.atMs - before.atMs) / 1000,
    requests:
      after.metrics.length === 0
        ? undefined
        : counted
            .filter(({ name }) => name === 'tulle_requests_total')
            .reduce((sum, { value }) => sum + value, 0),
    engineSeconds: known
      ? engines.reduce((sum, [pid, usage]) => sum + spent(usage, before?.engines.get(pid)), 0)
      : undefined,
    supervisorSeconds: after.supervisor === undefined ? 0 : spent(after.supervisor, before?.supervisor),
    memoryBytes: known ? memory + (after.supervisor?.residentBytes ?? 0) : undefined,
    supervisorMemoryBytes: after.supervisor?.residentBytes,
    added: counted.filter(({ name }) => name === 'tulle_proxy_added_latency_seconds_bucket'),
  };
}
