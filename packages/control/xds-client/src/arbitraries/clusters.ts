import fc from 'fast-check';
import type {
  AddressOrder,
  BalancePolicy,
  CircuitLimits,
  Cluster,
  ClusterDiscovery,
  ConsecutiveRule,
  HealthCheck,
  HostOverride,
  HostSource,
  MetadataPlace,
  OutlierDetection,
  PoolOptions,
  RefreshBackoff,
  RetryBudget,
  SlowStart,
  StatusRange,
  SubsetRules,
  SubsetSelector,
  TcpKeepalive,
  TlsMatch,
  ZoneRouting,
} from '@tulle/model';
import { http2Options, label, labels, milliseconds, object, options, uint32 } from './basics.ts';
import { endpoint, listed, policy } from './endpoints.ts';
import { proxyHeader, proxyProtocol, withoutLoneHeader } from './proxy-protocol.ts';
import { hashPolicy } from './routes.ts';
import { upstreamTls } from './tls.ts';

const family = fc.constantFrom('v4', 'v6', 'v4-first', 'v6-first');
const failureRefresh: fc.Arbitrary<RefreshBackoff> = object<RefreshBackoff>(
  { baseMs: milliseconds },
  { maxMs: milliseconds },
);

const place: fc.Arbitrary<MetadataPlace> = object<MetadataPlace>({
  namespace: label,
  path: fc.array(label, { minLength: 1, maxLength: 2 }),
});

const discovery: fc.Arbitrary<ClusterDiscovery> = fc.oneof(
  object<ClusterDiscovery>(
    { kind: fc.constant('static'), endpoints: fc.array(listed, { maxLength: 3 }) },
    { policy },
  ),
  object<ClusterDiscovery>({ kind: fc.constant('eds') }, { serviceName: label }),
  object<ClusterDiscovery>({
    kind: fc.constant('aggregate'),
    clusters: fc.array(label, { minLength: 1, maxLength: 3 }),
  }),
  object<ClusterDiscovery>(
    { kind: fc.constant('forward-proxy') },
    {
      family,
      refreshMs: milliseconds,
      failureRefresh,
      queryTimeoutMs: milliseconds,
      hostTtlMs: milliseconds,
      maxHosts: fc.integer({ min: 1, max: 9_999 }),
      maxPendingRequests: uint32,
      preresolve: fc.array(
        fc.record({ host: label, port: fc.integer({ min: 1, max: 65_535 }) }, { noNullPrototype: true }),
        { minLength: 1, maxLength: 2 },
      ),
    },
  ),
  object<ClusterDiscovery>(
    { kind: fc.constant('original-dst') },
    {
      metadata: place,
      header: label,
      port: fc.integer({ min: 1, max: 65_535 }),
      cleanupMs: milliseconds,
      maxHosts: fc.integer({ min: 1, max: 9_999 }),
    },
  ),
  object<ClusterDiscovery>(
    {
      kind: fc.constant('dns'),
      endpoints: fc.array(endpoint, { maxLength: 2 }),
      use: fc.constantFrom('all', 'first'),
    },
    {
      refreshMs: milliseconds,
      policy,
      family,
      jitterMs: milliseconds,
      respectTtl: fc.boolean(),
      failureRefresh,
    },
  ),
);

const slowStart: fc.Arbitrary<SlowStart> = object<SlowStart>(
  { windowMs: milliseconds },
  { aggression: fc.integer({ min: 1, max: 9 }), minWeightPercent: fc.integer({ min: 0, max: 100 }) },
);

const hashing = {
  useHostname: fc.constant(true),
  balanceFactorPercent: fc.integer({ min: 100, max: 500 }),
};

const subsets: fc.Arbitrary<SubsetRules> = object<SubsetRules>(
  {
    selectors: fc.array(
      fc.oneof(
        object<SubsetSelector>(
          { keys: fc.uniqueArray(label, { minLength: 1, maxLength: 3 }) },
          { fallback: fc.constantFrom('none', 'any', 'default') },
        ),
        object<SubsetSelector>({ keys: fc.constant(['k']), singleHost: fc.constant(true) }),
        object<SubsetSelector>({
          keys: fc.constant(['k', 'l']),
          fallback: fc.constant('keys'),
          fallbackKeys: fc.constant(['l']),
        }),
      ),
      { minLength: 1, maxLength: 3 },
    ),
  },
  {
    fallback: fc.constantFrom('any', 'default'),
    defaultSubset: fc.constant({ stage: 'prod' }),
    localityWeighted: fc.constant(true),
  },
);

const balance: fc.Arbitrary<BalancePolicy> = fc.oneof(
  fc.constant<BalancePolicy>({ policy: 'random' }),
  object<BalancePolicy>({ policy: fc.constant('round-robin') }, { slowStart }),
  object<BalancePolicy>(
    { policy: fc.constant('ring-hash') },
    {
      minRingSize: fc.integer({ min: 1, max: 99 }),
      maxRingSize: fc.integer({ min: 100, max: 8_388_608 }),
      ...hashing,
    },
  ),
  object<BalancePolicy>(
    { policy: fc.constant('maglev') },
    { tableSize: fc.constantFrom(11, 65_537), ...hashing },
  ),
  object<BalancePolicy>(
    { policy: fc.constant('least-request') },
    {
      choices: fc.integer({ min: 2, max: 10 }),
      fullScan: fc.constant(true),
      activeRequestBias: fc.double({ min: 0, max: 9, noNaN: true }),
      slowStart,
    },
  ),
  object<BalancePolicy>(
    { policy: fc.constant('client-side-weighted-round-robin') },
    {
      blackoutMs: milliseconds,
      expirationMs: milliseconds,
      updateMs: fc.integer({ min: 100, max: 9_999 }),
      errorPenalty: fc.integer({ min: 0, max: 9 }),
    },
  ),
  object<BalancePolicy>({ policy: fc.constant('pick-first') }, { shuffle: fc.constant(true) }),
  object<BalancePolicy>(
    { policy: fc.constant('peak-ewma') },
    { defaultRttMs: fc.integer({ min: 1, max: 999 }), decayMs: milliseconds },
  ),
);

const percent: fc.Arbitrary<number> = fc.integer({ min: 0, max: 100 });

const counts = {
  maxConnections: uint32,
  maxPendingRequests: uint32,
  maxRequests: uint32,
  trackRemaining: fc.constant(true),
};
/** Retries by one of the ways to count them. */
const retries: fc.Arbitrary<CircuitLimits> = fc.oneof(
  fc.constant<CircuitLimits>({}),
  object<CircuitLimits>({ maxRetries: uint32 }),
  object<CircuitLimits>({
    retryConcurrency: options<NonNullable<CircuitLimits['retryConcurrency']>>({
      percent: fc.double({ min: 0, max: 100, noNaN: true }),
      least: uint32,
      intervalMs: fc.integer({ min: 1, max: 60_000 }),
    }),
  }),
);
const limits: fc.Arbitrary<CircuitLimits> = fc
  .tuple(
    options<CircuitLimits>({ ...counts, maxConnectionsPerEndpoint: uint32 } as never),
    fc.oneof(
      retries,
      object<CircuitLimits>({
        retryBudget: options<RetryBudget>({
          percent: fc.double({ min: 0, max: 100, noNaN: true }),
          minPerSecond: fc.nat(1000),
          intervalMs: milliseconds,
        }),
      }),
    ),
  )
  .map(([own, more]) => ({ ...own, ...more }));
const highLimits: fc.Arbitrary<NonNullable<Cluster['highLimits']>> = fc
  .tuple(options<NonNullable<Cluster['highLimits']>>(counts as never), retries)
  .map(([own, more]) => ({ ...own, ...more }));

const statuses: fc.Arbitrary<StatusRange[]> = fc.array(
  fc.record(
    { from: fc.integer({ min: 100, max: 350 }), to: fc.integer({ min: 350, max: 599 }) },
    { noNullPrototype: true },
  ),
  { minLength: 1, maxLength: 2 },
);
const hex: fc.Arbitrary<string> = fc
  .uint8Array({ minLength: 1, maxLength: 6 })
  .map((bytes) => Buffer.from(bytes).toString('hex'));
const rhythm = {
  intervalMs: milliseconds,
  timeoutMs: milliseconds,
  unhealthyThreshold: fc.integer({ min: 1, max: 10 }),
  healthyThreshold: fc.integer({ min: 1, max: 10 }),
};
const rest = {
  initialJitterMs: milliseconds,
  intervalJitterMs: milliseconds,
  intervalJitterPercent: fc.integer({ min: 1, max: 100 }),
  noTrafficIntervalMs: milliseconds,
  unhealthyIntervalMs: milliseconds,
  reuseConnection: fc.boolean(),
  noTrafficHealthyIntervalMs: milliseconds,
  unhealthyEdgeIntervalMs: milliseconds,
  healthyEdgeIntervalMs: milliseconds,
  altPort: fc.integer({ min: 1, max: 65_535 }),
  alpn: fc.array(label, { minLength: 1, maxLength: 2 }),
  tlsLabels: fc.dictionary(label, label, { minKeys: 1, maxKeys: 2, noNullPrototype: true }),
  eventLogs: fc.array(label, { minLength: 1, maxLength: 2 }),
  logsFailures: fc.constant(true),
  logsSuccesses: fc.constant(true),
};
const headers = fc.array(fc.record({ name: label, value: label }, { noNullPrototype: true }), {
  minLength: 1,
  maxLength: 2,
});
const healthCheck: fc.Arbitrary<HealthCheck> = fc.oneof(
  object<HealthCheck>(
    { kind: fc.constant('grpc'), ...rhythm },
    { service: label, authority: label, headers, ...rest },
  ),
  object<HealthCheck>(
    { kind: fc.constant('http'), path: label.map((name) => `/${name}`), ...rhythm },
    {
      host: label,
      headers,
      codec: fc.constant('http2'),
      method: fc.constantFrom('GET', 'HEAD', 'OPTIONS', 'PATCH', 'DELETE', 'TRACE'),
      send: hex,
      receive: fc.array(hex, { minLength: 1, maxLength: 2 }),
      receiveWithinBytes: fc.integer({ min: 1_024, max: 9_999 }),
      serviceName: fc.record(
        { kind: fc.constantFrom('exact', 'prefix', 'regex'), value: label },
        { noNullPrototype: true },
      ),
      withoutUserAgent: fc.constant(true),
      expectedStatuses: statuses,
      retriableStatuses: statuses,
      ...rest,
    },
    // Not every method has a body.
  ).map(
    (check) =>
      ('send' in check && check.send !== undefined
        ? { ...check, method: 'POST' as const }
        : check) as HealthCheck,
  ),
  object<HealthCheck>(
    { kind: fc.constant('tcp'), ...rhythm },
    { send: hex, receive: fc.array(hex, { minLength: 1, maxLength: 2 }), proxyProtocol, ...rest },
  ),
);

const part: fc.Arbitrary<number> = fc.integer({ min: 1, max: 99 });
const consecutive: fc.Arbitrary<ConsecutiveRule> = object<ConsecutiveRule>(
  { count: fc.integer({ min: 1, max: 20 }) },
  { enforcedPercent: part },
);
const compared = [
  { minimumEndpoints: fc.nat(9), minimumRequests: fc.nat(99) },
  { enforcedPercent: part, localEnforcedPercent: part },
] as const;

const outlier: fc.Arbitrary<OutlierDetection> = fc
  .tuple(
    options<OutlierDetection>({
      gatewayFailures: consecutive,
      successRate: object<NonNullable<OutlierDetection['successRate']>>({
        belowPercent: fc.double({ min: 0, max: 100, noNaN: true }),
        windowMs: milliseconds,
        minimumRequests: fc.nat(1000),
      }),
      deviation: object<NonNullable<OutlierDetection['deviation']>>(
        { ...compared[0], factor: fc.nat(5_000).map((thousandths) => thousandths / 1_000) },
        compared[1],
      ),
      failurePercentage: object<NonNullable<OutlierDetection['failurePercentage']>>(
        { ...compared[0], thresholdPercent: percent },
        compared[1],
      ),
      intervalMs: milliseconds,
      baseEjectionMs: milliseconds,
      maxEjectionMs: milliseconds,
      ejectionJitterMs: milliseconds,
      maxEjectionPercent: percent,
      healthCheckReturns: fc.boolean(),
    } as never),
    fc.oneof(
      fc.constant<OutlierDetection>({}),
      fc.constant<OutlierDetection>({ consecutiveFailures: 0 }),
      object<OutlierDetection>(
        { consecutiveFailures: fc.integer({ min: 1, max: 20 }) },
        { consecutiveFailuresEnforcedPercent: part },
      ),
    ),
    fc.oneof(
      fc.constant<OutlierDetection>({}),
      object<OutlierDetection>({ splitLocalFailures: fc.constant(true) }, { localFailures: consecutive }),
    ),
  )
  .map(([own, first, local]) => ({ ...own, ...first, ...local }));

const seconds: fc.Arbitrary<number> = fc.integer({ min: 1, max: 10_000 }).map((count) => count * 1_000);

const pool: fc.Arbitrary<PoolOptions> = options<Omit<PoolOptions, 'network'>>({
  idleTimeoutMs: milliseconds,
  maxRequestsPerConnection: uint32,
  maxIdlePerEndpoint: fc.nat(1000),
  protocol: fc.constantFrom('http1', 'http2', 'auto', 'downstream'),
  http2: http2Options,
  perDownstreamConnection: fc.constant(true),
  bufferLimitBytes: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  tcpKeepalive: options<TcpKeepalive>({
    idleMs: seconds,
    intervalMs: seconds,
    probes: fc.integer({ min: 1, max: 100 }),
  }),
  sourceAddress: fc.ipV4(),
  addressOrder: options<AddressOrder>({
    first: fc.constantFrom('v4', 'v6'),
    count: fc.integer({ min: 1, max: 9 }),
  }).filter((order) => Object.keys(order).length > 0),
  drainsOnSetChange: fc.constant(true),
  closesOnFailure: fc.constant(true),
});

const hostOverride: fc.Arbitrary<HostOverride> = object<HostOverride>(
  {
    sources: fc.array(
      fc.oneof(
        object<HostSource>({ kind: fc.constant('header'), name: label }),
        place.map((at): HostSource => ({ kind: 'metadata', ...at })),
      ),
      { minLength: 1, maxLength: 2 },
    ),
  },
  { chosenIn: place },
);

/** Places of callers stand beside few policies, and not beside weights of localities. */
function sound({ zoneRouting, ...cluster }: Cluster): Cluster {
  const { balance, localityWeighted = false } = cluster;
  const zoned = ['round-robin', 'least-request', 'random'].includes(balance?.policy ?? '');
  return zoned && !localityWeighted && zoneRouting !== undefined ? { ...cluster, zoneRouting } : cluster;
}

/** A cluster of the given name. */
export function cluster(name: fc.Arbitrary<string> = label): fc.Arbitrary<Cluster> {
  return object<Cluster>(
    { name, discovery },
    {
      statName: label,
      balance,
      panicThresholdPercent: percent,
      localityWeighted: fc.boolean(),
      failOnPanic: fc.boolean(),
      hostOverride,
      zoneRouting: options<ZoneRouting>({
        percent: fc.integer({ min: 1, max: 100 }),
        minEndpoints: fc.nat(99),
      }),
      subsets,
      connectTimeoutMs: milliseconds,
      limits,
      highLimits,
      healthCheck,
      moreHealthChecks: fc.array(healthCheck, { minLength: 1, maxLength: 2 }),
      outlier,
      tls: upstreamTls,
      proxyProtocol,
      proxyHeader,
      serverNameFrom: options<NonNullable<Cluster['serverNameFrom']>>({ header: label } as never),
      hashPolicy: fc.array(hashPolicy, { minLength: 1, maxLength: 2 }),
      tlsMatches: fc.array(
        object<TlsMatch>(
          {
            name: label,
            labels: fc.dictionary(label, label, { maxKeys: 2, noNullPrototype: true }),
          },
          { tls: upstreamTls, proxyProtocol, proxyHeader },
        ).map(withoutLoneHeader),
        { minLength: 1, maxLength: 2 },
      ),
      pool,
      labels,
    },
  )
    .map(withoutLoneHeader)
    .map(named)
    .map(sound);
}

/** Of several health checks each has a name. */
function named({ healthCheck: first, moreHealthChecks: more, ...rest }: Cluster): Cluster {
  if (first === undefined) return rest;
  if (more === undefined) return { ...rest, healthCheck: first };
  return {
    ...rest,
    healthCheck: { ...first, name: 'first' },
    moreHealthChecks: more.map((check, index) => ({ ...check, name: `more.${index}` })),
  };
}
