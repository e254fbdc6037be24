import fc from 'fast-check';
import type {
  AdaptiveConcurrencyFilterConfig,
  AdmissionControlFilterConfig,
  Bucket,
  CompressionFilterConfig,
  ConnLimitFilterConfig,
  ConnRateLimitFilterConfig,
  StatusRange,
  CorsFilterConfig,
  ExtAuthzBody,
  ExtAuthzFilterConfig,
  ExtAuthzGrpcService,
  ExtAuthzHttpService,
  ExtAuthzRouteConfig,
  IpAllowFilterConfig,
  JwtFilterConfig,
  JwtLocation,
  JwtProvider,
  JwtRequirement,
  JwtRule,
  StringMatch,
  PathMatch,
  RateLimit,
  RateLimitFilterConfig,
} from '@tulle/model';
import { cidr, label, object, options, valueMatch } from './basics.ts';

const single: fc.Arbitrary<RateLimit> = object<RateLimit>(
  { name: label, requests: fc.integer({ min: 1, max: 100_000 }) },
  { intervalMs: fc.integer({ min: 50, max: 3_600_000 }), burst: fc.integer({ min: 1, max: 100_000 }) },
);
const keyed: fc.Arbitrary<RateLimit> = object<RateLimit>(
  { name: label, requests: fc.integer({ min: 1, max: 1000 }) },
  {
    by: fc.array(
      fc.oneof(
        fc.constantFrom('identity', 'address'),
        object<{ readonly header: string }>({ header: label }),
      ),
      {
        maxLength: 2,
      },
    ),
    maxKeys: fc.integer({ min: 1, max: 1_000_000 }),
    scope: fc.constantFrom('process', 'proxy'),
  },
);

/** What Envoy can say: at most one limit, for everybody together. */
export const singleRateLimitConfig: fc.Arbitrary<RateLimitFilterConfig> = object<RateLimitFilterConfig>({
  limits: fc.array(single, { maxLength: 1 }),
});
export const rateLimitConfig: fc.Arbitrary<RateLimitFilterConfig> = fc.oneof(
  singleRateLimitConfig,
  object<RateLimitFilterConfig>({ limits: fc.array(fc.oneof(single, keyed), { maxLength: 3 }) }),
);

const part = fc.integer({ min: 0, max: 1000 }).map((tenths) => tenths / 10);
const count = fc.integer({ min: 1, max: 1_000_000 });
export const adaptiveConcurrencyConfig: fc.Arbitrary<AdaptiveConcurrencyFilterConfig> =
  options<AdaptiveConcurrencyFilterConfig>({
    samplePercentile: part,
    maxConcurrency: count,
    updateIntervalMs: fc.integer({ min: 1, max: 3_600_000 }),
    minRtt: options<NonNullable<AdaptiveConcurrencyFilterConfig['minRtt']>>({
      intervalMs: fc.integer({ min: 1, max: 86_400_000 }),
      jitterPercent: part,
      requests: count,
      minConcurrency: count,
      bufferPercent: part,
    }),
    status: fc.constantFrom(429, 503, 504),
  });

const statusRange: fc.Arbitrary<StatusRange> = fc
  .tuple(fc.integer({ min: 100, max: 599 }), fc.integer({ min: 100, max: 599 }))
  .map(([one, other]) => ({ from: Math.min(one, other), to: Math.max(one, other) }));
export const admissionControlConfig: fc.Arbitrary<AdmissionControlFilterConfig> =
  options<AdmissionControlFilterConfig>({
    windowMs: fc.integer({ min: 1, max: 600 }).map((seconds) => seconds * 1000),
    successThresholdPercent: fc.integer({ min: 10, max: 1000 }).map((tenths) => tenths / 10),
    aggression: fc.integer({ min: 10, max: 10_000 }).map((tenths) => tenths / 10),
    minRequestsPerSecond: fc.nat(1_000_000),
    maxRejectionPercent: part,
    success: options<NonNullable<AdmissionControlFilterConfig['success']>>({
      httpStatuses: fc.array(statusRange, { minLength: 1, maxLength: 3 }),
      grpcStatuses: fc.uniqueArray(fc.integer({ min: 0, max: 16 }), { minLength: 1 }),
    }),
  });

const host: fc.Arbitrary<string> = fc.tuple(label, label).map((parts) => parts.join('.'));
const origin: fc.Arbitrary<string> = fc.oneof(
  fc.constant('*'),
  fc
    .tuple(
      fc.constantFrom('http', 'https'),
      fc.oneof(
        host,
        host.map((below) => `*.${below}`),
        fc.constant('*'),
      ),
      fc.constantFrom('', ':8080', ':9443'),
    )
    .map(([scheme, at, port]) => `${scheme}://${at}${port}`),
);
const tokens = fc.uniqueArray(label, { minLength: 1, maxLength: 3 });
const starred = fc.oneof(tokens, fc.constant(['*']));

/** What Envoy can say on a route. */
export const routeCorsConfig: fc.Arbitrary<CorsFilterConfig> = fc.oneof(
  object<CorsFilterConfig>(
    { allowOrigins: fc.uniqueArray(origin, { minLength: 1, maxLength: 3 }) },
    {
      allowMethods: starred,
      allowHeaders: starred,
      exposeHeaders: starred,
      allowCredentials: fc.constant(false),
      maxAgeSeconds: fc.integer({ min: 0, max: 86_400 }),
    },
  ),
  object<CorsFilterConfig>(
    {
      allowOrigins: fc.uniqueArray(origin, { minLength: 1, maxLength: 3 }),
      allowCredentials: fc.constant(true),
    },
    { allowMethods: tokens, allowHeaders: tokens },
  ),
);
export const corsConfig: fc.Arbitrary<CorsFilterConfig> = fc.oneof(
  routeCorsConfig,
  fc.constantFrom<CorsFilterConfig>(
    { allowOrigins: [] },
    { allowOrigins: ['https://a.example:443'] },
    { allowOrigins: ['app://[::1]:80'], allowCredentials: true, allowHeaders: ['*'] },
  ),
);

const wholeType = fc.constantFrom('text/html', 'application/json', 'image/svg+xml');

/** What Envoy can say: one coding, whole media types. */
export const singleCompressionConfig: fc.Arbitrary<CompressionFilterConfig> = fc
  .constantFrom<readonly ['gzip' | 'br' | 'zstd', number]>(['gzip', 9], ['br', 9], ['zstd', 12])
  .chain(([coding, most]) =>
    object<CompressionFilterConfig>(
      {
        codings: fc.constant([coding]),
        contentTypes: fc.uniqueArray(wholeType, { minLength: 1 }),
      },
      {
        minBytes: fc.integer({ min: 0, max: 1_048_576 }),
        levels: object<object>({ [coding]: fc.integer({ min: 1, max: most }) }),
        removeEtag: fc.constant(true),
        skipStatuses: fc.uniqueArray(fc.integer({ min: 200, max: 599 }), { minLength: 1, maxLength: 3 }),
        tellStatus: fc.constant(true),
        requests: object<object>({
          minBytes: fc.integer({ min: 0, max: 1_048_576 }),
          contentTypes: fc.uniqueArray(wholeType, { minLength: 1 }),
        }),
      },
    ),
  );
export const compressionConfig: fc.Arbitrary<CompressionFilterConfig> = fc.oneof(
  singleCompressionConfig,
  object<CompressionFilterConfig>(
    {},
    {
      codings: fc.uniqueArray(fc.constantFrom('gzip', 'br', 'zstd'), { minLength: 1 }),
      contentTypes: fc.uniqueArray(fc.oneof(wholeType, fc.constantFrom('text/*', '*+json')), {
        minLength: 1,
      }),
      maxActive: fc.integer({ min: 1, max: 1000 }),
    },
  ),
);

const networks = fc.array(cidr, { minLength: 1, maxLength: 3 });
export const ipAllowConfig: fc.Arbitrary<IpAllowFilterConfig> = fc.oneof(
  object<IpAllowFilterConfig>({ allow: networks }, { deny: networks }),
  object<IpAllowFilterConfig>({ deny: networks }),
);

const bucket: fc.Arbitrary<Bucket> = object<Bucket>({
  capacity: fc.integer({ min: 1, max: 4_294_967_295 }),
  tokens: fc.integer({ min: 1, max: 4_294_967_295 }),
  intervalMs: fc.integer({ min: 50, max: 86_400_000 }),
});
export const connRateLimitConfig: fc.Arbitrary<ConnRateLimitFilterConfig> = object<ConnRateLimitFilterConfig>(
  { name: label, bucket },
);
export const connLimitConfig: fc.Arbitrary<ConnLimitFilterConfig> = object<ConnLimitFilterConfig>(
  { name: label, maxConnections: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }) },
  { delayMs: fc.integer({ min: 1, max: 10_000 }) },
);

const names = fc.array(
  fc.oneof(
    label,
    label.map((start) => `${start}*`),
  ),
  { minLength: 1, maxLength: 3 },
);
const listed = fc.array(label, { minLength: 1, maxLength: 2 });
const url = fc.tuple(host, fc.constantFrom('', ':8080'), fc.constantFrom('', '/check', '/a/b'));
const asEnvoy = fc.constant({ onlyListed: true, onlyOk: true });
const httpService = object<ExtAuthzFilterConfig['service']>({
  http: object<ExtAuthzHttpService['http']>(
    { url: url.map((parts) => `http://${parts.join('')}`), cluster: label },
    {
      requestHeaders: listed,
      upstreamHeaders: fc.oneof(listed, fc.constant(['*'])),
      clientHeaders: fc.oneof(
        names.map((list) => [...list, 'www-authenticate', 'location']),
        fc.constant(['*']),
      ),
      clientHeadersOnSuccess: listed,
    },
  ).chain((http) =>
    fc.oneof(
      fc.constant(http),
      asEnvoy.map((flags) => ({ ...http, ...flags })),
    ),
  ),
});
const grpcService = object<ExtAuthzFilterConfig['service']>({
  grpc: fc.oneof(
    object<ExtAuthzGrpcService['grpc']>(
      { target: host.map((name) => `dns:///${name}:9001`), plaintext: fc.constant(true) },
      { requestHeaders: names },
    ),
    object<ExtAuthzGrpcService['grpc']>({
      target: host.map((name) => `${name}:9001`),
      tls: options<NonNullable<ExtAuthzGrpcService['grpc']['tls']>>({
        caFile: label,
        certificateFile: label,
        keyFile: label,
      } as never),
    }),
  ),
});
const extAuthzBody = object<ExtAuthzBody>(
  { maxBytes: fc.integer({ min: 1, max: 10_485_760 }) },
  { partial: fc.constant(true) },
);

/** What Envoy can say: a service over HTTP behind a cluster, or over gRPC with or without TLS; bodies, or routes that change. */
export const plainExtAuthzConfig: fc.Arbitrary<ExtAuthzFilterConfig> = object<ExtAuthzFilterConfig>(
  {
    service: fc.oneof(
      httpService,
      grpcService,
      object<object>({ grpcCluster: object<object>({ cluster: label }, { authority: label }) }),
    ),
  },
  {
    withheldHeaders: fc.constant(['x-secret', 'x-own-*']),
    metadataNamespaces: fc.constant(['envoy.filters.http.jwt_authn']),
    markFailureAllowed: fc.constant(true),
    rematch: fc.constant(true),
    timeoutMs: fc.integer({ min: 1, max: 60_000 }),
    failureMode: fc.constantFrom('deny', 'allow'),
    statusOnError: fc.integer({ min: 400, max: 599 }),
    body: extAuthzBody,
  },
).map(({ body, ...config }) => (body === undefined || config.rematch ? config : { ...config, body }));
export const extAuthzConfig: fc.Arbitrary<ExtAuthzFilterConfig> = fc.oneof(
  plainExtAuthzConfig,
  object<ExtAuthzFilterConfig>(
    {
      service: fc.constantFrom<ExtAuthzFilterConfig['service']>(
        { http: { url: 'https://auth.example/check/', path: 'fixed' } },
        { grpc: { target: '127.0.0.1:9001' } },
        { grpc: { target: 'auth.example:9001', tls: { serverName: 'auth' } } },
      ),
    },
    {
      maxActiveChecks: fc.integer({ min: 1, max: 100 }),
      contextExtensions: fc.constant({ a: 'b' }),
      rematchHeaders: fc.constant(['x-route']),
      maxDeniedBodyBytes: fc.integer({ min: 1, max: 100 }),
      rawHeaders: fc.constant(true),
    },
  ),
);
export const extAuthzRouteConfig: fc.Arbitrary<ExtAuthzRouteConfig> = options<ExtAuthzRouteConfig>({
  contextExtensions: fc.dictionary(label, fc.string({ maxLength: 5 }), { maxKeys: 2, noNullPrototype: true }),
  body: extAuthzBody,
});

const key = fc.constantFrom<Readonly<Record<string, unknown>>>(
  { kty: 'EC', crv: 'P-256', kid: 'a', x: 'eA', y: 'eQ' },
  { kty: 'RSA', n: 'AQ', e: 'AQAB', use: 'sig' },
);
const location: fc.Arbitrary<JwtLocation> = fc.oneof(
  object<JwtLocation>(
    { header: fc.oneof(label, fc.constantFrom('authorization', 'Authorization')) },
    { prefix: fc.constantFrom('', 'Bearer ', 'Token ') },
  ),
  object<JwtLocation>({ query: label }),
  object<JwtLocation>({ cookie: label }),
);
const provider = (name: string): fc.Arbitrary<JwtProvider> =>
  object<JwtProvider>(
    {
      name: fc.constant(name),
      issuer: host.map((at) => `https://${at}`),
      jwks: fc.oneof(
        object<JwtProvider['jwks']>({ keys: fc.array(key, { minLength: 1, maxLength: 2 }) }),
        object<JwtProvider['jwks']>(
          { url: host.map((at) => `https://${at}/keys`), cluster: label },
          {
            refreshMs: fc.integer({ min: 1, max: 86_400_000 }),
            timeoutMs: fc.integer({ min: 1, max: 60_000 }),
          },
        ),
      ),
    },
    {
      audiences: listed,
      from: fc.array(location, { minLength: 1, maxLength: 3 }),
      clockSkewMs: fc.integer({ min: 1, max: 3600 }).map((seconds) => seconds * 1000),
      requireExpiration: fc.boolean(),
      forward: fc.boolean(),
      payloadHeader: label,
      payloadHeaderPadded: fc.constant(true),
      subjects: fc.constantFrom<StringMatch>(
        { kind: 'exact', value: 'alice' },
        { kind: 'suffix', value: '@a.example', ignoreCase: true },
        { kind: 'regex', value: '[a-z]+' },
      ),
      maxLifetimeMs: fc.integer({ min: 1, max: 3_155_760_000_000 }),
      metadata: fc.constantFrom<NonNullable<JwtProvider['metadata']>>(
        { payload: 'p' },
        { payload: 'p', wordLists: ['scope'], header: 'h', failure: 'f' },
      ),
      rematch: fc.constant(true),
      maxCachedTokens: fc.integer({ min: 1, max: 1_000_000 }),
    },
  );
const requirement = (names: readonly string[], depth = 0): fc.Arbitrary<JwtRequirement> => {
  const leaf = fc.oneof(
    object<JwtRequirement>({ provider: fc.constantFrom(...names) }, { audiences: listed }),
    fc.constant<JwtRequirement>({ allowMissing: true }),
  );
  if (depth > 1) return leaf;
  const several = fc.array(requirement(names, depth + 1), { minLength: 2, maxLength: 3 });
  const whatever: JwtRequirement = { allowFailed: true };
  return fc.oneof(
    leaf,
    object<JwtRequirement>({ any: several }),
    object<JwtRequirement>({ all: several }),
    ...(depth > 0
      ? []
      : [
          fc.constantFrom<JwtRequirement>(whatever, {
            any: [...names.map((provider) => ({ provider })), whatever],
          }),
        ]),
  );
};
const orNothing = (names: readonly string[]): fc.Arbitrary<JwtRequirement> =>
  fc.oneof(requirement(names), fc.constant<JwtRequirement>({ ignore: true }));

/** What Envoy can say: asymmetric keys of any algorithm, claims for later filters alone. */
export const plainJwtConfig: fc.Arbitrary<JwtFilterConfig> = fc
  .uniqueArray(label, { minLength: 1, maxLength: 2 })
  .chain((providers) =>
    object<JwtFilterConfig>(
      { providers: fc.tuple(...providers.map(provider)) },
      {
        requires: orNothing(providers),
        requirements: fc.dictionary(label, requirement(providers), {
          minKeys: 1,
          maxKeys: 2,
          noNullPrototype: true,
        }),
        silentRefusals: fc.constant(true),
        bypassPreflight: fc.constant(true),
        rules: fc.array(
          object<JwtRule>({
            match: options<JwtRule['match']>({
              path: object<PathMatch>({
                kind: fc.constantFrom('exact', 'prefix'),
                value: label.map((p) => `/${p}`),
              }),
              method: fc.constantFrom('GET', 'POST'),
              headers: fc.array(valueMatch, { minLength: 1, maxLength: 2 }),
              query: fc.array(
                valueMatch.filter(({ invert }) => invert !== true),
                { minLength: 1, maxLength: 2 },
              ),
            }),
            requires: orNothing(providers),
          }),
          { minLength: 1, maxLength: 2 },
        ),
      },
    ),
  )
  // A last rule for every request is the same as \`requires\`.
  .filter(({ rules }) => Object.keys(rules?.at(-1)?.match ?? { none: true }).length > 0);
export const jwtConfig: fc.Arbitrary<JwtFilterConfig> = fc.oneof(
  plainJwtConfig,
  fc.constantFrom<JwtFilterConfig>(
    {
      providers: [
        { name: 'a', issuer: 'i', jwks: { keys: [{ kty: 'oct', k: 'AQ' }] }, algorithms: ['HS256'] },
      ],
    },
    {
      providers: [{ name: 'a', issuer: 'i', jwks: { url: 'https://i/keys' } }],
      requires: { any: [{ provider: 'a' }] },
    },
  ),
);
