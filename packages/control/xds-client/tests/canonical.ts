import type {
  Http2Options,
  PoolOptions,
  AuthzPolicy,
  AuthzRule,
  Cluster,
  DownstreamTls,
  Endpoint,
  EndpointSet,
  FilterChain,
  FilterEntry,
  Forwarding,
  HeaderMatch,
  HttpHandler,
  JwtRule,
  Listener,
  RateLimitActions,
  Route,
  RouteConfig,
  UpstreamTls,
  ValueMatch,
  VirtualHost,
  WeightedCluster,
} from '@tulle/model';
import {
  ADAPTIVE_CONCURRENCY_FILTER,
  ADMISSION_CONTROL_FILTER,
  AUTHZ_FILTER,
  COMPRESSION_FILTER,
  CORS_FILTER,
  EXT_AUTHZ_CLIENT_HEADERS,
  EXT_AUTHZ_FILTER,
  FAULT_FILTER,
  GLOBAL_RATE_LIMIT_FILTER,
  HEADERS_FILTER,
  HEALTH_CHECK_FILTER,
  IP_ALLOW_FILTER,
  JWT_FILTER,
  RATE_LIMIT_FILTER,
  RETRY_FILTER,
} from '@tulle/model';

/**
 * One form for models that mean the same by the model's own documentation: defaults that are written out, empty lists
 * of conditions, a trailing slash of an element prefix. The wire may change these and nothing else.
 */

/** Removes keys whose value is `undefined`, or one of `defaults` for that key. */
function without<T extends object>(value: T, defaults: Readonly<Record<string, unknown>> = {}): T {
  return Object.fromEntries(
    Object.entries(value).filter(
      ([key, one]) =>
        one !== undefined && !(key in defaults && JSON.stringify(one) === JSON.stringify(defaults[key])),
    ),
  ) as T;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function edits(value: unknown): unknown {
  if (!isObject(value)) return value;
  const kept = without(value, { set: [], setIfPresent: [], add: [], addIfAbsent: [], remove: [] });
  return Object.keys(kept).length === 0 ? undefined : kept;
}

/** Defaults of standard filters that the wire writes out, or leaves out. */
const STANDARD: Readonly<Record<string, (value: Record<string, unknown>) => unknown>> = {
  [RATE_LIMIT_FILTER](value) {
    const limits = value['limits'];
    if (!Array.isArray(limits) || limits.length !== 1 || !isObject(limits[0])) return value;
    return { ...value, limits: [without(limits[0], { intervalMs: 1000, burst: limits[0]['requests'] })] };
  },
  [ADAPTIVE_CONCURRENCY_FILTER](value) {
    const { minRtt } = value;
    const kept = isObject(minRtt) ? without(minRtt, { intervalMs: 60_000 }) : minRtt;
    return without({ ...value, minRtt: kept }, { updateIntervalMs: 100, minRtt: {} });
  },
  [ADMISSION_CONTROL_FILTER]: (value) => without(value, { success: {} }),
  [AUTHZ_FILTER]: authz,
  [EXT_AUTHZ_FILTER](value) {
    const { service } = value;
    const http = isObject(service) && isObject(service['http']) ? service['http'] : undefined;
    const lists = { requestHeaders: [], upstreamHeaders: [], clientHeadersOnSuccess: [] };
    const listed = http && { ...http, clientHeaders: http['clientHeaders'] ?? EXT_AUTHZ_CLIENT_HEADERS };
    return without(
      { ...value, ...(listed && { service: { http: without(listed, { ...lists, path: 'append' }) } }) },
      { timeoutMs: 200, statusOnError: 403, failureMode: 'deny', contextExtensions: {} },
    );
  },
  [JWT_FILTER]: jwt,
  [HEALTH_CHECK_FILTER]: (value) =>
    without(
      {
        ...value,
        match: Array.isArray(value['match'])
          ? value['match'].map((one: unknown) =>
              isObject(one) && isObject(one['match']) ? stringMatch(one as never) : one,
            )
          : value['match'],
      },
      { answerBy: 'proxy', minHealthyPercent: {} },
    ),
  [GLOBAL_RATE_LIMIT_FILTER]: (value) =>
    without(value, {
      failureMode: 'allow',
      statusOnError: 500,
      stage: 0,
      status: 429,
      resourceExhausted: false,
      mark: true,
      rateHeaders: false,
    }),
  [CORS_FILTER]: (value) => without(value, { maxAgeSeconds: 5 }),
  [RETRY_FILTER]: (value) => ({
    ...value,
    ...Object.fromEntries(
      ['responseHeaders', 'requestHeaders'].flatMap((key) => {
        const list = value[key];
        return Array.isArray(list) ? [[key, list.map((one: unknown) => stringMatch(one as never))]] : [];
      }),
    ),
  }),
  [COMPRESSION_FILTER](value) {
    const { codings, contentTypes, levels, minBytes } = value;
    if (!Array.isArray(codings) || codings.length !== 1 || !Array.isArray(contentTypes)) return value;
    const coding = String(codings[0]);
    const own = isObject(levels) ? levels[coding] : undefined;
    const level = own ?? { gzip: 6, br: 4, zstd: 3 }[coding];
    return { ...value, minBytes: minBytes ?? 1024, levels: { ...(levels as object), [coding]: level } };
  },
};

/** The order of providers means nothing, nor that of places in which a token may be. */
function jwt(value: Record<string, unknown>): unknown {
  const { providers, requires, rules } = value;
  if (!Array.isArray(providers) || providers.length === 0 || !providers.every(isObject)) return value;
  const list = providers.map(provider).sort((a, b) => (String(a['name']) < String(b['name']) ? -1 : 1));
  const each = list.map(({ name }) => ({ provider: name }));
  return without(
    {
      ...value,
      providers: list,
      requires: requires ?? (each.length === 1 ? each[0] : { any: each }),
      rules:
        Array.isArray(rules) &&
        rules.map((rule: JwtRule) => ({
          ...rule,
          match: without({
            ...rule.match,
            headers: rule.match.headers?.map(stringMatch),
            query: rule.match.query?.map(stringMatch),
          }),
        })),
    },
    { rules: false },
  );
}

function provider(value: Record<string, unknown>): Record<string, unknown> {
  const { jwks, from = [{ header: 'authorization' }] } = value;
  const rank = (place: object): number => ['header', 'query', 'cookie'].findIndex((key) => key in place);
  const places = (from as Record<string, unknown>[]).map((place) =>
    without(place, {
      prefix: String(place['header']).toLowerCase() === 'authorization' ? 'Bearer ' : '',
    }),
  );
  return without(
    {
      ...value,
      from: places.toSorted((a, b) => rank(a) - rank(b)),
      jwks:
        isObject(jwks) && 'cluster' in jwks ? without(jwks, { refreshMs: 600_000, timeoutMs: 5000 }) : jwks,
    },
    { clockSkewMs: 60_000, requireExpiration: true, forward: false },
  );
}

/** The order of policies means nothing, and neither does a default beside an ALLOW that is in force. */
function authz(value: Record<string, unknown>): unknown {
  const { policies, defaultAction } = value;
  if (!Array.isArray(policies) || !policies.every(isAuthzPolicy)) return value;
  const rank = ({ action, name }: AuthzPolicy): string => `${action === 'DENY' ? 0 : 1} ${name}`;
  const allows = policies.some((one) => one.action === 'ALLOW' && one.shadow !== true);
  return without(
    {
      ...value,
      defaultAction: allows && defaultAction === 'deny' ? undefined : defaultAction,
      policies: policies
        .map((one) =>
          without({ ...one, rules: one.rules.map((rule) => authzRule(rule, one.action)) }, { shadow: false }),
        )
        .toSorted((a, b) => (rank(a) < rank(b) ? -1 : rank(a) > rank(b) ? 1 : 0)),
    },
    { defaultAction: 'allow' },
  );
}

function isAuthzPolicy(value: unknown): value is AuthzPolicy {
  return isObject(value) && Array.isArray(value['rules']) && typeof value['name'] === 'string';
}

function authzRule(rule: AuthzRule, action: string): AuthzRule {
  const { from, to } = rule;
  const anybody = JSON.stringify(from?.identities) === '["*"]' && from?.notIdentities !== undefined;
  return without({
    ...rule,
    from:
      from &&
      without({
        ...from,
        identities: anybody && action === 'ALLOW' ? undefined : from.identities,
        cidrs: from.cidrs?.map(cidr),
        notCidrs: from.notCidrs?.map(cidr),
      }),
    to: to && without({ ...to, headers: to.headers?.map(stringMatch) }),
  } as AuthzRule);
}

function ipAllow(value: unknown): unknown {
  if (!isObject(value)) return value;
  const list = (cidrs: unknown): unknown =>
    Array.isArray(cidrs) && cidrs.every((one) => typeof one === 'string') ? cidrs.map(cidr) : cidrs;
  return without({ ...value, allow: list(value['allow']), deny: list(value['deny']) });
}

function config(filter: string, value: unknown): unknown {
  if (!isObject(value)) return value ?? (value === null ? null : {});
  if (filter === IP_ALLOW_FILTER) return ipAllow(value);
  if (filter === HEADERS_FILTER) return headerEdits(value);
  const standard = STANDARD[filter];
  if (standard) return standard(value);
  if (filter !== FAULT_FILTER) return value;
  const share = (part: unknown): unknown => (isObject(part) ? without(part, { percent: 100 }) : part);
  const { byHeader, match, headers } = value;
  // Exact values alone are a table.
  const exact =
    Array.isArray(match) && match.length > 0
      ? match.flatMap((one: ValueMatch) =>
          one.match.kind === 'exact' && one.match.ignoreCase !== true && one.invert !== true
            ? [[one.name, one.match.value] as const]
            : [],
        )
      : [];
  const table = Object.fromEntries(exact);
  const isTable =
    headers === undefined && exact.length > 0 && Object.keys(table).length === (match as unknown[]).length;
  return without(
    {
      ...value,
      delay: share(value['delay']),
      abort: share(value['abort']),
      responseRate: share(value['responseRate']),
      byHeader: isObject(byHeader)
        ? Object.fromEntries(Object.entries(byHeader).map(([key, one]) => [key, share(one)]))
        : byHeader,
      headers: isTable ? table : headers,
      match: isTable
        ? undefined
        : Array.isArray(match)
          ? match.map((one: unknown) => (isObject(one) ? stringMatch(one as never) : one))
          : match,
    },
    { headers: {}, byHeader: {} },
  );
}

/** Edits and steps in one list, as they are made. */
function headerEdits(value: Record<string, unknown>): unknown {
  const side = (given: unknown, steps: unknown): unknown => {
    const kept = edits(given);
    if ((kept !== undefined && !isObject(kept)) || (steps !== undefined && !Array.isArray(steps)))
      return [kept, steps];
    const { remove = [], set = [], add = [], ...more } = kept ?? {};
    if (![remove, set, add].every(Array.isArray) || Object.keys(more).length > 0) return [kept, steps];
    const all = [
      ...(remove as unknown[]).map((one) => ({ remove: one })),
      ...(set as unknown[]).map((one) => ({ set: one })),
      ...(add as unknown[]).map((one) => ({ add: one })),
      ...((steps as unknown[] | undefined) ?? []),
    ];
    return all.length === 0 ? undefined : all;
  };
  const { request, response, requestSteps, responseSteps, ...rest } = value;
  return without(
    { ...rest, request: side(request, requestSteps), response: side(response, responseSteps) },
    { specificLast: false },
  );
}

function overrides(
  configs: Readonly<Record<string, unknown>> | undefined,
): Readonly<Record<string, unknown>> | undefined {
  const entries = Object.entries(configs ?? {}).map(([slot, value]) => [slot, config(slot, value)] as const);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

function entry(value: FilterEntry): FilterEntry {
  return without(
    { ...value, config: config(value.filter, value.config) },
    { mandatory: false, failOpen: false, disabled: false },
  );
}

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

const stringMatch = <T extends { match: object }>(value: T): T =>
  without(
    { ...value, match: caseless(without(value.match, { ignoreCase: false }) as Record<string, unknown>) },
    { invert: false },
  );

/** An absent field: default and `fails` are the same where nothing is inverted, default and `empty` where it is, unless `''` fits. */
function headerMatch(value: HeaderMatch): HeaderMatch {
  const one = stringMatch(value);
  const { match, invert, absent } = one;
  const mayFitEmpty =
    match.kind !== 'range' && match.kind !== 'present' && (match.kind === 'regex' || match.value === '');
  const meansNothing =
    match.kind === 'present' ||
    (invert === true ? absent === 'empty' && !mayFitEmpty : absent === 'fails' || !mayFitEmpty);
  return meansNothing ? without({ ...one, absent: undefined } as unknown as HeaderMatch) : one;
}

function caseless(match: Record<string, unknown>): Record<string, unknown> {
  const { kind, value } = match;
  return kind === 'regex' && typeof value === 'string' && value.startsWith('(?i)') && !match['ignoreCase']
    ? { kind, value: value.slice(4), ignoreCase: true }
    : match;
}

function route(value: Route): Route {
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
    } as Route['match'],
    { headers: [], query: [], grpc: false, percent: 100 },
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

function endpoints(list: readonly Endpoint[]): Endpoint[] {
  const canonical = list.map((one) => without(one, { priority: 0, labels: {} }));
  const group = ({ priority, locality, localityWeight }: Endpoint): string =>
    JSON.stringify([priority, localityWeight, locality?.region, locality?.zone, locality?.subZone]);
  const order = [...new Set(canonical.map(group))];
  return canonical.toSorted((a, b) => order.indexOf(group(a)) - order.indexOf(group(b)));
}

export function canonicalEndpointSet(set: EndpointSet): EndpointSet {
  return { name: set.name, endpoints: endpoints(set.endpoints) };
}

function tls<T extends UpstreamTls | DownstreamTls>(value: T): T {
  const { clientCertificate, trust } = value as DownstreamTls;
  const isDownstream = !('serverName' in value) && 'certificate' in value;
  const asked = clientCertificate ?? (trust ? 'require' : 'none');
  const changed =
    isDownstream && clientCertificate !== undefined
      ? {
          ...value,
          trust: asked === 'none' ? undefined : trust,
          clientCertificate:
            (trust && asked === 'require') || asked === 'none' || (!trust && asked === 'accept')
              ? undefined
              : asked,
        }
      : value;
  return without<T>(changed, {
    alpn: [],
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    sessionResumption: true,
    requireServerName: false,
    sessionTickets: true,
  });
}

/** Of HTTP/2 nothing is said where it is not spoken. */
function pool({ http2, ...others }: PoolOptions): PoolOptions {
  const speaks = others.protocol !== undefined && others.protocol !== 'http1';
  return without<PoolOptions>(
    { ...others, ...(speaks && http2 && { http2: canonicalHttp2(http2) }) },
    { protocol: 'http1', http2: {} },
  );
}

function canonicalHttp2(options: Http2Options): Http2Options {
  return without({
    ...options,
    keepalive: options.keepalive && without(options.keepalive, { timeoutMs: 5_000 }),
  } as Http2Options);
}

/** A forward proxy looks at the name in any case. */
function endpointTls(value: UpstreamTls, { kind }: Cluster['discovery']): UpstreamTls {
  if (kind !== 'forward-proxy') return tls(value);
  const { verifyName: _, ...rest } = value; // there the name is looked at whatever is said
  return tls(rest);
}

export function canonicalCluster(cluster: Cluster): Cluster {
  const { discovery } = cluster;
  return without(
    {
      ...cluster,
      discovery:
        'endpoints' in discovery
          ? without({ ...discovery, endpoints: endpoints(discovery.endpoints) }, { respectTtl: false })
          : without(discovery),
      tls: cluster.tls && endpointTls(cluster.tls, discovery),
      tlsMatches: cluster.tlsMatches?.map((match) =>
        without({ ...match, ...(match.tls && { tls: endpointTls(match.tls, discovery) }) }),
      ),
      // These kinds choose endpoints themselves.
      ...(['aggregate', 'forward-proxy', 'original-dst'].includes(discovery.kind) && {
        balance: undefined,
        subsets: undefined,
      }),
      pool: cluster.pool && pool(cluster.pool),
    } as Cluster,
    { labels: {}, localityWeighted: false, failOnPanic: false, limits: {}, pool: {} },
  );
}

function http(handler: HttpHandler, listenerName: string): HttpHandler {
  return without(
    {
      ...handler,
      routes: 'virtualHosts' in handler.routes ? canonicalRouteConfig(handler.routes) : handler.routes,
      filters: handler.filters.map(entry),
      connectionFilters: handler.connectionFilters?.map(entry),
      http2: handler.http2 && canonicalHttp2(handler.http2),
      allowUpgrades: handler.allowUpgrades ?? ['websocket'],
      forwarding: handler.forwarding && forwarding(handler.forwarding),
      requestId: handler.requestId && without(handler.requestId, { generate: true, inResponse: false }),
      serverHeader:
        typeof handler.serverHeader === 'object'
          ? without(handler.serverHeader, { ifAbsent: false })
          : handler.serverHeader,
      localReplies:
        handler.localReplies &&
        without(
          {
            ...handler.localReplies,
            mappers: handler.localReplies.mappers?.map((mapper) =>
              without({ ...mapper, headers: edits(mapper.headers) } as typeof mapper),
            ),
          } as typeof handler.localReplies,
          { mappers: [] },
        ),
    } as HttpHandler,
    {
      connectionFilters: [],
      statPrefix: listenerName,
      codec: 'auto',
      http2: {},
      allowConnect: false,
      identityHeaders: 'strip',
      serverHeader: 'pass',
      escapedSlashes: 'refuse',
      underscores: 'allow',
      http10: 'accept',
      requestId: {},
    },
  );
}

function forwarding(rules: Forwarding): Forwarding {
  const order = ['subject', 'cert', 'chain', 'dns', 'uri'];
  return without(
    {
      ...rules,
      certificateParts: rules.certificateParts?.toSorted((a, b) => order.indexOf(a) - order.indexOf(b)),
      internalCidrs: rules.internalCidrs?.map(cidr),
    } as Forwarding,
    { trustedHops: 0, append: true, port: false, clientCertificate: 'sanitize', certificateParts: [] },
  );
}

const cidr = (text: string): string =>
  text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`;

function chain(value: FilterChain, listenerName: string): FilterChain {
  const { handler, match } = value;
  return without({
    ...value,
    tls: value.tls && tls(value.tls),
    match:
      match &&
      without(
        {
          ...match,
          destinationCidrs: match.destinationCidrs?.map(cidr),
          directSourceCidrs: match.directSourceCidrs?.map(cidr),
          sourceCidrs: match.sourceCidrs?.map(cidr),
        },
        {
          serverNames: [],
          sourceCidrs: [],
          destinationCidrs: [],
          directSourceCidrs: [],
          applicationProtocols: [],
          sourcePorts: [],
        },
      ),
    handler:
      handler.kind === 'http'
        ? http(handler, listenerName)
        : without(
            {
              ...handler,
              clusters: handler.clusters.map((one) => without(one, { weight: 1 })),
              filters: handler.filters?.map(entry),
            } as FilterChain['handler'],
            { filters: [], statPrefix: listenerName },
          ),
  } as FilterChain);
}

export function canonicalListener(listener: Listener): Listener {
  return without(
    {
      ...listener,
      filterChains: listener.filterChains.map((one) => chain(one, listener.name)),
      connectionFilters: listener.connectionFilters?.map(entry),
      // Of one chain there is no order.
      chainOrder: listener.filterChains.length > 1 ? listener.chainOrder : undefined,
      proxyProtocol:
        listener.proxyProtocol && without(listener.proxyProtocol, { optional: false, versions: [1, 2] }),
    } as Listener,
    {
      direction: 'unspecified',
      originalDestination: false,
      connectionFilters: [],
      chainOrder: 'first',
      continueWithoutFirstBytes: false,
    },
  );
}

/** By kind. */
export const canonical: {
  readonly listener: typeof canonicalListener;
  readonly route: typeof canonicalRouteConfig;
  readonly cluster: typeof canonicalCluster;
  readonly endpoint: typeof canonicalEndpointSet;
} = {
  listener: canonicalListener,
  route: canonicalRouteConfig,
  cluster: canonicalCluster,
  endpoint: canonicalEndpointSet,
};
