import { durationMs } from '@bufbuild/protobuf/wkt';
import type { Counter, Meter } from '@tulle/telemetry';
import type { ClusterStats } from '@tulle/xds-proto/envoy/config/endpoint/v3/load_report';

/** Requests to a cluster, as clients counted them. */
export interface LoadCounts {
  /** Begun. */
  readonly issued: number;
  /** Ended well, and not. */
  readonly succeeded: number;
  readonly failed: number;
  /** Refused by the client, such as by a circuit breaker. */
  readonly dropped: number;
}

/** What one client says of the load that it puts on one cluster. */
export interface ClusterLoad {
  readonly cluster: string;
  /** Name of its endpoints, where that is another. */
  readonly service?: string;
  /** Since the server began to count. */
  readonly total: LoadCounts;
  /** In the last report. */
  readonly last: LoadCounts & {
    readonly atMs: number;
    readonly intervalMs: number;
    /** By `region/zone/subZone` and priority. */
    readonly localities: readonly LocalityLoad[];
  };
}

/** Load on the endpoints of one place. */
export interface LocalityLoad extends Omit<LoadCounts, 'dropped'> {
  readonly locality: string;
  readonly priority: number;
  /** Requests under way when the report was made. */
  readonly inProgress: number;
  /** `host:port` of endpoints, where the client says. */
  readonly endpoints: readonly (Omit<LoadCounts, 'dropped'> & {
    readonly address: string;
    readonly inProgress: number;
  })[];
}

/** What one client reports. */
export interface NodeLoad {
  readonly node: string;
  readonly reports: number;
  readonly clusters: readonly ClusterLoad[];
}

/** Reports of load, by client. */
export interface LoadReports {
  add(node: string, stats: readonly ClusterStats[], atMs: number): void;
  /** @param node only this one */
  all(node?: string): readonly NodeLoad[];
}

/** Clients that are remembered; past it the one that was silent longest is forgotten. */
const MAX_NODES = 10_000;
/** Clusters that are told apart: of one client, and in metrics. */
const MAX_CLUSTERS = 1_000;
const OTHERS = '(others)';

interface Known {
  reports: number;
  readonly clusters: Map<string, ClusterLoad>;
}

/** @param meter where sums over all clients go, by cluster */
export function createLoadReports(meter: Meter): LoadReports {
  const nodes = new Map<string, Known>();
  const counters = new Map<string, Readonly<Record<keyof LoadCounts, Counter>>>();

  function countersOf(cluster: string): Readonly<Record<keyof LoadCounts, Counter>> {
    const key = counters.has(cluster) || counters.size < MAX_CLUSTERS ? cluster : OTHERS;
    let found = counters.get(key);
    if (!found) {
      const one = (outcome: keyof LoadCounts): Counter =>
        meter.counter('tulle_load_report_requests_total', {
          help: 'Requests to a cluster that clients report (LRS), by what became of them',
          labels: { cluster: key, outcome },
        });
      found = {
        issued: one('issued'),
        succeeded: one('succeeded'),
        failed: one('failed'),
        dropped: one('dropped'),
      };
      counters.set(key, found);
    }
    return found;
  }

  return {
    add(node, stats, atMs) {
      const known: Known = nodes.get(node) ?? { reports: 0, clusters: new Map<string, ClusterLoad>() };
      // The last one in the order is the one that spoke last.
      nodes.delete(node);
      nodes.set(node, known);
      if (nodes.size > MAX_NODES) for (const oldest of nodes.keys()) if (nodes.delete(oldest)) break;
      known.reports++;
      for (const one of stats) {
        const given = one.clusterName;
        const cluster = known.clusters.has(given) || known.clusters.size < MAX_CLUSTERS ? given : OTHERS;
        const load = loadOf(cluster, one, atMs, known.clusters.get(cluster)?.total);
        known.clusters.set(cluster, load);
        const metrics = countersOf(given);
        for (const key of ['issued', 'succeeded', 'failed', 'dropped'] as const)
          metrics[key].add(load.last[key]);
      }
    },
    all: (node) =>
      [...nodes]
        .filter(([name]) => node === undefined || node === name)
        .map(([name, { reports, clusters }]) => ({ node: name, reports, clusters: [...clusters.values()] })),
  };
}

function loadOf(
  cluster: string,
  stats: ClusterStats,
  atMs: number,
  before: LoadCounts | undefined,
): ClusterLoad {
  const localities = stats.upstreamLocalityStats.map((one): LocalityLoad => {
    const { region = '', zone = '', subZone = '' } = one.locality ?? {};
    return {
      locality: [region, zone, subZone].filter((part) => part !== '').join('/'),
      priority: one.priority,
      issued: Number(one.totalIssuedRequests),
      succeeded: Number(one.totalSuccessfulRequests),
      failed: Number(one.totalErrorRequests),
      inProgress: Number(one.totalRequestsInProgress),
      endpoints: one.upstreamEndpointStats.map((endpoint) => ({
        address: addressOf(endpoint.address),
        issued: Number(endpoint.totalIssuedRequests),
        succeeded: Number(endpoint.totalSuccessfulRequests),
        failed: Number(endpoint.totalErrorRequests),
        inProgress: Number(endpoint.totalRequestsInProgress),
      })),
    };
  });
  const sum = (key: 'issued' | 'succeeded' | 'failed'): number =>
    localities.reduce((all, one) => all + one[key], 0);
  const last: LoadCounts = {
    issued: sum('issued'),
    succeeded: sum('succeeded'),
    failed: sum('failed'),
    dropped: Number(stats.totalDroppedRequests),
  };
  return {
    cluster,
    ...(stats.clusterServiceName === '' ? {} : { service: stats.clusterServiceName }),
    total: {
      issued: (before?.issued ?? 0) + last.issued,
      succeeded: (before?.succeeded ?? 0) + last.succeeded,
      failed: (before?.failed ?? 0) + last.failed,
      dropped: (before?.dropped ?? 0) + last.dropped,
    },
    last: {
      ...last,
      atMs,
      intervalMs: stats.loadReportInterval ? durationMs(stats.loadReportInterval) : 0,
      localities,
    },
  };
}

type Address = ClusterStats['upstreamLocalityStats'][number]['upstreamEndpointStats'][number]['address'];

function addressOf(address: Address): string {
  const one = address?.address;
  if (one?.case === 'socketAddress') {
    const { address: host, portSpecifier: port } = one.value;
    return port.case === 'portValue' ? `${host.includes(':') ? `[${host}]` : host}:${port.value}` : host;
  }
  return one?.case === 'pipe' ? `unix:${one.value.path}` : '';
}
