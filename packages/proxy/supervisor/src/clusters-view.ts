/** A cluster as an engine process tells it; fields that are not named here are passed on. */
export interface ClusterPart {
  readonly name: string;
  /** Bounds, each for one process. */
  readonly limits: Readonly<Record<string, number>>;
  /** Likewise of the other priority. */
  readonly highLimits?: Readonly<Record<string, number>>;
  readonly endpoints: readonly EndpointPart[];
  readonly [field: string]: unknown;
}

/** An endpoint, likewise. */
export interface EndpointPart {
  readonly address: string;
  readonly [field: string]: unknown;
}

/** Numbers of a cluster or an endpoint that count something at one process, so that all is their sum. */
const SUMMED = new Set([
  'connections',
  'http2Connections',
  'http2',
  'pending',
  'requests',
  'active',
  'started',
  'succeeded',
  'failed',
  'ejections',
  'opened',
  'connectFailures',
  'carried',
  'uncarried',
  'sent',
  'timeouts',
  'waiting',
  'idle',
]);

/**
 * One view of each cluster over processes that each see a part of its calls: counts and bounds are sums; an endpoint is
 * `ejected`, or has another `health`, where one process found it so; `latencyMs` is the mean over those that called it,
 * by their calls; `consecutiveFailures` the most that one saw. Everything else is the same in all.
 */
export function mergeClusters(parts: readonly (readonly ClusterPart[])[]): readonly ClusterPart[] {
  return [...Map.groupBy(parts.flat(), ({ name }) => name).values()].map((same) => {
    const [first] = same as [ClusterPart];
    return {
      ...summed(same),
      name: first.name,
      limits: summedLimits(same.map(({ limits }) => limits)),
      ...(first.highLimits && { highLimits: summedLimits(same.map(({ highLimits = {} }) => highLimits)) }),
      endpoints: [
        ...Map.groupBy(
          same.flatMap(({ endpoints }) => endpoints),
          ({ address }) => address,
        ).values(),
      ].map(mergeEndpoint),
    };
  });
}

function summedLimits(all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  return Object.fromEntries(
    Object.keys(all[0] ?? {}).map((name) => [name, sum(all.map((limits) => limits[name]))]),
  );
}

function mergeEndpoint(same: readonly EndpointPart[]): EndpointPart {
  const started = sum(same.map((one) => one['started']));
  const spent = sum(same.map((one) => Number(one['latencyMs'] ?? 0) * Number(one['started'] ?? 0)));
  return {
    ...summed(same),
    address: (same[0] as EndpointPart).address,
    health: same.find(({ health }) => health !== 'healthy')?.['health'] ?? 'healthy',
    ejected: same.some(({ ejected }) => ejected === true),
    consecutiveFailures: Math.max(...same.map((one) => Number(one['consecutiveFailures'] ?? 0))),
    latencyMs: started === 0 ? (same[0]?.['latencyMs'] ?? 0) : Math.round((spent / started) * 100) / 100,
  };
}

/** The first one's fields, sums where sums are meant. */
function summed(same: readonly Readonly<Record<string, unknown>>[]): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(same[0] ?? {}).map(([name, value]) => [
      name,
      SUMMED.has(name) ? sum(same.map((one) => one[name])) : value,
    ]),
  );
}

const sum = (values: readonly unknown[]): number =>
  values.reduce<number>((total, value) => total + (typeof value === 'number' ? value : 0), 0);

/** In Envoy's form, as an engine process prints its own. */
export function clustersText(clusters: readonly ClusterPart[]): string {
  const lines = clusters.flatMap((cluster) => [
    `${cluster.name}::cx_active::${String(cluster['connections'])}`,
    `${cluster.name}::cx_http2_active::${String(cluster['http2Connections'])}`,
    `${cluster.name}::rq_active::${String(cluster['requests'])}`,
    `${cluster.name}::rq_pending_active::${String(cluster['pending'])}`,
    ...Object.entries(cluster.limits).map(
      ([name, value]) => `${cluster.name}::circuit_breakers::${name}::${value}`,
    ),
    ...cluster.endpoints.flatMap(({ address, ...rest }) =>
      Object.entries(rest).map(
        ([name, value]) =>
          `${cluster.name}::${address}::${name}::${typeof value === 'string' ? value : JSON.stringify(value)}`,
      ),
    ),
  ]);
  return `${lines.join('\n')}\n`;
}
