import { increase, quantile, sumBuckets, type Sample } from './metrics-page.ts';
import type { ProcessUsage } from './process-usage.ts';
import type { NodeProxyInterval, NodeProxySample } from '../proxies/node-proxy-sample.ts';
import type { ProxyInterval, ProxySample } from '../proxies/proxy-sample.ts';

/** What the mesh costs one workload. */
export interface Overhead {
  readonly namespace: string;
  readonly workload: string;
  /** Beside it alone, or shared with other workloads of its node. */
  readonly mode: 'sidecar' | 'node-proxy';
  /** Workloads among which the proxy's CPU and memory are divided evenly; undefined: it has its proxies for itself. */
  readonly sharedBy: number | undefined;
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
    const parts = of.map(({ after, before }) =>
      costOf({ after: timed(after), before: before && timed(before) }),
    );
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
      mode: 'sidecar',
      sharedBy: undefined,
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

/**
 * The cost of a node proxy for each of its workloads: an even share, since one process works for all. It sees connections and no
 * requests.
 */
export function nodeOverheadOf({ after, before }: NodeProxyInterval): Overhead[] {
  const measured = (sample: NodeProxySample): Measured => ({ ...sample, metrics: [] });
  const cost = costOf({ after: measured(after), before: before && measured(before) });
  const sharedBy = after.workloads.length;
  const share = (value: number | undefined): number | undefined =>
    value === undefined ? undefined : value / sharedBy;
  return after.workloads.map(({ namespace, name }) => ({
    namespace,
    workload: name,
    mode: 'node-proxy',
    sharedBy,
    instances: 1,
    rps: undefined,
    cpuCores: share(
      cost.engineSeconds === undefined
        ? undefined
        : (cost.engineSeconds + cost.supervisorSeconds) / cost.seconds,
    ),
    cpuMicrosPerRequest: undefined,
    memoryBytes: share(cost.memoryBytes),
    supervisorMemoryBytes: share(cost.supervisorMemoryBytes),
    addedMsP50: undefined,
    addedMsP99: undefined,
  }));
}

/** What the cost of a proxy is made of. */
type Measured = Pick<ProxySample, 'atMs' | 'metrics' | 'engines' | 'supervisor'> & {
  readonly startedMs: number;
};

interface Cost {
  readonly seconds: number;
  readonly requests: number | undefined;
  readonly engineSeconds: number | undefined;
  readonly supervisorSeconds: number;
  readonly memoryBytes: number | undefined;
  readonly supervisorMemoryBytes: number | undefined;
  readonly added: readonly Sample[];
}

const timed = (sample: ProxySample): Measured => ({ ...sample, startedMs: sample.proxy.startedMs });

function costOf({
  after,
  before,
}: {
  readonly after: Measured;
  readonly before: Measured | undefined;
}): Cost {
  const counted = increase(after.metrics, before?.metrics);
  const known = after.engines.size > 0;
  const spent = (now: ProcessUsage, was: ProcessUsage | undefined): number =>
    Math.max(0, now.cpuSeconds - (was?.cpuSeconds ?? 0)); // what a thread used that has ended is gone
  const engines = [...after.engines];
  const memory = engines.reduce((sum, [, { residentBytes }]) => sum + residentBytes, 0);
  return {
    seconds: before === undefined ? (Date.now() - after.startedMs) / 1000 : (after.atMs - before.atMs) / 1000,
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
