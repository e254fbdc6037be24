import fc from 'fast-check';
import type {
  ConnectTermination,
  ForwardAction,
  HashPolicy,
  LocalReplyFormat,
  Mirror,
  PathMatch,
  RateLimitAction,
  RateLimitActions,
  RedirectAction,
  FormatRewrite,
  RegexRewrite,
  Rewrite,
  SessionPersistence,
  Route,
  RouteConfig,
  RouteMatch,
  VirtualHost,
  WeightedCluster,
} from '@tulle/model';
import {
  headerMatch,
  routeHeaderEdits,
  label,
  milliseconds,
  object,
  options,
  share,
  subset,
  uint32,
  valueMatch,
} from './basics.ts';
import { filterConfigs } from './filters.ts';

const path: fc.Arbitrary<string> = fc
  .array(label, { maxLength: 3 })
  .map((segments) => `/${segments.join('/')}`);

const pathMatch: fc.Arbitrary<PathMatch> = fc.oneof(
  object<PathMatch>(
    {
      kind: fc.constantFrom('exact', 'prefix', 'bytes-prefix'),
      value: fc.oneof(
        path,
        path.map((one) => `${one}/`.replace('//', '/')),
      ),
    },
    { ignoreCase: fc.boolean() },
  ),
  object<PathMatch>({ kind: fc.constant('regex'), value: fc.constantFrom('/a.*', '(?i)/b', '/c/[0-9]+') }),
  object<PathMatch>({ kind: fc.constant('template'), value: fc.constantFrom('/a/{b}', '/a/*/{c=**}') }),
  object<PathMatch>({ kind: fc.constant('connect'), value: fc.constant('') }),
);

/** Cookies are asked for a value: Envoy has no word for one that is just there. */
const cookieMatch = valueMatch.filter(({ match }) => match.kind !== 'present');

const routeMatch: fc.Arbitrary<RouteMatch> = object<RouteMatch>(
  { path: pathMatch },
  {
    method: fc.constantFrom('GET', 'POST', 'M-SEARCH'),
    headers: fc.array(headerMatch, { maxLength: 2 }),
    query: fc.array(valueMatch, { maxLength: 2 }),
    cookies: fc.array(cookieMatch, { maxLength: 2 }),
    grpc: fc.boolean(),
    percent: fc.integer({ min: 0, max: 1_000_000 }).map((n) => n / 10_000),
    provenPeer: fc.boolean(),
  },
);

const weightedCluster: fc.Arbitrary<WeightedCluster> = object<WeightedCluster>(
  {},
  {
    weight: fc.oneof(share, fc.constantFrom(0, 1)),
    subset,
    host: label,
    requestHeaders: routeHeaderEdits,
    responseHeaders: routeHeaderEdits,
    filterConfigs,
  },
).chain((one) => named(one, 'name'));

/** By a name, or by a field that has it. */
function named<T extends object>(one: T, key: 'name' | 'cluster'): fc.Arbitrary<T> {
  return fc
    .tuple(label, fc.constantFrom(key, key, 'clusterHeader'))
    .map(([name, by]) => ({ ...one, [by]: name }));
}

const regexRewrite: fc.Arbitrary<RegexRewrite> = object<RegexRewrite>({
  kind: fc.constant('regex'),
  pattern: fc.constantFrom('^/a/(.*)$', 'b+', '(.)/(.)'),
  substitution: fc.constantFrom('/\\1', 'x', '\\0\\\\'),
});

const formatRewrite: fc.Arbitrary<FormatRewrite> = object<FormatRewrite>({
  kind: fc.constant('format'),
  value: fc.constantFrom('/%REQ(X-A)%', '%PATH(NQ:ORIG)%', 'x'),
});

type PlainPath = { kind: 'full' | 'prefix'; value: string };
const newPath: fc.Arbitrary<PlainPath> = object<PlainPath>({
  kind: fc.constantFrom('full' as const, 'prefix' as const),
  value: fc.oneof(
    path,
    path.map((one) => `${one}\\1\\`),
  ),
});

const mirror: fc.Arbitrary<Mirror> = object<Mirror>(
  {},
  { percent: fc.integer({ min: 0, max: 1_000_000 }).map((n) => n / 10_000), shadowHost: fc.boolean() },
).chain((one) => named(one, 'cluster'));

const terminal = fc.boolean();
/** Of a route or of a cluster. */
export const hashPolicy: fc.Arbitrary<HashPolicy> = fc.oneof(
  object<HashPolicy>({ kind: fc.constant('header'), name: label }, { terminal, rewrite: regexRewrite }),
  object<HashPolicy>({ kind: fc.constantFrom('query', 'filter-state'), name: label }, { terminal }),
  object<HashPolicy>({ kind: fc.constant('source-ip') }, { terminal }),
  object<HashPolicy>(
    { kind: fc.constant('cookie'), name: label },
    {
      ttlMs: milliseconds,
      path: label.map((name) => `/${name}`),
      attributes: fc.array(fc.record({ name: label, value: label }, { noNullPrototype: true }), {
        minLength: 1,
        maxLength: 2,
      }),
      terminal,
    },
  ),
);

const condition = fc.array(valueMatch, { minLength: 1, maxLength: 2 });
const straight = fc.array(
  valueMatch.filter(({ invert }) => invert !== true),
  { minLength: 1, maxLength: 2 },
);
const rateLimitAction: fc.Arbitrary<RateLimitAction> = fc.oneof(
  object<RateLimitAction>({
    kind: fc.constantFrom('source-cluster', 'destination-cluster', 'remote-address'),
  }),
  object<RateLimitAction>(
    { kind: fc.constant('masked-remote-address') },
    { v4Bits: fc.integer({ min: 0, max: 32 }), v6Bits: fc.integer({ min: 0, max: 128 }) },
  ),
  object<RateLimitAction>(
    { kind: fc.constantFrom('header', 'query'), name: label, key: label },
    { optional: fc.boolean() },
  ),
  object<RateLimitAction>(
    {
      kind: fc.constant('address-match'),
      value: label,
      cidrs: fc.constantFrom(['10.0.0.0/8'], ['192.0.2.0/24', 'fd00::/8']),
    },
    { key: label, expect: fc.boolean() },
  ),
  object<RateLimitAction>(
    {
      kind: fc.constant('address-match'),
      value: label.map((name) => `%REQ(${name})%`),
      format: fc.constant(true),
      cidrs: fc.constant(['10.0.0.0/8']),
    },
    { key: label, fallback: label },
  ),
  object<RateLimitAction>(
    { kind: fc.constant('cel'), key: label, cel: fc.constantFrom('request.path', '"a" + request.host') },
    { optional: fc.boolean() },
  ),
  object<RateLimitAction>({ kind: fc.constant('generic'), value: label }, { key: label }),
  object<RateLimitAction>(
    { kind: fc.constant('header-match'), value: label, headers: condition },
    { key: label, expect: fc.boolean() },
  ),
  object<RateLimitAction>(
    { kind: fc.constant('query-match'), value: label, query: straight },
    { key: label, expect: fc.boolean() },
  ),
  object<RateLimitAction>(
    {
      kind: fc.constant('metadata'),
      key: label,
      namespace: label,
      path: fc.array(label, { minLength: 1, maxLength: 2 }),
    },
    { fallback: label, optional: fc.boolean() },
  ),
);
const rateLimits: fc.Arbitrary<readonly RateLimitActions[]> = fc.array(
  object<RateLimitActions>(
    { actions: fc.array(rateLimitAction, { minLength: 1, maxLength: 3 }) },
    {
      stage: fc.integer({ min: 0, max: 10 }),
      limit: fc.oneof(
        fc.record(
          { namespace: label, path: fc.array(label, { minLength: 1, maxLength: 2 }) },
          { noNullPrototype: true },
        ),
        fc.record(
          {
            requestsPerUnit: uint32,
            unit: fc.constantFrom('UNKNOWN' as const, 'SECOND' as const, 'YEAR' as const),
          },
          { noNullPrototype: true },
        ),
      ),
      atEnd: fc.constant(true),
      rateHeaders: fc.boolean(),
    },
  ),
  { minLength: 1, maxLength: 2 },
);

const splitting: fc.Arbitrary<ForwardAction> = object<ForwardAction>(
  { kind: fc.constant('forward'), clusters: fc.array(weightedCluster, { maxLength: 3 }) },
  {
    requestTimeoutMs: milliseconds,
    maxGrpcTimeoutMs: milliseconds,
    grpcTimeoutOffsetMs: milliseconds,
    maxStreamDurationMs: milliseconds,
    perTryTimeoutMs: milliseconds,
    perTryIdleTimeoutMs: milliseconds,
    idleTimeoutMs: milliseconds,
    splitHeader: label,
    rewrite: fc
      .tuple(
        options<Rewrite>({
          host: label,
          hostFrom: fc.oneof(
            fc.record({ kind: fc.constant('header' as const), name: label }, { noNullPrototype: true }),
            fc.constant({ kind: 'endpoint' as const }),
            formatRewrite,
            regexRewrite,
          ),
          forwardHost: fc.boolean(),
          path: fc.oneof(
            newPath,
            regexRewrite,
            formatRewrite,
            fc.constant({ kind: 'template' as const, value: '/x/{b}' }),
          ),
        }),
        fc.boolean(),
      )
      .map(([{ host, hostFrom, ...others }, literal]): Rewrite => {
        if (host !== undefined && (literal || hostFrom === undefined)) return { ...others, host };
        return hostFrom === undefined ? others : { ...others, hostFrom };
      }),
    clusterNotFoundStatus: fc.constantFrom(404, 500, 503),
    circuitPriority: fc.constant('high'),
    trustIdempotencyKey: fc.boolean(),
    persistence: object<SessionPersistence>(
      {
        kind: fc.constantFrom('cookie', 'header'),
        name: label,
        secret: fc.constantFrom('0'.repeat(32), '0123456789abcdef'.repeat(2)),
      },
      {
        absoluteTimeoutMs: milliseconds,
        idleTimeoutMs: milliseconds,
        path: label,
        permanent: fc.boolean(),
      },
    ),
    mirrors: fc.array(mirror, { maxLength: 2 }),
    hashPolicy: fc.array(hashPolicy, { maxLength: 3 }),
    maxReplayBytes: uint32,
    allowUpgrades: fc.uniqueArray(fc.constantFrom('websocket', 'h2c', 'spdy'), { maxLength: 2 }),
    allowConnect: fc.boolean(),
    connect: object<ConnectTermination>({}, { proxyProtocol: fc.constantFrom(1, 2), post: fc.boolean() }),
    rateLimits,
    includeHostRateLimits: fc.boolean(),
  },
);

/** A split, or a cluster that the request names. */
const forward: fc.Arbitrary<ForwardAction> = fc.oneof(
  splitting,
  fc
    .tuple(
      splitting.filter(({ splitHeader }) => splitHeader === undefined),
      label,
    )
    .map(([action, clusterHeader]) => ({ ...action, clusters: [], clusterHeader })),
);

const redirect: fc.Arbitrary<RedirectAction> = object<RedirectAction>(
  { kind: fc.constant('redirect') },
  {
    scheme: fc.constantFrom('http', 'https'),
    host: label,
    port: fc.oneof(fc.integer({ min: 1, max: 65_535 }), fc.constant('asked' as const)),
    path: fc.oneof(newPath, regexRewrite, formatRewrite),
    stripQuery: fc.boolean(),
    status: fc.constantFrom(301, 302, 303, 307, 308),
  },
);

const direct: fc.Arbitrary<Route['action']> = object<Route['action']>(
  { kind: fc.constant('direct'), status: fc.integer({ min: 200, max: 599 }) },
  {
    body: fc.string({ unit: 'grapheme', maxLength: 10 }),
    format: fc.constantFrom<LocalReplyFormat>(
      { text: '%LOCAL_REPLY_BODY% %PROTOCOL%', contentType: 'text/x' },
      { json: { path: '%REQ(:PATH)%' } },
    ),
    code: fc.constantFrom('TULLE_BACKEND_INVALID', 'TULLE_ROUTE_NOT_FOUND'),
  },
);

const route: fc.Arbitrary<Route> = object<Route>(
  { name: label, match: routeMatch, action: fc.oneof(forward, redirect, direct) },
  {
    requestHeaders: routeHeaderEdits,
    responseHeaders: routeHeaderEdits,
    filterConfigs,
    priority: fc.constantFrom('low', 'default', 'high', 'critical'),
  },
);

const domain: fc.Arbitrary<string> = fc.oneof(
  label,
  label.map((one) => `*.${one}`),
  fc
    .tuple(
      label,
      uint32.map((n) => n % 65_536),
    )
    .map(([host, port]) => `${host}:${port}`),
  fc.constant('*'),
);

const virtualHost: fc.Arbitrary<VirtualHost> = object<VirtualHost>(
  {
    name: label,
    domains: fc.uniqueArray(domain, { minLength: 1, maxLength: 3 }),
    routes: fc.array(route, { maxLength: 3 }),
  },
  {
    filterConfigs,
    rateLimits,
    requestHeaders: routeHeaderEdits,
    responseHeaders: routeHeaderEdits,
    requireTls: fc.constantFrom('all', 'external'),
    attemptCount: options<NonNullable<VirtualHost['attemptCount']>>({
      request: fc.boolean(),
      response: fc.boolean(),
    }),
  },
);

/** A route configuration of the given name. */
export function routeConfig(name: fc.Arbitrary<string> = label): fc.Arbitrary<RouteConfig> {
  return object<RouteConfig>(
    {
      name,
      virtualHosts: fc.uniqueArray(virtualHost, { maxLength: 2, selector: (host) => host.name }),
    },
    {
      requestHeaders: routeHeaderEdits,
      responseHeaders: routeHeaderEdits,
      internalOnlyHeaders: fc.array(label, { minLength: 1, maxLength: 2 }),
      headerOrder: fc.constantFrom('specific-last', 'specific-first'),
      filterConfigs,
      comparesPorts: fc.boolean(),
    },
  );
}
