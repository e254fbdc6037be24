import type { View } from '../cli/output.ts';
import { defineCommand, type Command, type OptionSpec } from '../cli/command.ts';
import { CliError, EXIT, usageError } from '../cli/exit-codes.ts';
import { LIST_OPTIONS, showView } from '../cli/show-view.ts';
import { goldenSignals, type GoldenSignals, type GroupBy } from '../metrics/golden-signals.ts';
import { increase } from '../metrics/metrics-page.ts';
import { nodeOverheadOf, overheadOf } from '../metrics/overhead.ts';
import { localProxies } from '../proxies/local-proxies.ts';
import { sampleProxy, type ProxyInterval } from '../proxies/proxy-sample.ts';
import {
  sampleNodeProxy,
  type NodeProxyInterval,
  type NodeProxySample,
} from '../proxies/node-proxy-sample.ts';
import { overheadView } from './overhead-view.ts';
import { rate, rounded } from './figures.ts';
import type { Io } from '../cli/io.ts';

const GROUPS: readonly GroupBy[] = ['service', 'route', 'workload', 'source'];
/** Long enough for a rate of a few requests a second, short enough to wait for. */
const DEFAULT_WINDOW_SECONDS = 2;

const BY_OPTION: OptionSpec & { readonly type: 'string' } = {
  type: 'string',
  value: 'WHAT',
  help: 'a row a service, or in it a row a route, a workload with its version, or a source',
  choices: GROUPS,
  defaultText: 'service',
};

export const command: Command = defineCommand({
  summary: 'Show requests a second, success and latency of services, or what the mesh itself costs them',
  details:
    'Counted by the proxies of this machine: on the server side for calls that their workloads got, on the client side for\ncalls that they made. They are looked at twice; --window 0 tells of all since they started.\n\n--overhead: CPU of the proxies in cores and, of the processes that move bytes, a request; their memory; and the time\nthat a request spends inside one proxy without the endpoint that answers. What the kernel does for them is not in it.\nA node proxy works for many workloads: each is shown with an even share of its CPU and memory, and without requests, which it does not see.',
  args: [{ name: 'SERVICE', help: 'only this one; NAME or NAME.NAMESPACE', optional: true }],
  options: {
    by: BY_OPTION,
    side: {
      type: 'string',
      value: 'SIDE',
      help: 'only what callers counted, or what the called counted',
      choices: ['client', 'server'],
      defaultText: 'both',
    },
    overhead: { type: 'boolean', help: 'what the mesh costs each workload of this machine' },
    window: {
      type: 'number',
      short: 't',
      value: 'SECONDS',
      help: 'between two looks; 0 for all since the proxies started',
      defaultText: String(DEFAULT_WINDOW_SECONDS),
    },
    namespace: {
      type: 'string',
      short: 'n',
      value: 'NAME',
      help: 'only this namespace',
      env: 'TULLE_NAMESPACE',
    },
    ...LIST_OPTIONS,
  },
  examples: [
    { command: 'tulle stat', does: 'how is everything on this machine?' },
    { command: 'tulle stat reviews --by workload --sort-by rps', does: 'which version gets how much' },
    { command: 'tulle stat --overhead -o json', does: 'what the mesh costs, for a program' },
  ],
  async run({ io, options, args, signal }) {
    const [wanted] = args;
    const seconds = options.window ?? DEFAULT_WINDOW_SECONDS;
    if (options.overhead && (options.by !== undefined || options.side !== undefined))
      throw usageError('--overhead is by workload', 'leave --by and --side out');
    const here = ({ namespace }: { readonly namespace: string }): boolean =>
      options.namespace === undefined || namespace === options.namespace;
    const named = (name: string, namespace: string): boolean =>
      wanted === undefined || wanted === name || wanted === `${name}.${namespace}`;
    await showView(io, options, signal, async () => {
      const { proxies: intervals, node } = await watchProxies(io, seconds, options.overhead, signal);
      if (options.overhead) {
        const rows = [...overheadOf(intervals), ...(node === undefined ? [] : nodeOverheadOf(node))].filter(
          (one) => here(one) && named(one.workload, one.namespace),
        );
        return { view: overheadView(seconds, rows) as View<never> };
      }
      const rows = goldenSignals(intervals.map(countedIn), (options.by ?? 'service') as GroupBy)
        .filter((one) => here(one) && named(one.service, one.namespace))
        .filter(({ side }) => options.side === undefined || side === options.side)
        .toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
      return {
        view: signalView(seconds, rows, options.by !== undefined && options.by !== 'service') as View<never>,
        notes: intervals.flatMap(whyMute),
      };
    });
    return EXIT.ok;
  },
});

interface Watched {
  readonly proxies: readonly ProxyInterval[];
  /** The node proxy of this machine, where it counts and one runs. */
  readonly node: NodeProxyInterval | undefined;
}

/**
 * Looks at each proxy of this machine twice; once with a window of 0.
 * @param nodeToo a node proxy counts as well
 * @throws CliError 69 when there is none
 */
async function watchProxies(
  io: Io,
  seconds: number,
  nodeToo: boolean,
  signal: AbortSignal,
): Promise<Watched> {
  const look = async (): Promise<{
    readonly proxies: ReadonlyMap<string, NonNullable<Awaited<ReturnType<typeof sampleProxy>>>>;
    readonly node: NodeProxySample | undefined;
  }> => {
    const found = await Promise.all(
      (await localProxies(io)).map(async (proxy) => sampleProxy(proxy, signal)),
    );
    return {
      proxies: new Map(
        found.flatMap((one) => (one === undefined ? [] : [[one.proxy.instance, one] as const])),
      ),
      node: nodeToo ? await sampleNodeProxy(io, signal) : undefined,
    };
  };
  const before = seconds === 0 ? undefined : await look();
  if (before !== undefined && (before.proxies.size > 0 || before.node !== undefined))
    await pause(seconds * 1000, signal);
  const after = await look();
  if (after.proxies.size === 0 && after.node === undefined)
    throw new CliError(
      EXIT.unreachable,
      'no proxy runs on this machine',
      'tulle run starts a program with one; look where the proxies run, or at their metrics in Prometheus',
    );
  // Another process with the same name counts from nothing.
  return {
    proxies: [...after.proxies].map(([instance, one]) => {
      const was = before?.proxies.get(instance);
      return { after: one, before: was?.proxy.startedMs === one.proxy.startedMs ? was : undefined };
    }),
    node: after.node && {
      after: after.node,
      before: before?.node?.startedMs === after.node.startedMs ? before.node : undefined,
    },
  };
}

function countedIn({ after, before }: ProxyInterval): Parameters<typeof goldenSignals>[0][number] {
  const ms = before === undefined ? Date.now() - after.proxy.startedMs : after.atMs - before.atMs;
  return { seconds: ms / 1000, samples: increase(after.metrics, before?.metrics) };
}

/** Why nothing is known of the requests of a proxy. */
function whyMute({ after: { metrics, proxy } }: ProxyInterval): string[] {
  const name = `${proxy.instance}.${proxy.namespace}`;
  if (metrics.length === 0) return [`${name} keeps no metrics: its profile leaves them out`];
  const has = (prefix: string): boolean => metrics.some((sample) => sample.name.startsWith(prefix));
  return has('istio_') && !has('tulle_request')
    ? [`${name} counts requests in Istio's words alone; --metrics native beside them lets it be read here`]
    : [];
}

const nameOf = ({ namespace, service, side, by = '' }: GoldenSignals): string =>
  `${namespace}/${service} ${by} ${side}`;

const millis = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : `${ms < 10 ? ms.toFixed(1) : Math.round(ms)}ms`;

function signalView(
  windowSeconds: number,
  rows: readonly GoldenSignals[],
  grouped: boolean,
): View<GoldenSignals> {
  const item = (row: GoldenSignals): object => ({
    namespace: row.namespace,
    name: row.service,
    side: row.side,
    ...(row.by === undefined ? {} : { by: row.by }),
    requests: row.requests,
    rps: rounded(row.rps, 3),
    success: rounded(row.success, 6),
    latency_ms_p50: rounded(row.latencyMsP50, 3),
    latency_ms_p95: rounded(row.latencyMsP95, 3),
    latency_ms_p99: rounded(row.latencyMsP99, 3),
  });
  return {
    rows,
    item,
    document: (shown: readonly GoldenSignals[]) => ({ windowSeconds, items: shown.map(item) }),
    name: nameOf,
    empty: 'No request was counted yet.',
    footer:
      'SIDE server: counted by the proxy of the called; client: by that of the caller, the way between them in it.',
    columns: [
      { header: 'NAME', value: (row) => row.service },
      { header: 'NAMESPACE', value: (row) => row.namespace },
      ...(grouped ? [{ header: 'BY', value: (row: GoldenSignals) => row.by }] : []),
      { header: 'SIDE', value: (row) => row.side },
      {
        header: 'SUCCESS',
        value: ({ success }) => (success === undefined ? undefined : `${(success * 100).toFixed(2)}%`),
      },
      { header: 'RPS', value: (row) => (row.requests === 0 ? undefined : rate(row.rps)) },
      { header: 'LATENCY_P50', value: (row) => millis(row.latencyMsP50) },
      { header: 'LATENCY_P95', value: (row) => millis(row.latencyMsP95) },
      { header: 'LATENCY_P99', value: (row) => millis(row.latencyMsP99) },
      { header: 'REQUESTS', value: (row) => row.requests, wide: true },
    ],
  };
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { setTimeout: wait } = await import('node:timers/promises');
  await wait(ms, undefined, { signal }).catch(() => {
    throw new CliError(EXIT.interrupted, 'interrupted');
  });
}
