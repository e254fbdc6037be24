import type { RateLimitActions, Route, RouteConfig, VirtualHost, WeightedCluster } from '@tulle/model';
import { without, edits, stringMatch, headerMatch } from './values.ts';
import { overrides } from './filters.ts';

function headed<T extends RouteConfig | VirtualHost | WeightedCluster | Route>(value: T): T {
  return without(
    {
      ...value,
      requestHeaders: edits(value.requestHeaders),
      responseHeaders: edits(value.responseHeaders),
      filterConfigs: overrides(value.filterConfigs),
    },
    { weight: 1 },
  );
}

export function route(value: Route): Route {
  const { match, action } = value;
  const { kind, value: path } = match.path;
  const put =
    action.kind === 'forward' ? action.rewrite?.path : action.kind === 'redirect' ? action.path : undefined;
  const joins = put?.kind === 'prefix' && put.value !== '' && !put.value.endsWith('/');
  const root = path === '/' && kind === 'bytes-prefix' && !joins;
  // What takes the place of the root ends with a slash.
  const slashed = path === '/' && kind === 'prefix' && joins ? { ...put, value: `${put.value}/` } : put;
  const canonicalMatch = without(
    {
      ...match,
      path: without(
        kind === 'prefix' || root
          ? {
              ...match.path,
              kind: 'prefix' as const,
              value: path.length > 1 ? path.replace(/\/$/, '') : path,
            }
          : match.path,
        // In every case the root is the root.
        { ignoreCase: (kind === 'prefix' || root) && path === '/' ? match.path.ignoreCase : false },
      ),
      headers: match.headers?.map(headerMatch),
      query: match.query?.map(stringMatch),
      cookies: match.cookies?.map(stringMatch),
    } as Route['match'],
    { headers: [], query: [], cookies: [], grpc: false, percent: 100 },
  );
  const canonicalAction: Route['action'] =
    action.kind === 'forward'
      ? without(
          {
            ...action,
            clusters: action.clusters.map(headed),
            rewrite:
              action.rewrite &&
              without({ ...action.rewrite, ...(slashed && { path: slashed }) }, { forwardHost: false }),
            mirrors: action.mirrors?.map((mirror) => without(mirror, { percent: 100, shadowHost: false })),
            hashPolicy: action.hashPolicy?.map((policy) => without(policy, { terminal: false })),
            rateLimits: rateLimits(action.rateLimits),
            connect: action.connect && without(action.connect, { post: false }),
            // Said with what becomes of it.
            ...(action.connect && action.allowConnect === true && { allowConnect: undefined }),
          } as typeof action,
          {
            hashPolicy: [],
            mirrors: [],
            rewrite: {},
            clusterNotFoundStatus: 503,
            includeHostRateLimits: false,
          },
        )
      : action.kind === 'redirect'
        ? without({ ...action, ...(slashed && { path: slashed }) } as typeof action, {
            status: 302,
            stripQuery: false,
          })
        : without(action);
  return headed({ ...value, match: canonicalMatch, action: canonicalAction });
}

function rateLimits(limits: readonly RateLimitActions[] | undefined): unknown {
  return limits?.map(({ actions, ...rest }) =>
    without(
      {
        ...rest,
        actions: actions.map((action) =>
          without(
            {
              ...action,
              ...('headers' in action && { headers: action.headers.map(stringMatch) }),
              ...('query' in action && { query: action.query.map(stringMatch) }),
            },
            { optional: false, expect: true, v4Bits: 32, v6Bits: 128 },
          ),
        ),
      },
      { stage: 0 },
    ),
  );
}

export function canonicalRouteConfig(config: RouteConfig): RouteConfig {
  const virtualHosts = config.virtualHosts.map((host) => {
    const { attemptCount } = host;
    const counts = attemptCount && without(attemptCount, { request: false, response: false });
    return headed({
      ...host,
      routes: host.routes.map(route),
      rateLimits: rateLimits(host.rateLimits),
      attemptCount: counts && Object.keys(counts).length > 0 ? counts : undefined,
    } as VirtualHost);
  });
  const canonical = headed({ ...config, virtualHosts });
  return without(canonical, {
    // Where any host fits, its port means nothing.
    comparesPorts: virtualHosts.every(({ domains }) => domains.every((one) => one === '*'))
      ? canonical.comparesPorts
      : false,
    headerOrder: editedTwice(canonical) ? 'specific-last' : canonical.headerOrder,
  });
}

/** Whether it matters in which order places edit. */
function editedTwice(config: RouteConfig): boolean {
  const edited = (one: RouteConfig | VirtualHost | Route | WeightedCluster): boolean =>
    one.requestHeaders !== undefined || one.responseHeaders !== undefined;
  return config.virtualHosts.some((host) =>
    host.routes.some(
      (one) =>
        [
          edited(config),
          edited(host),
          edited(one),
          one.action.kind === 'forward' && one.action.clusters.some(edited),
        ].filter(Boolean).length > 1,
    ),
  );
}
