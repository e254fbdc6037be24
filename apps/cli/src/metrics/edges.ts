import type { Sample } from './metrics-page.ts';

/** Who calls whom, as proxies have counted it since they started. */
export interface Edge {
  readonly source: string;
  readonly sourceNamespace: string;
  readonly destination: string;
  readonly destinationNamespace: string;
  /** Requests, and TCP connections that have ended; on the side that has counted more, since both count a call. */
  readonly calls: number;
  /** Of those, by how the way between the two was secured; empty where nobody knows. */
  readonly security: Readonly<Record<string, number>>;
}

const COUNTERS: ReadonlySet<string> = new Set(['tulle_requests_total', 'tulle_tcp_connections_total']);

/** Puts the counters of all proxies together. A call that never reached anybody is none. */
export function edgesOf(samples: readonly Sample[]): Edge[] {
  const edges = new Map<string, { readonly labels: Sample['labels']; readonly sides: Map<string, Side> }>();
  for (const { name, labels, value } of samples) {
    if (!COUNTERS.has(name) || value === 0) continue;
    const {
      source_workload: source = '',
      source_namespace: from = '',
      destination_service: destination = '',
      destination_namespace: to = '',
      direction = '',
      connection_security: security = '',
      response_code: status,
      flags = '',
    } = labels;
    if (direction === 'outbound' && (NOBODY.test(flags) || destination === 'unknown')) continue;
    const key = JSON.stringify([source, from, destination, to]);
    const edge = edges.get(key) ?? { labels, sides: new Map<string, Side>() };
    edges.set(key, edge);
    const side = edge.sides.get(direction) ?? { calls: 0, security: {} };
    edge.sides.set(direction, side);
    side.calls += value;
    if (security !== '' && status !== '0') side.security[security] = (side.security[security] ?? 0) + value;
  }
  return [...edges.values()].map(({ labels, sides }) => {
    const most = [...sides.values()].reduce((a, b) => (b.calls > a.calls ? b : a));
    return {
      source: labels['source_workload'] ?? '',
      sourceNamespace: labels['source_namespace'] ?? '',
      destination: labels['destination_service'] ?? '',
      destinationNamespace: labels['destination_namespace'] ?? '',
      calls: most.calls,
      security: most.security,
    };
  });
}

interface Side {
  calls: number;
  readonly security: Record<string, number>;
}

/** Flags of calls that reached no endpoint: none there, no connection, no cluster. */
const NOBODY = /(?:^|,)(?:UH|UF|NC|NR|UO)(?:,|$)/;
