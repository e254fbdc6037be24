import { create, toJson } from '@bufbuild/protobuf';
import { type HostStatus, ClustersSchema } from '@tulle/xds-proto/envoy/admin/v3/clusters';
import { SimpleMetric_Type as MetricType } from '@tulle/xds-proto/envoy/admin/v3/metrics';
import { RoutingPriority } from '@tulle/xds-proto/envoy/config/core/v3/base';
import { HealthStatus } from '@tulle/xds-proto/envoy/config/core/v3/health_check';
import type { AdminHost } from './admin-host.ts';
import { listOf } from './ask-front.ts';
import { clustersOf, givenNames } from './cluster-names.ts';
import { addressFields } from './listeners-page.ts';

/** An endpoint as the engine tells it. */
interface EndpointPart {
  readonly address: string;
  readonly health: string;
  readonly ejected: boolean;
  readonly healthCheck?: string;
  readonly weight: number;
  readonly priority: number;
  readonly locality: { readonly region?: string; readonly zone?: string; readonly subZone?: string };
  readonly hostname?: string;
  readonly active: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly connections: number;
  readonly opened: number;
  readonly connectFailures: number;
  readonly carried: number;
  readonly uncarried: number;
  readonly sent: number;
  readonly timeouts: number;
  readonly waiting: number;
}

interface LimitsPart {
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  readonly maxRetries?: number;
}

/** A cluster, likewise. */
interface ClusterPart {
  readonly name: string;
  readonly limits: LimitsPart;
  readonly highLimits: LimitsPart;
  readonly endpoints: readonly EndpointPart[];
}

const partsOf = (page: Readonly<Record<string, unknown>>): readonly ClusterPart[] =>
  listOf<ClusterPart>(page, 'clusters');

/** What both pages say of a cluster beside what the engine tells. */
interface ClusterFacts {
  /** What statistics call it (Envoy `alt_stat_name`). */
  observabilityName(name: string): string;
  isAdded(name: string): boolean;
}

function factsOf(host: AdminHost): ClusterFacts {
  const fixed = new Set(host.fixed().clusters.map(({ name }) => name));
  const named = givenNames(clustersOf(host));
  return { observabilityName: named, isAdded: (name) => !fixed.has(name) };
}

/** Numbers of an endpoint, counters first, as there; connections of bytes are no success of a request, and no error. */
const numbersOf = (
  endpoint: EndpointPart,
): readonly (readonly [name: string, value: number, type: 'COUNTER' | 'GAUGE'])[] => [
  ['cx_connect_fail', endpoint.connectFailures, 'COUNTER'],
  ['cx_total', endpoint.opened, 'COUNTER'],
  ['rq_error', endpoint.failed - endpoint.uncarried, 'COUNTER'],
  ['rq_success', endpoint.succeeded - endpoint.carried, 'COUNTER'],
  ['rq_timeout', endpoint.timeouts, 'COUNTER'],
  ['rq_total', endpoint.sent, 'COUNTER'],
  ['cx_active', endpoint.connections, 'GAUGE'],
  ['rq_active', Math.max(0, endpoint.active - endpoint.waiting), 'GAUGE'],
  ['rq_pending_active', endpoint.waiting, 'GAUGE'],
];

/** In the text they stand by name. */
const byName = (a: readonly [string, ...unknown[]], b: readonly [string, ...unknown[]]): number =>
  a[0] < b[0] ? -1 : 1;

const limitLines = (limits: LimitsPart, path: string): string[] => [
  `${path}::max_connections::${limits.maxConnections}`,
  `${path}::max_pending_requests::${limits.maxPendingRequests}`,
  `${path}::max_requests::${limits.maxRequests}`,
  ...(limits.maxRetries === undefined ? [] : [`${path}::max_retries::${limits.maxRetries}`]),
];

function flagsOf(endpoint: EndpointPart): string {
  const flags = [
    ...(endpoint.healthCheck === 'unhealthy' ? ['failed_active_hc'] : []),
    ...(endpoint.ejected ? ['failed_outlier_check'] : []),
    ...(endpoint.health === 'unhealthy' || endpoint.health === 'draining' ? ['failed_eds_health'] : []),
    ...(endpoint.health === 'degraded' ? ['degraded_eds_health'] : []),
  ];
  return flags.length === 0 ? 'healthy' : flags.map((flag) => `/${flag}`).join('');
}

/** Envoy's lines, `cluster::endpoint::name::value`. */
export function clustersText(page: Readonly<Record<string, unknown>>, host: AdminHost): string {
  const facts = factsOf(host);
  return partsOf(page)
    .flatMap(({ name, limits, highLimits, endpoints }) => [
      `${name}::observability_name::${facts.observabilityName(name)}`,
      ...limitLines(limits, `${name}::default_priority`),
      ...limitLines(highLimits, `${name}::high_priority`),
      `${name}::added_via_api::${facts.isAdded(name)}`,
      ...endpoints.flatMap((endpoint) => {
        const { region = '', zone = '', subZone = '' } = endpoint.locality;
        const lines: readonly (readonly [string, string | number])[] = [
          ...numbersOf(endpoint)
            .toSorted(byName)
            .map(([key, value]) => [key, value] as const),
          ['hostname', endpoint.hostname ?? ''],
          ['health_flags', flagsOf(endpoint)],
          ['weight', endpoint.weight],
          ['region', region],
          ['zone', zone],
          ['sub_zone', subZone],
          ['canary', 'false'],
          ['priority', endpoint.priority],
        ];
        return lines.map(([key, value]) => `${name}::${endpoint.address}::${key}::${value}`);
      }),
    ])
    .map((line) => `${line}\n`)
    .join('');
}

/** `envoy.admin.v3.Clusters`. */
export function clustersJson(page: Readonly<Record<string, unknown>>, host: AdminHost): unknown {
  const facts = factsOf(host);
  const clusters = create(ClustersSchema, {
    clusterStatuses: partsOf(page).map(({ name, limits, highLimits, endpoints }) => ({
      name,
      addedViaApi: facts.isAdded(name),
      observabilityName: facts.observabilityName(name),
      circuitBreakers: {
        thresholds: [limits, { ...highLimits, priority: RoutingPriority.HIGH }],
      },
      hostStatuses: endpoints.map(
        (endpoint): Partial<HostStatus> =>
          ({
            address: { address: addressFields(endpoint.address) },
            stats: numbersOf(endpoint).map(([key, value, type]) => ({
              name: key,
              value: BigInt(value),
              type: MetricType[type],
            })),
            healthStatus: {
              edsHealthStatus: edsHealth(endpoint.health),
              failedActiveHealthCheck: endpoint.healthCheck === 'unhealthy',
              failedOutlierCheck: endpoint.ejected,
            },
            hostname: endpoint.hostname ?? '',
            weight: Math.round(endpoint.weight),
            priority: endpoint.priority,
            locality: { region: '', zone: '', subZone: '', ...endpoint.locality },
          }) as never,
      ),
    })) as never,
  });
  return toJson(ClustersSchema, clusters, { useProtoFieldName: true });
}

function edsHealth(health: string): HealthStatus {
  switch (health) {
    case 'unhealthy':
      return HealthStatus.UNHEALTHY;
    case 'draining':
      return HealthStatus.DRAINING;
    case 'degraded':
      return HealthStatus.DEGRADED;
    default:
      return HealthStatus.HEALTHY;
  }
}
