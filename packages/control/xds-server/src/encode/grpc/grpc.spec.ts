import { anyUnpack } from '@bufbuild/protobuf/wkt';
import type {
  Cluster,
  EndpointSet,
  FilterEntry,
  HttpHandler,
  Listener,
  Route,
  RouteConfig,
} from '@tulle/model';
import {
  ClusterSchema,
  Cluster_LbPolicy as LbPolicy,
} from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import { ClusterLoadAssignmentSchema } from '@tulle/xds-proto/envoy/config/endpoint/v3/endpoint';
import { ListenerSchema } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import { RouteConfigurationSchema } from '@tulle/xds-proto/envoy/config/route/v3/route';
import { RBACSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/rbac/v3/rbac';
import { HttpConnectionManagerSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import {
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/tls';
import { describe, expect, it } from 'vitest';
import type { EncodeForm } from '../form.ts';
import { encodeResource } from '../resource.ts';

const FORM: EncodeForm = {
  seat: 'grpc',
  workloadCertificate: { kind: 'provider', name: 'tulle' },
  release: 'this',
};

const route = (fields: Partial<Route>, more: Partial<RouteConfig> = {}): RouteConfig => ({
  name: 'routes',
  virtualHosts: [
    {
      name: 'all',
      domains: ['*'],
      routes: [
        {
          name: 'r',
          match: { path: { kind: 'prefix', value: '/' } },
          action: { kind: 'forward', clusters: [{ name: 'a' }] },
          ...fields,
        },
      ],
    },
  ],
  ...more,
});
const routesOf = (config: RouteConfig) => {
  const message = anyUnpack(encodeResource('route', config, FORM), RouteConfigurationSchema);
  return message?.virtualHosts[0]?.routes ?? [];
};
const matchOf = (match: Route['match']) => routesOf(route({ match }))[0]?.match;
const forward = (fields: object) =>
  routesOf(route({ action: { kind: 'forward', clusters: [{ name: 'a' }], ...fields } }))[0]?.action;

const cluster = (fields: Partial<Cluster> = {}) =>
  anyUnpack(
    encodeResource('cluster', { name: 'a', discovery: { kind: 'eds' }, ...fields }, FORM),
    ClusterSchema,
  );

const inbound = (handler: Partial<HttpHandler> = {}, chains?: Listener['filterChains']): Listener => ({
  name: 'server',
  address: { host: '::', port: 50_051 },
  direction: 'inbound',
  filterChains: chains ?? [
    {
      name: 'mesh',
      tls: { certificate: { kind: 'workload' }, trust: { kind: 'mesh' }, clientCertificate: 'require' },
      handler: {
        kind: 'http',
        filters: [],
        routes: route({ action: { kind: 'forward', clusters: [{ name: 'inbound' }] } }),
        ...handler,
      },
    },
  ],
});
const authz = (config: object): FilterEntry => ({
  name: 'tulle.http.authz',
  filter: 'tulle.http.authz',
  config,
});

describe('routes of a gRPC channel', () => {
  it('have paths as gRPC compares them: a service is a prefix, a method a path', () => {
    const path = (value: string) => matchOf({ path: { kind: 'prefix', value } })?.pathSpecifier;
    expect(path('/')).toEqual({ case: 'prefix', value: '/' });
    expect(path('/shop.Orders')).toEqual({ case: 'prefix', value: '/shop.Orders/' });
    expect(path('/shop.Orders/Place')).toEqual({ case: 'path', value: '/shop.Orders/Place' });
  });

  it('leave out what no call can match, and say nothing of what every call is', () => {
    const any = { path: { kind: 'prefix', value: '/' } } as const;
    expect(routesOf(route({ match: { ...any, method: 'GET' } }))).toEqual([]);
    expect(
      routesOf(route({ match: { ...any, query: [{ name: 'a', match: { kind: 'present' } }] } })),
    ).toEqual([]);
    expect(matchOf({ ...any, method: 'POST', grpc: true })?.headers).toEqual([]);
  });

  it('end calls by max_stream_duration, which alone gRPC reads, at the least of the limits', () => {
    expect(forward({ requestTimeoutMs: 1_500, maxStreamDurationMs: 4_000 })?.value).toMatchObject({
      maxStreamDuration: { maxStreamDuration: { seconds: 1n, nanos: 500_000_000 } },
    });
    expect(forward({ requestTimeoutMs: 0 })?.value).not.toHaveProperty('maxStreamDuration.maxStreamDuration');
  });

  it("repeat calls for gRPC's statuses only; a route that repeats nothing hides its host's policy", () => {
    const retry = (config: unknown) => {
      const [only] = routesOf(route({ filterConfigs: { 'tulle.http.retry': config } }));
      return only?.action.case === 'route' ? only.action.value.retryPolicy : undefined;
    };
    expect(retry({ retries: 3, on: ['reset', 'unavailable', 'internal'], backoffBaseMs: 10 })).toMatchObject({
      retryOn: 'unavailable,internal',
      numRetries: 3,
      retryBackOff: { baseInterval: { nanos: 10_000_000 } },
    });
    expect(
      retry({ retries: 3, on: ['internal'], backoffBaseMs: 20, backoffMaxMs: 10 }),
      'gRPC takes no longest interval that is shorter',
    ).toMatchObject({
      retryBackOff: { baseInterval: { nanos: 10_000_000 }, maxInterval: { nanos: 10_000_000 } },
    });
    for (const none of [null, { retries: 0 }, { retries: 2, on: ['connect-failure'] }, { retries: 2 }])
      expect(retry(none)).toMatchObject({ retryOn: '', numRetries: 1 });
    expect(retry(undefined)).toBeUndefined();
  });

  it('hash a field, or the channel where the address was asked for', () => {
    expect(
      forward({ hashPolicy: [{ kind: 'header', name: 'x-user', terminal: true }, { kind: 'source-ip' }] })
        ?.value,
    ).toMatchObject({
      hashPolicy: [
        { policySpecifier: { case: 'header', value: { headerName: 'x-user' } }, terminal: true },
        { policySpecifier: { case: 'filterState', value: { key: 'io.grpc.channel_id' } } },
      ],
    });
  });

  it('are named anew with other overrides, which grpc-js does not notice by themselves', () => {
    const named = (config: object) =>
      routesOf(route({ filterConfigs: { 'tulle.http.fault': config } }))[0]?.name;
    const one = named({ abort: { status: 503, percent: 10 } });
    expect(one).toMatch(/^r \S+$/);
    expect(named({ abort: { status: 503, percent: 20 } })).not.toBe(one);
    expect(named({ abort: { status: 503, percent: 10 } })).toBe(one);
  });

  it.each<[string, Partial<Route>, RegExp]>([
    [
      'edits',
      { requestHeaders: { set: [{ name: 'a', value: 'b' }] } },
      /\/virtualHosts\/0\/routes\/0\/requestHeaders: /,
    ],
    ['a redirect', { action: { kind: 'redirect' } }, /routes\/0\/action: gRPC follows no redirects/],
    ['an answer', { action: { kind: 'direct', status: 200 } }, /routes\/0\/action: /],
    [
      'a copy',
      { action: { kind: 'forward', clusters: [{ name: 'a' }], mirrors: [{ cluster: 'b' }] } },
      /action\/mirrors: /,
    ],
    [
      'a rewrite',
      { action: { kind: 'forward', clusters: [{ name: 'a' }], rewrite: { host: 'h' } } },
      /action\/rewrite: /,
    ],
    [
      'a cookie',
      { action: { kind: 'forward', clusters: [], hashPolicy: [{ kind: 'cookie', name: 'c' }] } },
      /hashPolicy\/0: /,
    ],
    [
      'another filter',
      { filterConfigs: { 'tulle.http.headers': {} } },
      /filterConfigs\/tulle\.http\.headers: /,
    ],
    ['a template', { match: { path: { kind: 'template', value: '/{a}' } } }, /match\/path: /],
    [
      'shares by a hash',
      { action: { kind: 'forward', clusters: [{ name: 'a' }], splitByHash: true } },
      /action\/splitByHash: /,
    ],
  ])('with %s are refused by path, not sent without', (_what, fields, words) => {
    expect(() => encodeResource('route', route(fields), FORM)).toThrow(words);
  });

  it('find no virtual host by a field', () => {
    expect(() => encodeResource('route', route({}, { hostHeader: 'x-host' }), FORM)).toThrow(
      /\/hostHeader: /,
    );
  });
});

describe('clusters of a gRPC channel', () => {
  it('balance by what gRPC has: round robin by default, a ring for what hashes, a list for the rest', () => {
    expect(cluster()?.lbPolicy).toBe(LbPolicy.ROUND_ROBIN);
    expect(cluster({ balance: { policy: 'peak-ewma' } })?.lbPolicy).toBe(LbPolicy.ROUND_ROBIN);
    for (const policy of ['ring-hash', 'maglev'] as const)
      expect(cluster({ balance: { policy } })?.lbPolicy).toBe(LbPolicy.RING_HASH);
    const least = cluster({ balance: { policy: 'least-request' } })?.loadBalancingPolicy?.policies ?? [];
    expect(least.map(({ typedExtensionConfig }) => typedExtensionConfig?.name)).toEqual([
      'envoy.load_balancing_policies.wrr_locality',
    ]);
  });

  it('believe the ids of their endpoints, and nobody where there is none', () => {
    const names = (allowedIds: readonly string[]) => {
      const socket = cluster({
        tls: { certificate: { kind: 'workload' }, trust: { kind: 'mesh' }, allowedIds },
      })?.transportSocket;
      const context = anyUnpack(
        socket?.configType.value as never,
        UpstreamTlsContextSchema,
      )?.commonTlsContext;
      expect(context?.tlsCertificateProviderInstance?.instanceName).toBe('tulle');
      expect(context?.tlsParams).toBeUndefined(); // grpc-js refuses them
      const { value } = context?.validationContextType ?? {};
      const validation = value as {
        matchSubjectAltNames: { matchPattern: object }[];
        caCertificateProviderInstance: object;
      };
      expect(validation.caCertificateProviderInstance).toMatchObject({ instanceName: 'tulle' });
      return validation.matchSubjectAltNames.map(({ matchPattern }) => matchPattern);
    };
    expect(names(['spiffe://m/ns/d/sa/a'])).toEqual([{ case: 'exact', value: 'spiffe://m/ns/d/sa/a' }]);
    expect(names([])).toEqual([{ case: 'exact', value: 'spiffe://nobody.invalid' }]);
  });

  it('compare endpoints, and say so too where they do not', () => {
    expect(cluster()?.outlierDetection).toMatchObject({ enforcingSuccessRate: 0 });
    expect(
      cluster({ outlier: { successRate: { belowPercent: 80, windowMs: 1, minimumRequests: 7 } } })
        ?.outlierDetection,
    ).toMatchObject({
      failurePercentageThreshold: 20,
      enforcingFailurePercentage: 100,
      failurePercentageRequestVolume: 7,
      failurePercentageMinimumHosts: 1,
      enforcingSuccessRate: 0,
    });
  });

  it('are refused without a certificate provider, rather than reached in clear', () => {
    const tls = { certificate: { kind: 'workload' }, trust: { kind: 'mesh' } } as const;
    const without: EncodeForm = { ...FORM, workloadCertificate: { kind: 'none' } };
    expect(() => encodeResource('cluster', { name: 'a', discovery: { kind: 'eds' }, tls }, without)).toThrow(
      /certificate provider.*tulle agent --grpc-bootstrap/,
    );
  });
});

describe('clusters for gRPC', () => {
  it.each<[keyof Cluster, Partial<Cluster>]>([
    ['retry', { retry: { policy: { retries: 1 } } }],
    ['mirrors', { mirrors: [{ cluster: 'b' }] }],
  ])('do not say %s, which a client would leave out', (field, fields) => {
    expect(() => cluster(fields)).toThrow(new RegExp(`/${field}: `));
  });
});

describe('endpoints for gRPC', () => {
  const encoded = (endpoints: EndpointSet['endpoints']) =>
    anyUnpack(encodeResource('endpoint', { name: 'a', endpoints }, FORM), ClusterLoadAssignmentSchema)
      ?.endpoints;

  it('have a locality, a weight and priorities without gaps, without which gRPC passes over them or refuses all', () => {
    const at = (port: number, more = {}) => ({ address: { host: '10.0.0.1', port }, ...more });
    expect(encoded([at(1), at(2, { weight: 4 }), at(3, { priority: 2 })])).toMatchObject([
      { priority: 0, locality: { region: '' }, loadBalancingWeight: 5 },
      { priority: 1, loadBalancingWeight: 1 },
    ]);
  });

  it('are addresses', () => {
    expect(() => encoded([{ address: { host: 'name.example', port: 1 } }])).toThrow(
      /\/endpoints\/0\/address/,
    );
  });
});

describe('the listener of a gRPC server', () => {
  const message = (listener: Listener) =>
    anyUnpack(encodeResource('listener', listener, FORM), ListenerSchema);
  const managerOf = (listener: Listener) => {
    const [filter] = message(listener)?.filterChains[0]?.filters ?? [];
    return anyUnpack(filter?.configType.value as never, HttpConnectionManagerSchema);
  };

  it('has mutual TLS, its own handlers behind it, and nothing that gRPC refuses', () => {
    const listener = message(inbound());
    expect(listener?.listenerFilters).toEqual([]);
    const socket = listener?.filterChains[0]?.transportSocket?.configType.value;
    expect(anyUnpack(socket as never, DownstreamTlsContextSchema)?.requireClientCertificate).toBe(true);
    const manager = managerOf(inbound());
    expect(manager?.routeSpecifier).toMatchObject({
      case: 'routeConfig',
      value: { virtualHosts: [{ domains: ['*'], routes: [{ action: { case: 'nonForwardingAction' } }] }] },
    });
    expect(manager?.httpFilters.map(({ name }) => name)).toEqual(['envoy.filters.http.router']);
  });

  it('judges by paths as they are, without the quotation that not every gRPC reads', () => {
    const filters = [
      authz({
        policies: [
          {
            name: 'p',
            action: 'DENY',
            rules: [{ from: { identities: ['spiffe://m/ns/d.e/sa/web*'] }, to: { paths: ['/a.B/C*'] } }],
          },
        ],
      }),
    ];
    const [deny, router] = managerOf(inbound({ filters }))?.httpFilters ?? [];
    expect(router?.name).toBe('envoy.filters.http.router'); // nothing is allowed by name, so there is no filter for that
    const rules = anyUnpack(deny?.configType.value as never, RBACSchema)?.rules;
    const text = JSON.stringify(rules?.policies['p[0]']);
    expect(text).toContain('"matchPattern":{"case":"prefix","value":"/a.B/C"}');
    expect(text).toContain(
      JSON.stringify({ regex: String.raw`spiffe://m/ns/d\.e/sa/web[^/]*` }).slice(1, -1),
    );
    expect(text).not.toContain(String.raw`\\Q`);
  });

  it.each<[string, Listener, RegExp]>([
    [
      'plain text beside TLS',
      inbound({}, [
        { ...(inbound().filterChains[0] as Listener['filterChains'][number]), match: { transport: 'tls' } },
        {
          name: 'plain',
          handler: { kind: 'http', filters: [], routes: route({}) },
          match: { transport: 'plain' },
        },
      ]),
      /mutual TLS or plain text.*PeerAuthentication/,
    ],
    [
      'a filter that it lacks',
      inbound({ filters: [{ name: 'j', filter: 'tulle.http.jwt', config: {} }] }),
      /\/filters\/0: gRPC servers have no filter tulle\.http\.jwt/,
    ],
    [
      'policies on tokens',
      inbound({ filters: [authz({ policies: [{ name: 'p', action: 'ALLOW', rules: [{ when: [] }] }] })] }),
      /\/filters\/0: .*tokens/,
    ],
    [
      'a port that is closed',
      inbound({ routes: route({ action: { kind: 'direct', status: 503, body: 'lacks waf' } }) }),
      /lacks waf/,
    ],
  ])('with %s is refused, not opened without', (_what, listener, words) => {
    expect(() => encodeResource('listener', listener, FORM)).toThrow(words);
  });
});
