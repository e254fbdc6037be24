import type {
  Cluster,
  Endpoint,
  FilterEntry,
  HttpHandler,
  Listener,
  ProxyConfig,
  RouteConfig,
  TcpHandler,
} from '@tulle/model';
import { formatAddress } from '@tulle/model';
import type { Column, View } from '../cli/output.ts';
import {
  stateOf,
  type ConfigDifference,
  type ConfigKind,
  type ResourceState,
} from '../proxies/config-differences.ts';

/** What a proxy should have, and what it has; one of them may be unknown. */
export interface Compared {
  readonly proxy: string;
  readonly should?: ProxyConfig;
  readonly has?: ProxyConfig;
  /** Only where both are known. */
  readonly differences?: readonly ConfigDifference[];
}

/** A row of a resource that stands so. */
interface Stands {
  readonly state: ResourceState | undefined;
}

type Part = 'listeners' | 'routes' | 'clusters' | 'endpoints';
const KIND_OF: Readonly<Record<Part, ConfigKind>> = {
  listeners: 'listener',
  routes: 'route',
  clusters: 'cluster',
  endpoints: 'endpoint',
};

/** Parts by what they are called on the command line. */
export const CONFIG_VIEWS: Readonly<Record<Part | 'filters', (compared: Compared) => View<never>>> = {
  listeners: (compared) => listenerView(compared) as unknown as View<never>,
  routes: (compared) => routeView(compared) as unknown as View<never>,
  clusters: (compared) => clusterView(compared) as unknown as View<never>,
  endpoints: (compared) => endpointView(compared) as unknown as View<never>,
  filters: (compared) => filterView(compared) as unknown as View<never>,
};

/** The resources of one part: what should be there, then what is there and should not. */
function resources<P extends Part>(
  { should, has, differences }: Compared,
  part: P,
): readonly (Stands & { readonly resource: ProxyConfig[P][number] })[] {
  const wanted: readonly ProxyConfig[P][number][] = (should ?? has)?.[part] ?? [];
  const names = new Set(wanted.map(({ name }) => name));
  const extra = (has?.[part] ?? []).filter(({ name }) => !names.has(name));
  return [...wanted, ...extra].map((resource) => ({
    resource,
    state: differences === undefined ? undefined : stateOf(differences, KIND_OF[part], resource.name),
  }));
}

/** Where both sides are known. */
const stateColumn = <Row extends Stands>({ differences }: Compared): readonly Column<Row>[] =>
  differences === undefined ? [] : [{ header: 'STATE', value: (row) => row.state }];

/** For programs: both sides of one part, and where they differ. */
const documentOf = (
  { proxy, should, has, differences }: Compared,
  part: Part,
  pick: (config: ProxyConfig) => unknown = (config) => config[part],
): unknown => ({
  proxy,
  ...(should === undefined ? {} : { should: pick(should) }),
  ...(has === undefined ? {} : { has: pick(has) }),
  ...(differences === undefined
    ? {}
    : { differences: differences.filter(({ kind }) => kind === KIND_OF[part]) }),
});

function listenerView(compared: Compared): View<Stands & { readonly resource: Listener }> {
  return {
    rows: resources(compared, 'listeners'),
    document: documentOf(compared, 'listeners'),
    name: ({ resource }) => resource.name,
    empty: 'No listeners.',
    columns: [
      { header: 'LISTENER', value: ({ resource }) => resource.name },
      { header: 'ADDRESS', value: ({ resource }) => formatAddress(resource.address) },
      { header: 'DIRECTION', value: ({ resource }) => resource.direction },
      {
        header: 'CHAINS',
        value: ({ resource }) =>
          resource.filterChains
            .map((c) => `${c.handler.kind}${c.tls === undefined ? '' : '+tls'}`)
            .join(', '),
      },
      {
        header: 'FILTERS',
        value: ({ resource }) =>
          resource.filterChains.flatMap((c) => (c.handler.filters ?? []).map((f) => f.name)).join(', '),
        wide: true,
      },
      ...stateColumn(compared),
    ],
  };
}

interface RouteRow extends Stands {
  readonly config: string;
  readonly domains: string;
  readonly name: string;
  readonly match: string;
  readonly to: string;
}

/** Of listeners that hold their routes themselves. */
const routesInside = ({ listeners }: ProxyConfig): readonly RouteConfig[] =>
  listeners.flatMap((l) =>
    l.filterChains.flatMap(({ handler }) =>
      handler.kind === 'http' && 'virtualHosts' in handler.routes ? [handler.routes] : [],
    ),
  );

function routeView(compared: Compared): View<RouteRow> {
  const inside = resources(compared, 'listeners').flatMap(({ resource, state }) =>
    routesInside({ listeners: [resource] } as unknown as ProxyConfig).map((config) => ({
      resource: config,
      state,
    })),
  );
  const rows = [...resources(compared, 'routes'), ...inside].flatMap(({ resource: config, state }) =>
    config.virtualHosts.flatMap((host) =>
      host.routes.map((route): RouteRow => ({
        config: config.name,
        domains: host.domains.join(', '),
        name: route.name,
        match: matchText(route.match),
        to: actionText(route.action),
        state,
      })),
    ),
  );
  return {
    rows,
    document: documentOf(compared, 'routes', (config) => [...config.routes, ...routesInside(config)]),
    name: (r) => `${r.config}/${r.name}`,
    empty: 'No routes.',
    columns: [
      { header: 'ROUTES', value: (r) => r.config },
      { header: 'DOMAINS', value: (r) => r.domains, wide: true },
      { header: 'ROUTE', value: (r) => r.name },
      { header: 'MATCH', value: (r) => r.match },
      { header: 'TO', value: (r) => r.to },
      ...stateColumn<RouteRow>(compared),
    ],
  };
}

type Route = RouteConfig['virtualHosts'][number]['routes'][number];

function matchText({ method, path, headers = [], query = [], cookies = [] }: Route['match']): string {
  const prefix = path.kind === 'prefix';
  return [
    method,
    `${prefix ? '' : `${path.kind} `}${path.value}${prefix ? '*' : ''}`,
    ...headers.map((h) => `header ${h.name}`),
    ...query.map((q) => `query ${q.name}`),
    ...cookies.map((c) => `cookie ${c.name}`),
  ]
    .filter(Boolean)
    .join(' ');
}

function actionText(action: Route['action']): string {
  if (action.kind === 'forward')
    return action.clusters
      .map(({ name, clusterHeader = '', weight = 1 }) => {
        const to = name ?? `header ${clusterHeader}`;
        return action.clusters.length === 1 ? to : `${to} ${weight}`;
      })
      .join(', ');
  return action.kind === 'redirect' ? `redirect ${action.status ?? 302}` : `answer ${action.status}`;
}

function clusterView(compared: Compared): View<Stands & { readonly resource: Cluster }> {
  return {
    rows: resources(compared, 'clusters'),
    document: documentOf(compared, 'clusters'),
    name: ({ resource }) => resource.name,
    empty: 'No clusters.',
    columns: [
      { header: 'CLUSTER', value: ({ resource }) => resource.name },
      { header: 'ENDPOINTS', value: ({ resource }) => resource.discovery.kind },
      { header: 'TLS', value: ({ resource: { tls } }) => (tls === undefined ? 'none' : tls.trust.kind) },
      { header: 'BALANCE', value: ({ resource }) => resource.balance?.policy ?? 'peak-ewma' },
      {
        header: 'OUTLIER',
        value: ({ resource: { outlier } }) =>
          outlier === undefined ? 'off' : `${outlier.consecutiveFailures ?? 5} failures`,
        wide: true,
      },
      ...stateColumn(compared),
    ],
  };
}

interface EndpointRow extends Stands {
  readonly set: string;
  readonly endpoint: Endpoint;
}

function endpointView(compared: Compared): View<EndpointRow> {
  const own = resources(compared, 'endpoints').flatMap(({ resource, state }) =>
    resource.endpoints.map((endpoint): EndpointRow => ({ set: resource.name, endpoint, state })),
  );
  const inside = resources(compared, 'clusters').flatMap(({ resource: { name, discovery }, state }) =>
    'endpoints' in discovery
      ? discovery.endpoints.map((endpoint): EndpointRow => ({ set: name, endpoint, state }))
      : [],
  );
  return {
    rows: [...own, ...inside],
    document: documentOf(compared, 'endpoints'),
    name: (row) => formatAddress(row.endpoint.address),
    empty: 'No endpoints.',
    columns: [
      { header: 'CLUSTER', value: (row) => row.set },
      { header: 'ENDPOINT', value: (row) => formatAddress(row.endpoint.address) },
      { header: 'HEALTH', value: (row) => row.endpoint.health ?? 'healthy' },
      { header: 'MODE', value: (row) => row.endpoint.mode },
      { header: 'VERSION', value: (row) => row.endpoint.labels?.['version'] },
      { header: 'IDENTITY', value: (row) => row.endpoint.identity, wide: true },
      ...stateColumn<EndpointRow>(compared),
    ],
  };
}

interface FilterRow extends Stands {
  readonly listener: string;
  readonly filter: FilterEntry;
  /** What it sees: connections, or requests in this place of the chain. */
  readonly sees: string;
}

/** Those that stand before a chain of HTTP. */
function connectionFiltersOf(handler: HttpHandler | TcpHandler): readonly FilterEntry[] {
  return handler.kind === 'http' ? (handler.connectionFilters ?? []) : [];
}

function filterView(compared: Compared): View<FilterRow> {
  const rows = resources(compared, 'listeners').flatMap(({ resource: listener, state }) => {
    const row =
      (sees: string) =>
      (filter: FilterEntry, i: number): FilterRow => ({
        listener: listener.name,
        filter,
        sees: `${sees} ${i + 1}`,
        state,
      });
    return [
      ...(listener.connectionFilters ?? []).map(row('connection')),
      ...listener.filterChains.flatMap(({ handler }) => [
        ...connectionFiltersOf(handler).map(row('connection')),
        ...(handler.filters ?? []).map(row(handler.kind === 'http' ? 'request' : 'bytes')),
      ]),
    ];
  });
  return {
    rows,
    document: documentOf(compared, 'listeners', ({ listeners }) =>
      listeners.flatMap((listener) => [
        ...(listener.connectionFilters ?? []).map((filter) => ({ listener: listener.name, ...filter })),
        ...listener.filterChains.flatMap(({ handler }) =>
          [...connectionFiltersOf(handler), ...(handler.filters ?? [])].map((filter) => ({
            listener: listener.name,
            ...filter,
          })),
        ),
      ]),
    ),
    name: (row) => `${row.listener}/${row.filter.name}`,
    empty: 'No filters.',
    columns: [
      { header: 'LISTENER', value: (row) => row.listener },
      { header: 'SEES', value: (row) => row.sees },
      { header: 'FILTER', value: (row) => row.filter.name },
      { header: 'KIND', value: (row) => row.filter.filter },
      { header: 'CONFIG', value: (row) => JSON.stringify(row.filter.config), wide: true },
      ...stateColumn<FilterRow>(compared),
    ],
  };
}
