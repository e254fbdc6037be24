import type { Cluster, Endpoint, EndpointSet, Listener, ProxyConfig, RouteConfig } from '@tulle/model';
import { formatAddress } from '@tulle/model';
import { apiClient } from '../api/api-client.ts';
import { API_OPTION, findApi } from '../api/find-control-plane.ts';
import { closest } from '../cli/closest.ts';
import { defineCommand, type Command } from '../cli/command.ts';
import { CliError, EXIT } from '../cli/exit-codes.ts';
import { OUTPUT_OPTION, printView, type Format, type View } from '../cli/output.ts';
import { instanceOf, type MeshStatus, type ProxyRow } from './status.ts';

export const command: Command = defineCommand({
  summary: 'Show what a proxy should have: listeners, routes, clusters, endpoints',
  args: [
    { name: 'WHAT', help: 'which part', choices: ['listeners', 'routes', 'clusters', 'endpoints', 'all'] },
    { name: 'PROXY', help: 'workload or instance, or either with .namespace, or node id; see tulle status' },
  ],
  options: {
    'no-headers': { type: 'boolean', help: 'leave the head of the table out' },
    ...OUTPUT_OPTION,
    ...API_OPTION,
  },
  examples: [
    { command: 'tulle config routes web', does: 'where a request of web goes' },
    { command: 'tulle config all web -o json', does: 'everything, as the proxy takes it' },
  ],
  async run({ io, options, args, signal }) {
    const client = apiClient(await findApi(io, options.api), signal);
    const { proxies } = await client.must<MeshStatus>('GET', '/api/v1/status');
    const proxy = findProxy(
      proxies.filter(({ connected }) => connected),
      args[1] as string,
    );
    const config = await client.must<ProxyConfig>(
      'GET',
      `/api/v1/proxies/${encodeURIComponent(proxy.id)}/config`,
    );
    const format = (options.output ?? 'table') as Format;
    const print = async <Row>(view: View<Row>): Promise<void> =>
      printView(io, format, view, options['no-headers']);
    const [what] = args;
    if (what === 'all' && format !== 'table' && format !== 'wide') {
      await print({ rows: [config], document: config, columns: [], name: () => proxy.id });
      return EXIT.ok;
    }
    const part = (name: string): boolean => what === name || what === 'all';
    if (part('listeners')) await print(listenerView(config.listeners));
    if (what === 'all') io.out('\n');
    if (part('routes')) await print(routeView(routesOf(config)));
    if (what === 'all') io.out('\n');
    if (part('clusters')) await print(clusterView(config.clusters));
    if (what === 'all') io.out('\n');
    if (part('endpoints')) await print(endpointView(config));
    return EXIT.ok;
  },
});

function findProxy(proxies: readonly ProxyRow[], wanted: string): ProxyRow {
  const found = proxies.filter(
    (p) =>
      p.id === wanted ||
      [p.workload, instanceOf(p)].some((name) => wanted === name || wanted === `${name}.${p.namespace}`),
  );
  if (found.length === 1) return found[0] as ProxyRow;
  if (found.length > 1)
    throw new CliError(
      EXIT.failed,
      `${wanted} has ${found.length} proxies`,
      `name one of them: ${found.map((p) => `${instanceOf(p)}.${p.namespace}`).join(', ')}`,
    );
  const guess = closest(
    wanted,
    proxies.map((p) => p.workload),
  );
  throw new CliError(
    EXIT.failed,
    `no proxy ${wanted} is connected`,
    guess === undefined ? '`tulle status` lists them' : `did you mean ${guess}?`,
  );
}

function listenerView(listeners: readonly Listener[]): View<Listener> {
  return {
    rows: listeners,
    name: (l) => l.name,
    empty: 'No listeners.',
    columns: [
      { header: 'LISTENER', value: (l) => l.name },
      { header: 'ADDRESS', value: (l) => formatAddress(l.address) },
      { header: 'DIRECTION', value: (l) => l.direction },
      {
        header: 'CHAINS',
        value: (l) =>
          l.filterChains.map((c) => `${c.handler.kind}${c.tls === undefined ? '' : '+tls'}`).join(', '),
      },
      {
        header: 'FILTERS',
        value: (l) => l.filterChains.flatMap((c) => (c.handler.filters ?? []).map((f) => f.name)).join(', '),
        wide: true,
      },
    ],
  };
}

interface RouteRow {
  readonly config: string;
  readonly domains: string;
  readonly name: string;
  readonly match: string;
  readonly to: string;
}

function routesOf({ listeners, routes }: ProxyConfig): readonly RouteConfig[] {
  const inside = listeners.flatMap((l) =>
    l.filterChains.flatMap(({ handler }) =>
      handler.kind === 'http' && 'virtualHosts' in handler.routes ? [handler.routes] : [],
    ),
  );
  return [...routes, ...inside];
}

function routeView(configs: readonly RouteConfig[]): View<RouteRow> {
  const rows = configs.flatMap((config) =>
    config.virtualHosts.flatMap((host) =>
      host.routes.map((route): RouteRow => {
        const { match, action } = route;
        const conditions = [
          ...(match.headers ?? []).map((h) => `header ${h.name}`),
          ...(match.query ?? []).map((q) => `query ${q.name}`),
        ];
        return {
          config: config.name,
          domains: host.domains.join(', '),
          name: route.name,
          match: [
            match.method,
            `${match.path.kind === 'prefix' ? '' : `${match.path.kind} `}${match.path.value}${match.path.kind === 'prefix' ? '*' : ''}`,
            ...conditions,
          ]
            .filter(Boolean)
            .join(' '),
          to:
            action.kind === 'forward'
              ? action.clusters
                  .map((c) => (action.clusters.length === 1 ? c.name : `${c.name} ${c.weight ?? 1}`))
                  .join(', ')
              : action.kind === 'redirect'
                ? `redirect ${action.status ?? 302}`
                : `answer ${action.status}`,
        };
      }),
    ),
  );
  return {
    rows,
    document: configs,
    name: (r) => `${r.config}/${r.name}`,
    empty: 'No routes.',
    columns: [
      { header: 'ROUTES', value: (r) => r.config },
      { header: 'DOMAINS', value: (r) => r.domains, wide: true },
      { header: 'ROUTE', value: (r) => r.name },
      { header: 'MATCH', value: (r) => r.match },
      { header: 'TO', value: (r) => r.to },
    ],
  };
}

function clusterView(clusters: readonly Cluster[]): View<Cluster> {
  return {
    rows: clusters,
    name: (c) => c.name,
    empty: 'No clusters.',
    columns: [
      { header: 'CLUSTER', value: (c) => c.name },
      { header: 'ENDPOINTS', value: (c) => c.discovery.kind },
      { header: 'TLS', value: (c) => (c.tls === undefined ? 'none' : c.tls.trust.kind) },
      { header: 'BALANCE', value: (c) => c.balance?.policy ?? 'peak-ewma' },
      {
        header: 'OUTLIER',
        value: (c) => (c.outlier === undefined ? 'off' : `${c.outlier.consecutiveFailures ?? 5} failures`),
        wide: true,
      },
    ],
  };
}

function endpointView({
  clusters,
  endpoints,
}: ProxyConfig): View<{ readonly set: string; readonly endpoint: Endpoint }> {
  const sets: EndpointSet[] = [
    ...endpoints,
    ...clusters.flatMap((c) =>
      c.discovery.kind === 'eds' ? [] : [{ name: c.name, endpoints: c.discovery.endpoints }],
    ),
  ];
  return {
    rows: sets.flatMap((set) => set.endpoints.map((endpoint) => ({ set: set.name, endpoint }))),
    document: sets,
    item: (row) => row,
    name: (row) => formatAddress(row.endpoint.address),
    empty: 'No endpoints.',
    columns: [
      { header: 'CLUSTER', value: (row) => row.set },
      { header: 'ENDPOINT', value: (row) => formatAddress(row.endpoint.address) },
      { header: 'HEALTH', value: (row) => row.endpoint.health ?? 'healthy' },
      { header: 'MODE', value: (row) => row.endpoint.mode },
      { header: 'VERSION', value: (row) => row.endpoint.labels?.['version'] },
      { header: 'IDENTITY', value: (row) => row.endpoint.identity, wide: true },
    ],
  };
}
