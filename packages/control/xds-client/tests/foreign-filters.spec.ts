import type { JsonObject } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { httpChain, httpConfig, overrides, tcpChain, typed } from './envoy-filters.ts';

const fault = (fields: JsonObject = { abort: { httpStatus: 500, percentage: { numerator: 100 } } }) =>
  typed('http.fault.v3.HTTPFault', fields);

describe('a chain', () => {
  it('has filters that are off until a route says otherwise', () => {
    expect(httpChain({ name: 'f', disabled: true, typedConfig: fault() })).toEqual([
      { name: 'f', filter: 'tulle.http.fault', config: { abort: { status: 500 } }, disabled: true },
    ]);
    expect(
      overrides({
        f: typed('envoy.config.route.v3.FilterConfig'),
        g: typed('envoy.config.route.v3.FilterConfig', { disabled: true }),
        h: typed('envoy.config.route.v3.FilterConfig', { config: fault() }),
      }),
    ).toEqual({ f: true, g: null, h: { abort: { status: 500 }, replaces: true } });
  });

  it('goes without optional filters that nobody knows here, and only without those', () => {
    const unknown = typed('xds.type.v3.TypedStruct', { typeUrl: 'x/tulle-filter-other', value: { a: 1 } });
    expect(httpChain({ name: 'o', isOptional: true, typedConfig: unknown })).toEqual([
      { name: 'o', filter: 'tulle-filter-other', config: { a: 1 }, optional: true },
    ]);
    expect(httpChain({ name: 'o', typedConfig: unknown })).toEqual([
      { name: 'o', filter: 'tulle-filter-other', config: { a: 1 } },
    ]);
    // A type of Envoy's own that has no place here; any other message would do.
    const other = { name: 'x', typedConfig: typed('network.tcp_proxy.v3.TcpProxy', { cluster: 'a' }) };
    expect(httpChain(other)).toEqual([expect.stringContaining('is no filter that this proxy has')]);
  });

  it('takes what other meshes put there, where it has no work to do here', () => {
    expect(
      httpChain(
        {
          name: 'istio.metadata_exchange',
          typedConfig: typed('udpa.type.v1.TypedStruct', {
            typeUrl: 'type.googleapis.com/io.istio.http.peer_metadata.Config',
            value: { upstream_discovery: [{ istio_headers: {} }] },
          }),
        },
        { name: 'envoy.filters.http.grpc_stats', typedConfig: typed('http.grpc_stats.v3.FilterConfig') },
        {
          name: 'istio.stats',
          typedConfig: typed('udpa.type.v1.TypedStruct', {
            typeUrl: 'type.googleapis.com/stats.PluginConfig',
            value: {},
          }),
        },
      ),
    ).toEqual([]);
    expect(
      tcpChain({
        name: 'istio.metadata_exchange',
        typedConfig: typed('udpa.type.v1.TypedStruct', {
          typeUrl: 'type.googleapis.com/envoy.tcp.metadataexchange.config.MetadataExchange',
          value: { protocol: 'istio-peer-exchange' },
        }),
      }),
    ).toEqual([]);
  });
});

describe('RBAC', () => {
  const rbac = (
    permissions: JsonObject[],
    principals: JsonObject[],
    action = 'ALLOW',
    fields: JsonObject = {},
  ) =>
    typed('http.rbac.v3.RBAC', {
      rules: { action, policies: { p: { permissions, principals } } },
      ...fields,
    });
  const any = { any: true };

  it('says in its own words what Tulle has no words for', () => {
    expect(
      httpConfig(
        rbac(
          [
            { urlPath: { path: { safeRegex: { regex: '/a/[0-9]+' } } } },
            {
              andRules: {
                rules: [{ destinationPortRange: { start: 80, end: 90 } }, { notRule: { any: true } }],
              },
            },
            { destinationIp: { addressPrefix: '10.0.0.0', prefixLen: 8 } },
            { requestedServerName: { suffix: '.example' } },
            { header: { name: ':path', stringMatch: { contains: '?' } } },
            {
              uriTemplate: {
                name: 't',
                typedConfig: typed('envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig', {
                  pathTemplate: '/v1/{name}/**',
                }),
              },
            },
          ],
          [
            { sourceIp: { addressPrefix: '192.0.2.1', prefixLen: 32 } },
            { remoteIp: { addressPrefix: '192.0.2.2', prefixLen: 32 } },
            { authenticated: { principalName: { suffix: '/sa/web' } } },
            { header: { name: 'x-user', presentMatch: true } },
            {
              metadata: {
                filter: 'envoy.filters.http.jwt_authn',
                path: [{ key: 'payload' }, { key: 'groups' }],
                value: { listMatch: { oneOf: { stringMatch: { exact: 'admin' } } } },
              },
            },
          ],
        ),
      ),
    ).toEqual({
      policies: [
        {
          name: 'p',
          action: 'ALLOW',
          rules: [
            {
              expression: {
                allOf: [
                  {
                    anyOf: [
                      { path: { kind: 'regex', value: '/a/[0-9]+' } },
                      { allOf: [{ ports: { first: 80, last: 89 } }, { not: { any: true } }] },
                      { destination: '10.0.0.0/8' },
                      { serverName: { kind: 'suffix', value: '.example' } },
                      { header: { name: ':path', match: { kind: 'contains', value: '?' } } },
                      { path: { kind: 'regex', value: expect.stringContaining('/v1/') as string } },
                    ],
                  },
                  {
                    anyOf: [
                      { source: '192.0.2.1/32' },
                      { client: '192.0.2.2/32' },
                      { identity: { kind: 'suffix', value: '/sa/web' } },
                      { header: { name: 'x-user', match: { kind: 'present' } } },
                      {
                        metadata: {
                          namespace: 'envoy.filters.http.jwt_authn',
                          path: ['payload', 'groups'],
                          value: { element: { text: { kind: 'exact', value: 'admin' } } },
                        },
                      },
                    ],
                  },
                ],
              },
            },
          ],
        },
      ],
    });
  });

  it('takes an inverted condition on a field as Envoy does, in which an absent one fulfils nothing', () => {
    const inverted = { header: { name: 'x-team', stringMatch: { exact: 'web' }, invertMatch: true } };
    const expression = { header: { name: 'x-team', match: { kind: 'exact', value: 'web' }, invert: true } };
    for (const action of ['ALLOW', 'DENY'])
      expect(httpConfig(rbac([inverted], [any], action))).toEqual({
        policies: [{ name: 'p', action, rules: [{ expression: { allOf: [expression, { any: true }] } }] }],
      });
  });

  it('may ask what filters put down', () => {
    const state = (matcher: JsonObject) => httpConfig(rbac([any], [{ filterState: matcher }]));
    const rule = (filterState: unknown) => ({
      policies: [
        { name: 'p', action: 'ALLOW', rules: [{ expression: { allOf: [{ any: true }, { filterState }] } }] },
      ],
    });
    expect(state({ key: 'io.istio.peer_principal', stringMatch: { prefix: 'spiffe://a/' } })).toEqual(
      rule({ key: 'io.istio.peer_principal', match: { kind: 'prefix', value: 'spiffe://a/' } }),
    );
    const ranges = [{ addressPrefix: '10.0.0.0', prefixLen: 8 }];
    expect(state({ key: 'a', addressMatch: { ranges } })).toEqual(rule({ key: 'a', cidrs: ['10.0.0.0/8'] }));
  });

  it('that logs decides nothing', () => {
    expect(httpConfig(rbac([any], [any], 'LOG'))).toEqual({
      policies: [{ name: 'p', action: 'LOG', rules: [{}] }],
    });
  });

  it('is refused where nobody could fulfil it, or nobody looks', () => {
    expect(
      httpConfig(
        rbac([{ metadata: { filter: 'other', path: [{ key: 'a' }], value: { boolMatch: true } } }], [any]),
      ),
    ).toEqual([expect.stringMatching(/metadata\.filter must be one of envoy\.filters\.http\.jwt_authn/)]);
    const absent = { filter: 'envoy.filters.http.jwt_authn', path: [{ key: 'a' }] };
    expect(httpConfig(rbac([{ metadata: { ...absent, value: { presentMatch: false } } }], [any]))).toEqual([
      expect.stringMatching(/metadata\.value\.present_match is false, which matches nothing in Envoy/),
    ]);
    const state = (matcher: JsonObject) => httpConfig(rbac([any], [{ filterState: matcher }]));
    expect(state({ key: '', stringMatch: { exact: 'b' } })).toEqual([
      expect.stringContaining('principals[0].filter_state.key'),
    ]);
    expect(state({ key: 'a' })).toContainEqual(
      expect.stringContaining('principals[0].filter_state says nothing'),
    );
    expect(state({ key: 'a', addressMatch: { ranges: [] } })).toEqual([
      expect.stringContaining('principals[0].filter_state.address_match.ranges'),
    ]);
    const inverted = { ranges: [{ addressPrefix: '10.0.0.0', prefixLen: 8 }], invertMatch: true };
    expect(state({ key: 'a', addressMatch: inverted })).toEqual([
      expect.stringContaining('principals[0].filter_state.address_match.invert_match'),
    ]);
    expect(httpConfig(rbac([{ destinationPortRange: { start: 9, end: 9 } }], [any]))).toEqual([
      expect.stringContaining('destination_port_range'),
    ]);
  });

  it('before a TCP proxy judges what a connection shows', () => {
    const network = (permissions: JsonObject[], principals: JsonObject[]) =>
      typed('network.rbac.v3.RBAC', {
        statPrefix: 's',
        enforcementType: 'CONTINUOUS',
        rules: { action: 'DENY', policies: { p: { permissions, principals } } },
      });
    expect(
      tcpChain({
        name: 'rbac',
        typedConfig: network(
          [{ destinationPort: 3306 }],
          [{ authenticated: { principalName: { exact: 'spiffe://a/b' } } }],
        ),
      }),
    ).toEqual([
      {
        name: 'rbac',
        filter: 'tulle.conn.authz',
        config: {
          policies: [
            {
              name: 'p',
              action: 'DENY',
              expression: {
                allOf: [
                  { ports: { first: 3306, last: 3306 } },
                  { identity: { kind: 'exact', value: 'spiffe://a/b' } },
                ],
              },
            },
          ],
        },
      },
    ]);
    expect(
      tcpChain({ name: 'rbac', typedConfig: network([{ urlPath: { path: { exact: '/' } } }], [any]) }),
    ).toEqual([expect.stringContaining('which a connection has none of')]);
    // Without TLS of its own, and with no names to choose by, nobody reads the hello.
    expect(
      tcpChain({
        name: 'rbac',
        typedConfig: network([{ requestedServerName: { suffix: '.forbidden' } }], [any]),
      }),
    ).toEqual([expect.stringContaining('asks in "rbac" for the server name, which is not read here')]);
    // However deep it stands, and not where another filter's own words look the same.
    const name = { requestedServerName: { exact: 'a.example' } };
    expect(
      tcpChain({
        name: 'rbac',
        typedConfig: network(
          [{ andRules: { rules: [any, { notRule: { orRules: { rules: [name] } } }] } }],
          [any],
        ),
      }),
    ).toEqual([expect.stringContaining('asks in "rbac" for the server name')]);
    expect(
      tcpChain({
        name: 'own',
        typedConfig: typed('xds.type.v3.TypedStruct', {
          typeUrl: 'x/tulle-filter-own',
          value: { service: { tls: { serverName: 'checker.example' } } },
        }),
      }),
    ).toEqual([
      {
        name: 'own',
        filter: 'tulle-filter-own',
        config: { service: { tls: { serverName: 'checker.example' } } },
      },
    ]);
    expect(
      tcpChain({
        name: 'rbac',
        typedConfig: network([any], [{ authenticated: { principalName: { exact: 'a.example' } } }]),
      }),
    ).toEqual([expect.stringContaining('must be a SPIFFE id')]);
  });
});

describe('jwt_authn', () => {
  const provider = { issuer: 'i', localJwks: { inlineString: '{"keys":[]}' } };
  const jwt = (fields: JsonObject) => typed('http.jwt_authn.v3.JwtAuthentication', fields);

  it('asks for nothing where no rule matches, or a rule requires nothing', () => {
    expect(
      httpConfig(
        jwt({
          providers: { a: provider },
          rules: [
            { match: { prefix: '/health' } },
            {
              match: { prefix: '/a' },
              requires: {
                requiresAny: { requirements: [{ providerName: 'a' }, { allowMissingOrFailed: {} }] },
              },
            },
          ],
        }),
      ),
    ).toMatchObject({
      requires: { ignore: true },
      rules: [
        { match: { path: { kind: 'bytes-prefix', value: '/health' } }, requires: { ignore: true } },
        {
          match: { path: { kind: 'bytes-prefix', value: '/a' } },
          requires: { any: [{ provider: 'a' }, { allowFailed: true }] },
        },
      ],
    });
  });

  it('hands claims on, to the service and to other filters', () => {
    expect(
      httpConfig(
        jwt({
          providers: {
            a: {
              ...provider,
              subjects: { prefix: 'spiffe://' },
              maxLifetime: '3600s',
              padForwardPayloadHeader: true,
              forwardPayloadHeader: 'x-payload',
              payloadInMetadata: 'payload',
              normalizePayloadInMetadata: { spaceDelimitedClaims: ['scope'] },
              headerInMetadata: 'header',
              failedStatusInMetadata: 'failed',
              claimToHeaders: [
                { headerName: 'x-sub', claimName: 'sub' },
                { headerName: 'x-name', claimName: 'user.name' },
              ],
              jwtCacheConfig: { jwtCacheSize: 7 },
              clearRouteCache: true,
            },
          },
          rules: [{ match: { prefix: '/' }, requires: { providerName: 'a' } }],
          bypassCorsPreflight: true,
          stripFailureResponse: true,
          requirementMap: { some: { providerName: 'a' } },
        }),
      ),
    ).toEqual({
      providers: [
        {
          name: 'a',
          issuer: 'i',
          jwks: { keys: [] },
          subjects: { kind: 'prefix', value: 'spiffe://' },
          maxLifetimeMs: 3_600_000,
          from: [{ header: 'authorization' }, { query: 'access_token' }],
          requireExpiration: false,
          payloadHeader: 'x-payload',
          payloadHeaderPadded: true,
          metadata: { payload: 'payload', wordLists: ['scope'], header: 'header', failure: 'failed' },
          claimsToHeaders: [
            { claim: 'sub', header: 'x-sub' },
            { claim: ['user', 'name'], header: 'x-name' },
          ],
          maxCachedTokens: 7,
          rematch: true,
        },
      ],
      requires: { provider: 'a' },
      bypassPreflight: true,
      silentRefusals: true,
      requirements: { some: { provider: 'a' } },
    });
  });

  it('on a route names a requirement of the chain, or asks for nothing', () => {
    const route = (fields: JsonObject) => typed('http.jwt_authn.v3.PerRouteConfig', fields);
    expect(overrides({ a: route({ requirementName: 'some' }), b: route({ disabled: true }) })).toEqual({
      a: { requirement: 'some' },
      // What stands in the place of claims is removed all the same.
      b: { requires: { ignore: true } },
    });
  });
});

describe('faults', () => {
  it('say in what words they answer, and what is known of a request then', () => {
    const asked = (abort: JsonObject) =>
      httpConfig(
        fault({ abort: { responseBody: 'on purpose', ...abort }, filterMetadata: { a: { b: [1] } } }),
      );
    expect(asked({ httpStatus: 503 })).toMatchObject({
      abort: { status: 503, body: 'on purpose' },
      metadata: { a: { b: [1] } },
    });
    expect(asked({ grpcStatus: 8 })).toMatchObject({ abort: { grpcStatus: 8, body: 'on purpose' } });
    expect(asked({ headerAbort: {} })).toMatchObject({ byHeader: { abort: { body: 'on purpose' } } });
    expect(httpConfig(fault({ abort: { httpStatus: 503, responseBody: '' } }))).toEqual({
      abort: { status: 503, percent: 0 },
    });
  });

  it('are as a request asks for them, for some requests, and slow responses down', () => {
    expect(
      httpConfig(
        fault({
          delay: { headerDelay: {}, percentage: { numerator: 50 } },
          abort: { headerAbort: {}, percentage: { numerator: 100 } },
          responseRateLimit: { fixedLimit: { limitKbps: '64' }, percentage: { numerator: 1 } },
          headers: [{ name: 'x', stringMatch: { prefix: 'a' } }],
          upstreamCluster: 'c',
          downstreamNodes: ['n'],
          maxActiveFaults: 3,
        }),
      ),
    ).toEqual({
      byHeader: { delay: { percent: 50 }, abort: {} },
      responseRate: { kibPerSecond: 64, percent: 1 },
      match: [{ name: 'x', match: { kind: 'prefix', value: 'a' } }],
      cluster: 'c',
      nodes: ['n'],
      maxActiveFaults: 3,
    });
  });
});

describe('buffer', () => {
  it('has a size, on a route another one or none', () => {
    expect(httpConfig(typed('http.buffer.v3.Buffer', { maxRequestBytes: 10 }))).toEqual({
      maxRequestBytes: 10,
    });
    expect(
      overrides({
        a: typed('http.buffer.v3.BufferPerRoute', { disabled: true }),
        b: typed('http.buffer.v3.BufferPerRoute', { buffer: { maxRequestBytes: 5 } }),
      }),
    ).toEqual({ a: null, b: { maxRequestBytes: 5 } });
  });
});

describe('local_ratelimit', () => {
  const local = (fields: JsonObject) =>
    typed('http.local_ratelimit.v3.LocalRateLimit', { statPrefix: 's', ...fields });
  const tokenBucket = { maxTokens: 10, tokensPerFill: 5, fillInterval: '1s' };
  const always = { defaultValue: { numerator: 100 } };

  it('is a limit where it has one bucket for everybody, and none where it is not switched on', () => {
    expect(httpConfig(local({ tokenBucket, filterEnabled: always, filterEnforced: always }))).toEqual({
      limits: [{ name: 's', requests: 5, burst: 10 }],
    });
    expect(httpConfig(local({ tokenBucket }))).toEqual({ limits: [] });
    expect(httpConfig(local({}))).toEqual({ limits: [] });
  });

  it('has all that Envoy says', () => {
    expect(
      httpConfig(
        local({
          tokenBucket,
          filterEnabled: { defaultValue: { numerator: 50 } },
          filterEnforced: { defaultValue: { numerator: 5, denominator: 'TEN_THOUSAND' } },
          status: { code: 'ServiceUnavailable' },
          descriptors: [
            { entries: [{ key: 'a', value: 'b' }], tokenBucket: { maxTokens: 1, fillInterval: '60s' } },
          ],
          stage: 2,
          localRateLimitPerDownstreamConnection: true,
          enableXRatelimitHeaders: 'DRAFT_VERSION_03',
          vhRateLimits: 'INCLUDE',
          alwaysConsumeDefaultTokenBucket: false,
          rateLimitedAsResourceExhausted: true,
          responseHeadersToAdd: [
            { header: { key: 'x-limited', value: 'yes' }, appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' },
          ],
          requestHeadersToAddWhenNotEnforced: [{ header: { key: 'x-over', value: 'yes' } }],
        }),
      ),
    ).toEqual({
      limits: [],
      descriptors: {
        name: 's',
        bucket: { capacity: 10, tokens: 5, intervalMs: 1000 },
        buckets: [
          { entries: [{ key: 'a', value: 'b' }], bucket: { capacity: 1, tokens: 1, intervalMs: 60_000 } },
        ],
        stage: 2,
        host: 'include',
        alwaysDefault: false,
        perConnection: true,
        percent: 50,
        enforcedPercent: 0.05,
        status: 503,
        resourceExhausted: true,
        responseHeaders: { set: [{ name: 'x-limited', value: 'yes' }] },
        unenforcedHeaders: { add: [{ name: 'x-over', value: 'yes' }] },
        rateHeaders: true,
      },
    });
  });

  it('describes requests itself, and leaves values open', () => {
    const descriptors = (fields: JsonObject): unknown =>
      httpConfig(local({ tokenBucket, filterEnabled: always, filterEnforced: always, ...fields }));
    const actions = [{ genericKey: { descriptorValue: 'v' } }];
    const base = { name: 's', bucket: { capacity: 10, tokens: 5, intervalMs: 1000 } };
    const decoded = [{ kind: 'generic', value: 'v' }];
    expect(
      descriptors({
        rateLimits: [
          { actions, hitsAddend: { number: 3, isNegativeHits: true } },
          { actions, hitsAddend: { format: '%REQ(a)%' }, xRatelimitOption: 'OFF' },
          { actions, applyOnStreamDone: true },
        ],
        descriptors: [
          {
            entries: [{ key: 'a' }],
            tokenBucket: { maxTokens: 1, fillInterval: '60s' },
            shadowMode: true,
          },
        ],
        maxDynamicDescriptors: 3,
        enableRetryAfterHeader: true,
      }),
    ).toEqual({
      limits: [],
      descriptors: {
        ...base,
        rateLimits: [
          { actions: decoded, hits: 3, giveBack: true },
          { actions: decoded, hits: { format: '%REQ(a)%' }, rateHeaders: false },
        ],
        buckets: [
          {
            entries: [{ key: 'a', value: '' }],
            bucket: { capacity: 1, tokens: 1, intervalMs: 60_000 },
            shadow: true,
          },
        ],
        maxDynamic: 3,
        retryAfter: true,
      },
    });
    // Those of routes do not count then, although nothing is left of its own.
    expect(descriptors({ rateLimits: [{ actions, applyOnStreamDone: true }] })).toEqual({
      limits: [],
      descriptors: { ...base, rateLimits: [] },
    });
    expect(
      descriptors({
        maxDynamicDescriptors: 0,
        rateLimits: [
          { actions, stage: 0, disableKey: 'k', limit: { rateLimit: { requestsPerUnit: 1, unit: 'DAY' } } },
          { actions, hitsAddend: {} },
          { actions, hitsAddend: { number: '1000000001' } },
          { actions, hitsAddend: { format: 'a' } },
          { actions, hitsAddend: { number: 1, format: '%REQ(a)%' } },
          {},
        ],
      }),
    ).toEqual(
      [
        'max_dynamic_descriptors must be at least 1',
        'rate_limits[0].stage must not be set',
        'rate_limits[0].disable_key must not be set',
        'rate_limits[1].hits_addend must have either a number or a format',
        'rate_limits[2].hits_addend.number must be at most 1000000000',
        'rate_limits[3].hits_addend.format must be one operator',
        'rate_limits[4].hits_addend must have either a number or a format',
        'rate_limits[5].actions is empty',
        'rate_limits[0].limit must not be set',
      ].map((text) => expect.stringContaining(text) as unknown),
    );
  });

  it('has buckets that can be', () => {
    expect(
      httpConfig(
        local({
          tokenBucket: { maxTokens: 0, fillInterval: '0.01s' },
          filterEnabled: always,
          filterEnforced: always,
        }),
      ),
    ).toEqual([
      expect.stringContaining('token_bucket.max_tokens must be at least 1'),
      expect.stringContaining('token_bucket.fill_interval must be at least 0.05 s'),
    ]);
  });
});

describe('ratelimit', () => {
  const service = (target: JsonObject) => ({
    grpcService: { ...target, timeout: '1s' },
    transportApiVersion: 'V3',
  });
  const global = (fields: JsonObject) =>
    typed('http.ratelimit.v3.RateLimit', {
      domain: 'd',
      rateLimitService: service({ envoyGrpc: { clusterName: 'limits' } }),
      ...fields,
    });

  it('asks a cluster', () => {
    expect(httpConfig(global({}))).toEqual({ domain: 'd', cluster: 'limits' });
    expect(
      httpConfig(
        global({
          stage: 1,
          requestType: 'both',
          timeout: '0.05s',
          failureModeDeny: true,
          rateLimitedAsResourceExhausted: true,
          enableXRatelimitHeaders: 'DRAFT_VERSION_03',
          disableXEnvoyRatelimitedHeader: true,
          rateLimitedStatus: { code: 'ServiceUnavailable' },
          statusOnError: { code: 'BadGateway' },
          responseHeadersToAdd: [{ header: { key: 'x', value: 'y' } }],
        }),
      ),
    ).toEqual({
      domain: 'd',
      cluster: 'limits',
      stage: 1,
      timeoutMs: 50,
      failureMode: 'deny',
      resourceExhausted: true,
      rateHeaders: true,
      mark: false,
      status: 503,
      statusOnError: 502,
      responseHeaders: { add: [{ name: 'x', value: 'y' }] },
    });
  });

  it('asks about some requests, describes them itself, and refuses some', () => {
    expect(
      httpConfig(
        global({
          requestType: 'internal',
          filterEnabled: { defaultValue: { numerator: 50 } },
          filterEnforced: { defaultValue: { numerator: 0 } },
          failureModeDenyPercent: { defaultValue: { numerator: 100 } },
          rateLimits: [
            {
              actions: [{ remoteAddress: {} }],
              hitsAddend: { number: 2 },
              applyOnStreamDone: true,
              limit: { rateLimit: { requestsPerUnit: 9, unit: 'SECOND' } },
            },
          ],
          metadataNamespace: 'ns',
          enableRetryAfterHeader: true,
        }),
      ),
    ).toEqual({
      domain: 'd',
      cluster: 'limits',
      requests: 'internal',
      percent: 50,
      enforcedPercent: 0,
      denyPercent: 100,
      rateLimits: [
        {
          actions: [{ kind: 'remote-address' }],
          hits: 2,
          atEnd: true,
          limit: { requestsPerUnit: 9, unit: 'SECOND' },
        },
      ],
      metadataNamespace: 'ns',
      retryAfter: true,
    });
  });

  it('asks nobody by an address of its own, and about no requests that there are not', () => {
    expect(
      httpConfig(
        global({
          requestType: 'none',
          rateLimitService: service({ googleGrpc: { targetUri: 'limits:8081', statPrefix: 's' } }),
        }),
      ),
    ).toEqual([
      expect.stringContaining('request_type must be internal, external or both'),
      expect.stringContaining('rate_limit_service.grpc_service must be envoy_grpc'),
    ]);
  });

  it('is another on a route', () => {
    expect(
      overrides({
        a: typed('http.ratelimit.v3.RateLimitPerRoute', {
          domain: 'e',
          vhRateLimits: 'INCLUDE',
          // Envoy does not look at it.
          overrideOption: 'IGNORE_POLICY',
          rateLimits: [{ actions: [{ genericKey: { descriptorValue: 'v' } }, { remoteAddress: {} }] }],
        }),
      }),
    ).toEqual({
      a: {
        domain: 'e',
        host: 'include',
        rateLimits: [{ actions: [{ kind: 'generic', value: 'v' }, { kind: 'remote-address' }] }],
      },
    });
  });
});

describe('ext_authz', () => {
  const extAuthz = (fields: JsonObject) =>
    typed('http.ext_authz.v3.ExtAuthz', { transportApiVersion: 'V3', ...fields });
  const httpService = {
    serverUri: { uri: 'http://auth.example:9000', cluster: 'auth', timeout: '0.25s' },
    pathPrefix: '/check',
  };

  it('asks over HTTP with what Envoy sends, and gives on everything', () => {
    expect(httpConfig(extAuthz({ httpService }))).toEqual({
      service: {
        http: {
          url: 'http://auth.example:9000/check',
          cluster: 'auth',
          onlyListed: true,
          onlyOk: true,
          clientHeaders: ['*'],
        },
      },
      timeoutMs: 250,
    });
    const exact = (...names: string[]) => ({ patterns: names.map((name) => ({ exact: name })) });
    expect(
      httpConfig(
        extAuthz({
          httpService: {
            ...httpService,
            authorizationRequest: { headersToAdd: [{ key: 'x-env', value: 'prod' }] },
            authorizationResponse: {
              allowedUpstreamHeaders: exact('x-user'),
              allowedUpstreamHeadersToAppend: exact('x-group'),
              allowedClientHeaders: exact('x-why'),
              allowedClientHeadersOnSuccess: exact('x-seen'),
              dynamicMetadataFromHeaders: exact('x-tier'),
            },
          },
          allowedHeaders: exact('x-a'),
          disallowedHeaders: { patterns: [{ prefix: 'x-secret' }] },
          failureModeAllow: true,
          failureModeAllowHeaderAdd: true,
          clearRouteCache: true,
          filterEnabled: { defaultValue: { numerator: 50 } },
          denyAtDisable: { runtimeKey: 'k', defaultValue: true },
          filterEnabledMetadata: {
            filter: 'envoy.filters.http.rbac',
            path: [{ key: 'shadow_effective_policy_id' }],
            value: { stringMatch: { prefix: 'istio-ext-authz' } },
          },
        }),
      ),
    ).toEqual({
      service: {
        http: {
          url: 'http://auth.example:9000/check',
          cluster: 'auth',
          requestHeaders: ['x-a'],
          onlyListed: true,
          onlyOk: true,
          addedHeaders: [{ name: 'x-env', value: 'prod' }],
          upstreamHeaders: ['x-user'],
          upstreamHeadersAppended: ['x-group'],
          metadataHeaders: ['x-tier'],
          clientHeaders: ['x-why', 'www-authenticate', 'location'],
          clientHeadersOnSuccess: ['x-seen'],
        },
      },
      timeoutMs: 250,
      failureMode: 'allow',
      withheldHeaders: ['x-secret*'],
      when: {
        namespace: 'envoy.filters.http.rbac',
        path: ['shadow_effective_policy_id'],
        value: { text: { kind: 'prefix', value: 'istio-ext-authz' } },
      },
      percent: 50,
      otherwise: 'deny',
      markFailureAllowed: true,
      rematch: true,
    });
  });

  it('asks one path for all, tells lines by themselves, and cuts refusals off', () => {
    const grpcService = { envoyGrpc: { clusterName: 'auth' } };
    const fields = {
      encodeRawHeaders: true,
      clearRouteCache: true,
      clearRouteCacheHeaders: ['x-route'],
      maxDeniedResponseBodyBytes: 10,
      allowedHeaders: {
        patterns: [{ suffix: '-id' }, { contains: 'own' }, { exact: 'x-a', ignoreCase: true }],
      },
    };
    expect(httpConfig(extAuthz({ grpcService, ...fields }))).toMatchObject({
      service: { grpcCluster: { requestHeaders: ['*-id', '*own*', 'x-a'] } },
      rawHeaders: true,
      rematch: true,
      rematchHeaders: ['x-route'],
      maxDeniedBodyBytes: 10,
    });
    const { pathPrefix, ...service } = httpService;
    const over = (more: JsonObject) =>
      httpConfig(extAuthz({ httpService: { ...service, ...more }, ...fields }));
    expect(over({ pathOverride: '/check?a=1' })).toMatchObject({
      service: { http: { target: '/check?a=1' } },
    });
    expect(over({ pathOverride: '/check' })).not.toHaveProperty('rawHeaders');
    expect(over({ pathOverride: '/check', pathPrefix })).toEqual([
      expect.stringContaining('path_override must not stand beside path_prefix'),
    ]);
    expect(over({ pathOverride: 'check' })).toEqual([
      expect.stringContaining('path_override must begin with /'),
    ]);
    const odd = { patterns: [{ exact: 'x*' }, { safeRegex: { regex: 'x' } }] };
    expect(httpConfig(extAuthz({ grpcService, allowedHeaders: odd }))).toEqual([
      expect.stringContaining('allowed_headers.patterns[0] "x*" has a *'),
      expect.stringContaining('allowed_headers.patterns[1] must be exact, prefix, suffix or contains'),
    ]);
  });

  it('is asked as Envoy asks, whatever is listed first', () => {
    const patterns = [{ exact: 'cookie' }, { exact: 'x-a' }];
    expect(httpConfig(extAuthz({ httpService, allowedHeaders: { patterns } }))).toMatchObject({
      service: { http: { requestHeaders: ['cookie', 'x-a'], onlyListed: true, onlyOk: true } },
    });
  });

  it('asks a cluster over gRPC', () => {
    expect(
      httpConfig(
        extAuthz({
          grpcService: { envoyGrpc: { clusterName: 'auth', authority: 'auth.example' }, timeout: '1s' },
          metadataContextNamespaces: ['envoy.filters.http.jwt_authn'],
        }),
      ),
    ).toEqual({
      service: { grpcCluster: { cluster: 'auth', authority: 'auth.example' } },
      timeoutMs: 1000,
      metadataNamespaces: ['envoy.filters.http.jwt_authn'],
    });
  });

  it('on a route reads no body, or is off', () => {
    const route = (fields: JsonObject) => typed('http.ext_authz.v3.ExtAuthzPerRoute', fields);
    expect(
      overrides({
        a: route({ checkSettings: { disableRequestBodyBuffering: true, contextExtensions: { k: 'v' } } }),
        b: route({ disabled: true }),
      }),
    ).toEqual({ a: { body: null, contextExtensions: { k: 'v' } }, b: null });
  });

  it('shows a service over gRPC the caller’s certificate where it is to, one over HTTP never', () => {
    const grpcService = { envoyGrpc: { clusterName: 'auth' } };
    expect(httpConfig(extAuthz({ grpcService, includePeerCertificate: true }))).toMatchObject({
      tellCertificate: true,
    });
    expect(httpConfig(extAuthz({ httpService, includePeerCertificate: true }))).not.toHaveProperty(
      'tellCertificate',
    );
  });

  it('needs no scheme before the host of a service, which its cluster reaches', () => {
    const serverUri = { uri: '127.0.0.1:10003', cluster: 'auth', timeout: '1s' };
    expect(httpConfig(extAuthz({ httpService: { serverUri } }))).toMatchObject({
      service: { http: { url: 'http://127.0.0.1:10003', cluster: 'auth' } },
    });
    expect(httpConfig(extAuthz({ httpService: { serverUri: { ...serverUri, uri: 'ftp://a' } } }))).toEqual([
      expect.stringContaining('server_uri.uri must name a host'),
    ]);
  });

  it('with a body and a route that changes is refused, for the body is read when the route is chosen', () => {
    expect(
      httpConfig(extAuthz({ httpService, clearRouteCache: true, withRequestBody: { maxRequestBytes: 10 } })),
    ).toEqual([expect.stringContaining('clear_route_cache must be false beside with_request_body')]);
  });
});

it('RBAC takes metadata from the source of it that there is', () => {
  const rule = (sourcedMetadata: JsonObject) =>
    httpConfig(
      typed('http.rbac.v3.RBAC', {
        rules: {
          action: 'DENY',
          policies: { p: { permissions: [{ sourcedMetadata }], principals: [{ any: true }] } },
        },
      }),
    );
  const metadataMatcher = {
    filter: 'envoy.filters.http.jwt_authn',
    path: [{ key: 'a' }],
    value: { stringMatch: { exact: 'b' } },
  };
  expect(JSON.stringify(rule({ metadataMatcher }))).toContain('"namespace":"envoy.filters.http.jwt_authn"');
  expect(rule({ metadataMatcher, metadataSource: 'ROUTE' })).toEqual([
    expect.stringContaining('sourced_metadata.metadata_source must be DYNAMIC'),
  ]);
  expect(rule({})).toEqual([expect.stringContaining('sourced_metadata.metadata_matcher is missing')]);
});

it('RBAC in shadow mode tells ext_authz what it would decide', () => {
  const shadow = typed('http.rbac.v3.RBAC', {
    shadowRules: {
      action: 'DENY',
      policies: { 'istio-ext-authz-a[0]': { permissions: [{ any: true }], principals: [{ any: true }] } },
    },
    shadowRulesStatPrefix: 'istio_ext_authz_',
  });
  expect(httpConfig(shadow)).toEqual({
    policies: [{ name: 'istio-ext-authz-a', action: 'DENY', shadow: true, rules: [{}] }],
    shadowMetadata: 'istio_ext_authz_',
  });
});

describe('cors', () => {
  it('takes any pattern of origins, and leaves the others to the service unless it is told not to', () => {
    const cors = (fields: JsonObject) => overrides({ c: typed('http.cors.v3.CorsPolicy', fields) });
    expect(
      cors({
        allowOriginStringMatch: [
          { exact: 'https://a.example' },
          { prefix: 'https://b.' },
          { safeRegex: { regex: 'https://.*[.]example' } },
        ],
        allowMethods: 'GET, PUT',
        maxAge: '1728000',
        allowPrivateNetworkAccess: true,
        filterEnabled: { defaultValue: { numerator: 100 } },
        shadowEnabled: { defaultValue: { numerator: 100 } },
      }),
    ).toEqual({
      c: {
        allowOrigins: ['https://a.example'],
        allowOriginMatches: [
          { kind: 'prefix', value: 'https://b.' },
          { kind: 'regex', value: 'https://.*[.]example' },
        ],
        allowMethods: ['GET', 'PUT'],
        maxAgeSeconds: 1_728_000,
        allowPrivateNetwork: true,
        inherits: true,
      },
    });
    expect(
      cors({
        allowOriginStringMatch: [{ exact: '*' }],
        forwardNotMatchingPreflights: false,
        allowPrivateNetworkAccess: false,
      }),
    ).toEqual({
      c: { allowOrigins: ['*'], allowPrivateNetwork: false, forwardUnlisted: false, inherits: true },
    });
  });
});

describe('header_mutation', () => {
  const append = (key: string, value: string, appendAction: string, more: JsonObject = {}) => ({
    append: { header: { key, value }, appendAction, ...more },
  });

  it('is made in its order, on every condition', () => {
    expect(
      httpConfig(
        typed('http.header_mutation.v3.HeaderMutation', {
          mutations: {
            requestMutations: [
              append('a', '100%%', 'OVERWRITE_IF_EXISTS'),
              append('b', '1', 'ADD_IF_ABSENT'),
              append('c', '', 'OVERWRITE_IF_EXISTS_OR_ADD'),
              { remove: 'a' },
            ],
            responseMutations: [{ remove: 'x' }, append('y', '2', 'OVERWRITE_IF_EXISTS_OR_ADD')],
          },
          mostSpecificHeaderMutationsWins: true,
        }),
      ),
    ).toEqual({
      requestSteps: [
        { setIfPresent: { name: 'a', value: '100%' } },
        { addIfAbsent: { name: 'b', value: '1' } },
        { remove: 'a' },
      ],
      response: { remove: ['x'], set: [{ name: 'y', value: '2' }] },
      specificLast: true,
    });
  });

  it('has no operators', () => {
    expect(
      httpConfig(
        typed('http.header_mutation.v3.HeaderMutation', {
          mutations: { requestMutations: [append('a', '%REQ(b)%', 'OVERWRITE_IF_EXISTS_OR_ADD')] },
        }),
      ),
    ).toEqual([expect.stringContaining('has operators')]);
  });
});

describe('compressor', () => {
  const gzip = {
    name: 'gzip',
    typedConfig: typed('envoy.extensions.compression.gzip.compressor.v3.Gzip', {
      memoryLevel: 9,
      windowBits: 15,
      compressionLevel: 'BEST_SPEED',
    }),
  };

  it('has its conditions, in the newer fields or the older ones', () => {
    const expected = {
      codings: ['gzip'],
      minBytes: 100,
      contentTypes: ['text/html'],
      levels: { gzip: 1 },
      skipEtag: true,
      removeEtag: true,
      hideAcceptEncoding: true,
    };
    expect(
      httpConfig(
        typed('http.compressor.v3.Compressor', {
          compressorLibrary: gzip,
          chooseFirst: true,
          responseDirectionConfig: {
            commonConfig: {
              enabled: { defaultValue: true, runtimeKey: 'k' },
              minContentLength: 100,
              contentType: ['text/html'],
            },
            disableOnEtagHeader: true,
            removeAcceptEncodingHeader: true,
          },
        }),
      ),
    ).toEqual(expected);
    expect(
      httpConfig(
        typed('http.compressor.v3.Compressor', {
          compressorLibrary: gzip,
          contentLength: 100,
          contentType: ['text/html'],
          disableOnEtagHeader: true,
          removeAcceptEncodingHeader: true,
        }),
      ),
    ).toEqual(expected);
  });

  it('says what becomes of etags, which statuses pass, and whether callers are told', () => {
    const compressor = (fields: JsonObject) =>
      httpConfig(
        typed('http.compressor.v3.Compressor', { compressorLibrary: gzip, responseDirectionConfig: fields }),
      );
    expect(compressor({})).toMatchObject({ removeEtag: true });
    // What is weakened is compressed, whatever else is said of etags.
    const weakened = compressor({ weakenEtagOnCompress: true, disableOnEtagHeader: true });
    expect(weakened).not.toHaveProperty('removeEtag');
    expect(weakened).not.toHaveProperty('skipEtag');
    expect(compressor({ uncompressibleResponseCodes: [404, 500], statusHeaderEnabled: true })).toMatchObject({
      skipStatuses: [404, 500],
      tellStatus: true,
    });
    for (const codes of [
      [200, 199],
      [599, 600],
      [404, 404],
    ])
      expect(compressor({ uncompressibleResponseCodes: codes })).toEqual([
        expect.stringContaining(
          'response_direction_config.uncompressible_response_codes[1] must be',
        ) as string,
      ]);
  });

  it('is off, of requests too, and another on a route', () => {
    const compressor = (fields: JsonObject) =>
      httpConfig(typed('http.compressor.v3.Compressor', { compressorLibrary: gzip, ...fields }));
    expect(
      compressor({ responseDirectionConfig: { commonConfig: { enabled: { defaultValue: false } } } }),
    ).toMatchObject({ enabled: false });
    expect(
      compressor({
        requestDirectionConfig: { commonConfig: { minContentLength: 50, contentType: ['text/html'] } },
      }),
    ).toMatchObject({ codings: ['gzip'], requests: { minBytes: 50, contentTypes: ['text/html'] } });
    expect(
      compressor({ requestDirectionConfig: { commonConfig: { enabled: { defaultValue: false } } } }),
    ).not.toHaveProperty('requests');
    expect(
      overrides({
        a: typed('http.compressor.v3.CompressorPerRoute', { disabled: true }),
        b: typed('http.compressor.v3.CompressorPerRoute', {
          overrides: { responseDirectionConfig: { removeAcceptEncodingHeader: true } },
        }),
      }),
    ).toEqual({ a: null, b: { hideAcceptEncoding: true } });
  });
});

it('filters that share a name are told apart, and routes override all of them', () => {
  const one = { name: 'rbac', typedConfig: typed('http.buffer.v3.Buffer', { maxRequestBytes: 1 }) };
  expect(httpChain(one, one, { ...one, name: 'rbac#2' }, one)).toMatchObject([
    { name: 'rbac' },
    { name: 'rbac#3', overriddenBy: 'rbac' },
    { name: 'rbac#2' },
    { name: 'rbac#4', overriddenBy: 'rbac' },
  ]);
});

describe('health_check', () => {
  const check = (fields: JsonObject) => httpConfig(typed('http.health_check.v3.HealthCheck', fields));
  const headers = [{ name: ':path', stringMatch: { exact: '/healthz' } }];
  const match = [{ name: ':path', match: { kind: 'exact', value: '/healthz' } }];

  it('is answered by the proxy or by the service', () => {
    expect(
      check({
        passThroughMode: false,
        headers,
        clusterMinHealthyPercentages: { a: { value: 12.5 } },
      }),
    ).toEqual({ match, minHealthyPercent: { a: 12 } });
    expect(check({ passThroughMode: true, headers, cacheTime: '2.5s' })).toEqual({
      match,
      answerBy: 'service',
      cacheMs: 2500,
    });
  });

  it('is told by something, and has no field that means nothing', () => {
    expect(check({ passThroughMode: true, clusterMinHealthyPercentages: { a: { value: 1 } } })).toEqual([
      expect.stringContaining('headers is empty'),
      expect.stringContaining('cluster_min_healthy_percentages means nothing'),
    ]);
  });
});
