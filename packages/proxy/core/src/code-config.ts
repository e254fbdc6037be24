import {
  TulleError,
  type AnyConnFilter,
  type AnyHttpFilter,
  type ConnFilterUse,
  type HttpFilterUse,
} from '@tulle/filter';
import type {
  Address,
  ChainMatch,
  Cluster,
  DirectResponseAction,
  DownstreamTls,
  Endpoint,
  FilterEntry,
  ForwardAction,
  HttpHandler,
  Listener,
  PathMatch,
  ProxyConfig,
  RedirectAction,
  Route,
  RouteConfig,
  TcpHandler,
  WeightedCluster,
} from '@tulle/model';
import type { CodeFilterChain, CodeListener, ProxyOptions } from './options.ts';

/** Small helpers that make plain model data, so that a proxy in code reads well. Everything they make can be written by hand. */

/** Where a listener in code listens. */
type At = { readonly port: number; readonly host?: string } | { readonly path: string };

function addressOf(at: At): Address {
  return 'path' in at ? { path: at.path } : { host: at.host ?? '127.0.0.1', port: at.port };
}

/** Options of {@link httpListener}; those of the model's `HttpHandler` apply as well. */
export type HttpListenerOptions = At &
  Omit<HttpHandler, 'kind' | 'routes' | 'filters' | 'connectionFilters'> &
  Pick<Listener, 'direction' | 'maxConnections' | 'bufferLimitBytes'> & {
    /** Default `http`. */
    readonly name?: string;
    /** Routes for every host, or virtual hosts, or the name of a route configuration. */
    readonly routes: readonly Route[] | Omit<RouteConfig, 'name'> | { readonly routeConfigName: string };
    /** In order: the first sees the request first and the response last. */
    readonly filters?: readonly HttpFilterUse[];
    readonly connectionFilters?: readonly ConnFilterUse[];
    readonly tls?: DownstreamTls;
    readonly match?: ChainMatch;
  };

/** An HTTP listener with one filter chain. `host` is the loopback address unless given. */
export function httpListener(options: HttpListenerOptions): CodeListener {
  const {
    name = 'http',
    routes,
    filters = [],
    connectionFilters,
    tls,
    match,
    direction,
    maxConnections,
    bufferLimitBytes,
    ...rest
  } = options;
  const {
    host: _host,
    port: _port,
    path: _path,
    ...handler
  } = rest as typeof rest & { host?: string; port?: number; path?: string };
  const routeConfig =
    'routeConfigName' in routes
      ? routes
      : 'virtualHosts' in routes
        ? { ...routes, name }
        : { name, virtualHosts: [{ name: 'all', domains: ['*'], routes }] };
  return {
    name,
    address: addressOf(options),
    ...(direction === undefined ? {} : { direction }),
    ...(maxConnections === undefined ? {} : { maxConnections }),
    ...(bufferLimitBytes === undefined ? {} : { bufferLimitBytes }),
    ...(connectionFilters === undefined ? {} : { connectionFilters }),
    filterChains: [
      {
        name,
        ...(tls === undefined ? {} : { tls }),
        ...(match === undefined ? {} : { match }),
        handler: { ...handler, kind: 'http', routes: routeConfig, filters },
      },
    ],
  };
}

/** Options of {@link tcpListener}. */
export type TcpListenerOptions = At &
  Omit<TcpHandler, 'kind' | 'clusters' | 'filters'> &
  Pick<Listener, 'direction' | 'maxConnections' | 'bufferLimitBytes'> & {
    /** Default `tcp`. */
    readonly name?: string;
    /** One cluster, or a split by weight. */
    readonly cluster: string | readonly { readonly name: string; readonly weight?: number }[];
    readonly filters?: readonly ConnFilterUse[];
    readonly tls?: DownstreamTls;
  };

/** A listener that passes bytes on. */
export function tcpListener(options: TcpListenerOptions): CodeListener {
  const {
    name = 'tcp',
    cluster,
    filters,
    tls,
    direction,
    maxConnections,
    bufferLimitBytes,
    idleTimeoutMs,
    statPrefix,
    accessLogs,
    hash,
    maxConnectAttempts,
    connectBackoff,
    maxDurationMs,
    maxDurationJitterPercent,
    tunnel,
    logMoments,
  } = options;
  return {
    name,
    address: addressOf(options),
    ...(direction === undefined ? {} : { direction }),
    ...(maxConnections === undefined ? {} : { maxConnections }),
    ...(bufferLimitBytes === undefined ? {} : { bufferLimitBytes }),
    filterChains: [
      {
        name,
        ...(tls === undefined ? {} : { tls }),
        handler: {
          kind: 'tcp',
          clusters: typeof cluster === 'string' ? [{ name: cluster }] : cluster,
          ...(filters === undefined ? {} : { filters }),
          ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }),
          ...(statPrefix === undefined ? {} : { statPrefix }),
          ...(accessLogs === undefined ? {} : { accessLogs }),
          ...(hash === undefined ? {} : { hash }),
          ...(maxConnectAttempts === undefined ? {} : { maxConnectAttempts }),
          ...(connectBackoff === undefined ? {} : { connectBackoff }),
          ...(maxDurationMs === undefined ? {} : { maxDurationMs }),
          ...(maxDurationJitterPercent === undefined ? {} : { maxDurationJitterPercent }),
          ...(tunnel === undefined ? {} : { tunnel }),
          ...(logMoments === undefined ? {} : { logMoments }),
        },
      },
    ],
  };
}

/** Options of {@link route} beside path and destination. */
export type RouteOptions = Omit<Route, 'match' | 'action' | 'name'> &
  Omit<ForwardAction, 'kind' | 'clusters'> &
  Pick<Route['match'], 'method' | 'headers' | 'query'> & {
    /** Default: the path as it was given. */
    readonly name?: string;
  };

/**
 * A route. `route('/orders', 'orders')` sends everything at and below `/orders` to the cluster `orders`.
 * @param path element-wise prefix; `=/health` matches the whole path; `~^…$` is a regular expression (RE2)
 * @param to a cluster, a split by weight, a redirect or a direct response
 */
export function route(
  path: string,
  to: string | readonly WeightedCluster[] | RedirectAction | DirectResponseAction,
  options: RouteOptions = {},
): Route {
  const {
    name = path,
    requestHeaders,
    responseHeaders,
    filterConfigs,
    priority,
    method,
    headers,
    query,
    ...forward
  } = options;
  const action =
    typeof to === 'string'
      ? { ...forward, kind: 'forward' as const, clusters: [{ name: to }] }
      : Array.isArray(to)
        ? { ...forward, kind: 'forward' as const, clusters: to as readonly WeightedCluster[] }
        : (to as RedirectAction | DirectResponseAction);
  return {
    name,
    match: {
      path: pathMatch(path),
      ...(method === undefined ? {} : { method }),
      ...(headers === undefined ? {} : { headers }),
      ...(query === undefined ? {} : { query }),
    },
    action,
    ...(requestHeaders === undefined ? {} : { requestHeaders }),
    ...(responseHeaders === undefined ? {} : { responseHeaders }),
    ...(filterConfigs === undefined ? {} : { filterConfigs }),
    ...(priority === undefined ? {} : { priority }),
  };
}

function pathMatch(path: string): PathMatch {
  if (path.startsWith('=')) return { kind: 'exact', value: path.slice(1) };
  if (path.startsWith('~')) return { kind: 'regex', value: path.slice(1) };
  return { kind: 'prefix', value: path };
}

/**
 * A cluster. `cluster('api', ['10.0.0.1:9000', '10.0.0.2:9000'])`; an endpoint may also be an object of the model, for
 * weights, identities and labels. Endpoints with host names are resolved every five seconds.
 */
export function cluster(
  name: string,
  endpoints: readonly (string | Endpoint)[],
  options: Omit<Cluster, 'name' | 'discovery'> = {},
): Cluster {
  const list = endpoints.map((endpoint) =>
    typeof endpoint === 'string' ? { address: parseAddress(endpoint) } : endpoint,
  );
  const named = list.some(({ address }) => 'host' in address && !/^[\d.]+$|:/.test(address.host));
  return {
    ...options,
    name,
    discovery: named ? { kind: 'dns', use: 'all', endpoints: list } : { kind: 'static', endpoints: list },
  };
}

/** `host:port`, `[v6]:port`, or `/path/to.sock`. @throws TulleError `TULLE_CONFIG_INVALID` */
function parseAddress(text: string): Address {
  if (text.startsWith('/')) return { path: text };
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65_535) {
    throw new TulleError(
      'TULLE_CONFIG_INVALID',
      `${JSON.stringify(text)} is no address; write host:port, [v6]:port or /path/to.sock`,
      { issues: [{ path: '', message: `${JSON.stringify(text)} is no address` }] },
    );
  }
  return { host: match[1] ?? match[2] ?? '', port };
}

/** What code gave, as plain data, with the filters that it uses. */
export interface Gathered {
  readonly config: ProxyConfig | undefined;
  readonly filters: readonly (AnyHttpFilter | AnyConnFilter)[];
}

/** Turns the parts given in code into a configuration. */
export function gatherConfig(options: ProxyOptions): Gathered {
  const filters: (AnyHttpFilter | AnyConnFilter)[] = [...(options.registry ?? [])];
  const entry = (use: HttpFilterUse | ConnFilterUse): FilterEntry => {
    filters.push(use.filter);
    const { name, mandatory, failOpen, disabled } = use.options;
    return {
      name: name ?? use.filter.definition.id,
      filter: use.filter.definition.id,
      config: use.config,
      ...(mandatory === undefined ? {} : { mandatory }),
      ...(failOpen === undefined ? {} : { failOpen }),
      ...(disabled === undefined ? {} : { disabled }),
    };
  };
  const early = options.filters ?? [];
  const inCode =
    options.listeners !== undefined ||
    options.clusters !== undefined ||
    options.routes !== undefined ||
    options.endpoints !== undefined;
  if (inCode && options.config !== undefined) {
    throw new TulleError(
      'TULLE_CONFIG_INVALID',
      'createProxy: give config, or listeners, routes, clusters and endpoints in code, not both',
    );
  }
  if (!inCode) {
    for (const use of early) filters.push(use.filter);
    return { config: options.config, filters };
  }
  const listeners = (options.listeners ?? []).map(
    ({ connectionFilters, filterChains, ...rest }): Listener => ({
      ...rest,
      ...(connectionFilters === undefined
        ? {}
        : { connectionFilters: connectionFilters.map((use) => (isUse(use) ? entry(use) : use)) }),
      filterChains: filterChains.map((chain) => ({
        ...chain,
        handler: handlerOf(chain.handler, early, entry),
      })),
    }),
  );
  return {
    config: {
      version: 'code',
      listeners,
      routes: options.routes ?? [],
      clusters: options.clusters ?? [],
      endpoints: options.endpoints ?? [],
    },
    filters,
  };
}

function handlerOf(
  handler: CodeFilterChain['handler'] | HttpHandler | TcpHandler,
  early: readonly HttpFilterUse[],
  entry: (use: HttpFilterUse | ConnFilterUse) => FilterEntry,
): HttpHandler | TcpHandler {
  const entries = (list: readonly (HttpFilterUse | ConnFilterUse | FilterEntry)[]): FilterEntry[] =>
    list.map((use) => (isUse(use) ? entry(use) : use));
  if (handler.kind === 'http') {
    const { connectionFilters, ...rest } = handler;
    return {
      ...rest,
      ...(connectionFilters === undefined ? {} : { connectionFilters: entries(connectionFilters) }),
      filters: entries([...early, ...handler.filters]),
    };
  }
  const { filters, ...rest } = handler;
  return { ...rest, ...(filters === undefined ? {} : { filters: entries(filters) }) };
}

function isUse(value: HttpFilterUse | ConnFilterUse | FilterEntry): value is HttpFilterUse | ConnFilterUse {
  return typeof value.filter === 'function';
}

export type { RouteConfig };
