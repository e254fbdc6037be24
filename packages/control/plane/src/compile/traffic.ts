import type {
  BalancePolicy,
  Cluster,
  HashPolicy,
  HealthCheck,
  PoolOptions,
  RetryFilterConfig,
  RoutePriority,
  SlowStart,
} from '@tulle/model';
import {
  backendTrafficPolicyFor,
  createdMs,
  parseDurationMs,
  type PortProtocol,
  type RouteKind,
  type TrafficPolicy,
  type TrafficPolicySpec,
} from '@tulle/resources';
import type { World } from '../world.ts';

/** What holds for one target: each part from the first policy that sets it. */
export type Traffic = Partial<Omit<TrafficPolicySpec, 'targetRefs'>>;

/** Policies of a target, older first, then by name; more specific sections before whole targets. */
export function trafficFor(
  world: World,
  namespace: string,
  kind: 'Service' | RouteKind,
  name: string,
  section: string | undefined,
): Traffic {
  const found: { policy: TrafficPolicy; rank: number }[] = [];
  for (const policy of world.in('TrafficPolicy', namespace)) {
    for (const target of policy.spec.targetRefs) {
      if (target.kind !== kind || target.name !== name) continue;
      if (target.sectionName === undefined) found.push({ policy, rank: 1 });
      else if (target.sectionName === section) found.push({ policy, rank: 0 });
    }
  }
  found.sort(
    (a, b) =>
      a.rank - b.rank ||
      (createdMs(a.policy.metadata) ?? Infinity) - (createdMs(b.policy.metadata) ?? Infinity) ||
      (a.policy.metadata.name < b.policy.metadata.name ? -1 : 1),
  );
  const budget = kind === 'Service' ? retryConstraintOf(world, namespace, name) : {};
  return found.reduceRight<Traffic>((merged, { policy }) => {
    const parts: Traffic & { targetRefs?: unknown } = { ...policy.spec };
    delete parts.targetRefs;
    return { ...merged, ...parts };
  }, budget);
}

/** The budget by the oldest XBackendTrafficPolicy of a Service, then the first by name. */
function retryConstraintOf(world: World, namespace: string, name: string): Traffic {
  const policies = world.in('XBackendTrafficPolicy', namespace);
  const first = backendTrafficPolicyFor(policies, 'retryConstraint', { namespace, name });
  if (first === undefined) return {};
  const { budget, minRetryRate } = first.spec.retryConstraint ?? {};
  const { count = 10, interval = '1s' } = minRetryRate ?? {};
  return {
    retryBudget: {
      percent: budget?.percent ?? 20,
      interval: budget?.interval ?? '10s',
      minPerSecond: (count * 1_000) / (parseDurationMs(interval) ?? 1_000),
    },
  };
}

const ms = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : parseDurationMs(text);

/** Fields whose value is there. */
function given<T extends object>(fields: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, v]) => v !== undefined)) as T;
}

/** What is spoken to endpoints; `auto`: what ALPN chooses. */
export type CallProtocol = PortProtocol | 'auto';

/** Parts of a cluster that a policy sets; ejection is on unless it says otherwise. */
export function clusterTraffic(traffic: Traffic, protocol: CallProtocol): Partial<Cluster> {
  const { outlierDetection: outlier, limits, retryBudget, timeouts, connectionPool: pool } = traffic;
  const budget =
    retryBudget === undefined
      ? undefined
      : given<object>({
          percent: retryBudget.percent,
          minPerSecond: retryBudget.minPerSecond,
          intervalMs: ms(retryBudget.interval),
        });
  return given<Partial<Cluster>>({
    balance: balanceOf(traffic, protocol !== 'tcp'),
    // What a source calls unhealthy is so by its own word, and ejection leaves most of a set alone.
    panicThresholdPercent: traffic.panicThresholdPercent ?? (traffic.healthCheck === undefined ? 0 : 50),
    healthCheck: healthCheckOf(traffic),
    connectTimeoutMs: ms(timeouts?.connect),
    limits:
      limits === undefined && budget === undefined
        ? undefined
        : { ...limits, ...(budget === undefined ? {} : { retryBudget: budget }) },
    outlier:
      outlier?.disabled === true
        ? undefined
        : given<NonNullable<Cluster['outlier']>>({
            consecutiveFailures: outlier?.consecutiveFailures,
            intervalMs: ms(outlier?.interval),
            baseEjectionMs: ms(outlier?.baseEjection),
            maxEjectionMs: ms(outlier?.maxEjection),
            maxEjectionPercent: outlier?.maxEjectionPercent,
            successRate:
              outlier?.successRate === undefined
                ? undefined
                : {
                    belowPercent: outlier.successRate.belowPercent,
                    windowMs: ms(outlier.successRate.window) ?? 10_000,
                    minimumRequests: outlier.successRate.minimumRequests ?? 5,
                  },
          }),
    pool: poolOf(pool, protocol),
    labels: undefined,
    name: undefined,
    discovery: undefined,
    tls: undefined,
  });
}

function poolOf(pool: Traffic['connectionPool'], protocol: CallProtocol): PoolOptions | undefined {
  const said = given<PoolOptions>({
    idleTimeoutMs: ms(pool?.idleTimeout),
    maxRequestsPerConnection: pool?.maxRequestsPerConnection,
    maxIdlePerEndpoint: pool?.maxIdlePerEndpoint,
    protocol: protocol === 'http2' || protocol === 'auto' ? protocol : undefined,
  });
  return Object.keys(said).length === 0 ? undefined : said;
}

function balanceOf({ balancing }: Traffic, http: boolean): BalancePolicy {
  switch (balancing?.policy) {
    case 'RoundRobin':
      return { policy: 'round-robin', ...slowStartOf(balancing) };
    case 'Random':
      return { policy: 'random' };
    case 'LeastRequest':
      return {
        policy: 'least-request',
        ...(balancing.choices === undefined ? {} : { choices: balancing.choices }),
        ...slowStartOf(balancing),
      };
    case 'RingHash':
      return {
        policy: 'ring-hash',
        ...given<object>({ minRingSize: balancing.minRingSize, maxRingSize: balancing.maxRingSize }),
      };
    case 'Maglev':
      return { policy: 'maglev', ...given<object>({ tableSize: balancing.tableSize }) };
    case 'PeakEWMA':
      return {
        policy: 'peak-ewma',
        ...given<object>({ defaultRttMs: ms(balancing.defaultRtt), decayMs: ms(balancing.decay) }),
      };
    default:
      return http ? { policy: 'peak-ewma' } : { policy: 'least-request' };
  }
}

/** What requests of a Service are told together by, where its endpoints are chosen by that. */
export function hashPolicyOf({ balancing }: Traffic): readonly HashPolicy[] | undefined {
  return balancing?.hashOn?.map(({ header, queryParam, cookie }): HashPolicy => {
    const terminal = true;
    if (header !== undefined) return { kind: 'header', name: header.toLowerCase(), terminal };
    if (queryParam !== undefined) return { kind: 'query', name: queryParam, terminal };
    if (cookie === undefined) return { kind: 'source-ip', terminal };
    return {
      kind: 'cookie',
      name: cookie.name,
      ...given<object>({ ttlMs: ms(cookie.ttl), path: cookie.path }),
      terminal,
    };
  });
}

function slowStartOf({ slowStart }: NonNullable<Traffic['balancing']>): { slowStart?: SlowStart } {
  if (slowStart === undefined) return {};
  const { window, aggression, minWeightPercent } = slowStart;
  return { slowStart: given<SlowStart>({ windowMs: ms(window) ?? 0, aggression, minWeightPercent }) };
}

function healthCheckOf({ healthCheck }: Traffic): HealthCheck | undefined {
  if (healthCheck === undefined) return undefined;
  const { http, grpc, unhealthyThreshold = 3, healthyThreshold = 2 } = healthCheck;
  const intervalMs = ms(healthCheck.interval) ?? 10_000;
  const rhythm = {
    intervalMs,
    timeoutMs: ms(healthCheck.timeout) ?? 5_000,
    unhealthyThreshold,
    healthyThreshold,
    // Callers that were configured at the same moment must not ask at the same moment for ever.
    intervalJitterMs: ms(healthCheck.jitter) ?? Math.round(intervalMs / 10),
    ...given<object>({ noTrafficIntervalMs: ms(healthCheck.noTrafficInterval) }),
  };
  if (grpc !== undefined) return given<HealthCheck>({ kind: 'grpc', ...rhythm, service: grpc.service });
  if (http === undefined) return { kind: 'tcp', ...rhythm };
  return {
    kind: 'http',
    path: http.path,
    ...rhythm,
    ...given<object>({
      host: http.host,
      expectedStatuses: http.expectedStatuses?.map((text) => {
        const [from, to = from] = text.split('-');
        return { from: Number(from), to: Number(to) };
      }),
    }),
  };
}

/** Timeouts of a route, and whether it may repeat what has an Idempotency-Key. */
export function routeTimes(traffic: Traffic): {
  requestTimeoutMs?: number;
  perTryTimeoutMs?: number;
  idleTimeoutMs?: number;
  trustIdempotencyKey?: boolean;
} {
  return given({
    requestTimeoutMs: ms(traffic.timeouts?.request),
    perTryTimeoutMs: ms(traffic.timeouts?.backendRequest),
    idleTimeoutMs: ms(traffic.timeouts?.idle),
    trustIdempotencyKey: traffic.retries?.trustIdempotencyKey === true ? true : undefined,
  });
}

/** Who is refused last while a proxy sheds load; what is the default is not told. */
export function priorityOf({ priority }: Traffic): { readonly priority?: RoutePriority } {
  if (priority === undefined || priority === 'Default') return {};
  return { priority: priority.toLowerCase() as RoutePriority };
}

/** Retry policy; `null` switches retries off, `undefined` keeps the default. */
export function retryOf({ retries }: Traffic): RetryFilterConfig | null | undefined {
  if (retries === undefined) return undefined;
  if (retries.attempts === 0) return null;
  const on =
    retries.on ??
    (retries.codes === undefined ? undefined : (['connect-failure', 'reset', 'status-codes'] as const));
  return given<RetryFilterConfig>({
    retries: retries.attempts,
    on,
    statusCodes: retries.codes,
    backoffBaseMs: ms(retries.backoff),
    backoffMaxMs: ms(retries.maxBackoff),
  });
}
