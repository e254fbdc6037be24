import { create, fromBinary, type MessageInitShape } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ADAPTIVE_CONCURRENCY_FILTER,
  ADMISSION_CONTROL_FILTER,
  AUTHZ_FILTER,
  COMPRESSION_FILTER,
  CONN_EXT_AUTHZ_FILTER,
  CONN_SET_FILTER_STATE_FILTER,
  CONN_LIMIT_FILTER,
  CONN_RATE_LIMIT_FILTER,
  CORS_FILTER,
  GRPC_HTTP_STATUSES,
  GRPC_WEB_FILTER,
  EXT_AUTHZ_FILTER,
  EXT_PROC_FILTER,
  WASM_FILTER,
  FAULT_FILTER,
  HEADERS_FILTER,
  IP_ALLOW_FILTER,
  JWT_FILTER,
  type CorsFilterConfig,
  type CorsOverride,
  type FaultOverride,
  type Listener,
  RATE_LIMIT_FILTER,
  type RouteConfig,
} from '@tulle/model';
import { ClusterSchema } from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import { ListenerSchema } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import { RouteConfigurationSchema } from '@tulle/xds-proto/envoy/config/route/v3/route';
import { type PolicySchema, RBAC_Action as Action } from '@tulle/xds-proto/envoy/config/rbac/v3/rbac';
import {
  type RBAC as Rbac,
  RBACSchema as RbacSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/rbac/v3/rbac';
import {
  HttpConnectionManagerSchema,
  HttpFilterSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { encodeResource, OLDER_OWN_FORM } from '@tulle/xds-server';
import {
  adaptiveConcurrencyConfig,
  admissionControlConfig,
  extAuthzRouteConfig,
  connExtAuthzConfig,
  connSetFilterStateConfig,
  connLimitConfig,
  connRateLimitConfig,
  ipAllowConfig,
  plainAuthzConfig,
  extProcRouteConfig,
  plainExtAuthzConfig,
  plainExtProcConfig,
  plainWasmConfig,
  plainJwtConfig,
  routeCorsConfig,
  singleCompressionConfig,
  singleRateLimitConfig,
} from '../src/arbitraries/index.ts';
import { createResourceDecoder } from '../src/decode/resource.ts';
import { canonical } from './canonical.ts';

const decoder = createResourceDecoder();

const WEB = 'spiffe://mesh.local/ns/default/sa/web';
const exactly = (value: string) => ({ matchPattern: { case: 'exact' as const, value } });

const listenerWith = (filter: string, config: unknown): Listener => ({
  name: 'l',
  address: { host: '127.0.0.1', port: 1 },
  filterChains: [
    {
      name: 'c',
      handler: {
        kind: 'http',
        routes: { routeConfigName: 'r' },
        filters: [{ name: filter, filter, config }],
        allowUpgrades: [],
      },
    },
  ],
});

const routesWith = (slot: string, config: unknown): RouteConfig => ({
  name: 'r',
  virtualHosts: [{ name: 'v', domains: ['*'], routes: [], filterConfigs: { [slot]: config } }],
});

const typeName = (any: { readonly typeUrl: string } | undefined): string =>
  any?.typeUrl.slice(any.typeUrl.lastIndexOf('/') + 1) ?? '';

/** Types of a chain's HTTP filters on the wire, without the router. */
function chainTypesOf(encoded: { readonly value: Uint8Array }): string[] {
  const message = fromBinary(ListenerSchema, encoded.value);
  const manager = message.filterChains[0]?.filters[0]?.configType.value as { value: Uint8Array };
  return fromBinary(HttpConnectionManagerSchema, manager.value)
    .httpFilters.slice(0, -1)
    .map(({ configType }) => typeName(configType.value as { typeUrl: string }));
}

const chainTypes = (listener: Listener): string[] => chainTypesOf(encodeResource('listener', listener));
const routeTypes = (routes: RouteConfig): string[] => routeTypesOf(encodeResource('route', routes));

function routeTypesOf(encoded: { readonly value: Uint8Array }): string[] {
  const message = fromBinary(RouteConfigurationSchema, encoded.value);
  return Object.values(message.virtualHosts[0]?.typedPerFilterConfig ?? {}).map(typeName);
}

const filterType = (name: string): string =>
  name.startsWith('xds.')
    ? name
    : name.startsWith('config.')
      ? `envoy.${name}`
      : `envoy.extensions.filters.${name}`;

const filtersOf = (listener: Listener): unknown =>
  canonical.listener(listener).filterChains.map(({ handler }) => handler.filters);

describe('for a data plane of before, which reads only faults and header edits as types of Envoy', () => {
  const older = [
    ['a rate limit', RATE_LIMIT_FILTER, singleRateLimitConfig],
    ['compression', COMPRESSION_FILTER, singleCompressionConfig],
    ['adaptive concurrency', ADAPTIVE_CONCURRENCY_FILTER, adaptiveConcurrencyConfig],
    ['admission control', ADMISSION_CONTROL_FILTER, admissionControlConfig],
    ['authorization', AUTHZ_FILTER, plainAuthzConfig],
    ['external authorization', EXT_AUTHZ_FILTER, plainExtAuthzConfig],
    ['WebAssembly', WASM_FILTER, plainWasmConfig],
    ['bearer tokens', JWT_FILTER, plainJwtConfig],
    ['CORS', CORS_FILTER, routeCorsConfig],
  ] as const;

  it.each(older)(
    '%s travels as TypedStruct, in a chain and on a route, and is the same',
    (_name, filter, configs) => {
      fc.assert(
        fc.property(configs as fc.Arbitrary<unknown>, (config) => {
          const listener = encodeResource('listener', listenerWith(filter, config), OLDER_OWN_FORM);
          expect(chainTypesOf(listener)).toEqual(['xds.type.v3.TypedStruct']);
          const decoded = decoder.decode('listener', listener);
          expect(decoded.ok ? filtersOf(decoded.resource) : decoded).toEqual(
            filtersOf(listenerWith(filter, config)),
          );
          const routes = encodeResource('route', routesWith(filter, config), OLDER_OWN_FORM);
          expect(routeTypesOf(routes)).toEqual(['xds.type.v3.TypedStruct']);
          const routed = decoder.decode('route', routes);
          expect(routed.ok ? canonical.route(routed.resource) : routed).toEqual(
            canonical.route(routesWith(filter, config)),
          );
        }),
      );
    },
  );

  it('faults and header edits travel as they did', () => {
    const fault = encodeResource(
      'route',
      routesWith(FAULT_FILTER, { abort: { status: 500 } }),
      OLDER_OWN_FORM,
    );
    expect(routeTypesOf(fault)).toEqual([filterType('http.fault.v3.HTTPFault')]);
    const edits = encodeResource(
      'route',
      routesWith(HEADERS_FILTER, { request: { remove: ['a'] } }),
      OLDER_OWN_FORM,
    );
    expect(routeTypesOf(edits)).toEqual([filterType('http.header_mutation.v3.HeaderMutationPerRoute')]);
  });

  it.each([
    [{ panicThresholdPercent: 0 }, false],
    [{ panicThresholdPercent: 50 }, true],
    [{ panicThresholdPercent: 0, localityWeighted: true }, true],
  ])('a cluster with %j tells of it: %s', (how, told) => {
    const cluster = { name: 'c', discovery: { kind: 'static', endpoints: [] }, ...how } as const;
    const isTold = (form?: typeof OLDER_OWN_FORM): boolean =>
      fromBinary(ClusterSchema, encodeResource('cluster', cluster, form).value).commonLbConfig !== undefined;
    expect(isTold(OLDER_OWN_FORM)).toBe(told); // it never panics, and refuses what it does not know by name
    expect(isTold()).toBe(true);
  });

  it('networks of peers travel as TypedStruct', () => {
    fc.assert(
      fc.property(ipAllowConfig, (config) => {
        const listener: Listener = {
          name: 'l',
          address: { host: '127.0.0.1', port: 1 },
          filterChains: [
            {
              name: 'c',
              handler: {
                kind: 'tcp',
                clusters: [{ name: 'x' }],
                filters: [{ name: IP_ALLOW_FILTER, filter: IP_ALLOW_FILTER, config }],
              },
            },
          ],
        };
        const encoded = encodeResource('listener', listener, OLDER_OWN_FORM);
        const [first] = fromBinary(ListenerSchema, encoded.value).filterChains[0]?.filters ?? [];
        expect(typeName(first?.configType.value as { typeUrl: string })).toBe('xds.type.v3.TypedStruct');
        const decoded = decoder.decode('listener', encoded);
        expect(decoded.ok ? canonical.listener(decoded.resource) : decoded).toEqual(
          canonical.listener(listener),
        );
      }),
    );
  });
});

/** As Envoy's policies do. */
const inheriting = (config: CorsFilterConfig): CorsOverride => ({ ...config, inherits: true });
/** As Envoy's faults do. */
const WHOLE_FAULT: FaultOverride = { abort: { status: 500 }, replaces: true };

describe('what Envoy has a type for travels as that type, and comes back the same:', () => {
  it.each([
    ['a rate limit', RATE_LIMIT_FILTER, singleRateLimitConfig, ['http.local_ratelimit.v3.LocalRateLimit']],
    ['compression', COMPRESSION_FILTER, singleCompressionConfig, ['http.compressor.v3.Compressor']],
    [
      'adaptive concurrency',
      ADAPTIVE_CONCURRENCY_FILTER,
      adaptiveConcurrencyConfig,
      ['http.adaptive_concurrency.v3.AdaptiveConcurrency'],
    ],
    [
      'admission control',
      ADMISSION_CONTROL_FILTER,
      admissionControlConfig,
      ['http.admission_control.v3.AdmissionControl'],
    ],
    ['authorization', AUTHZ_FILTER, plainAuthzConfig, ['http.rbac.v3.RBAC', 'http.rbac.v3.RBAC']],
    ['external authorization', EXT_AUTHZ_FILTER, plainExtAuthzConfig, ['http.ext_authz.v3.ExtAuthz']],
    ['external processing', EXT_PROC_FILTER, plainExtProcConfig, ['http.ext_proc.v3.ExternalProcessor']],
    ['WebAssembly', WASM_FILTER, plainWasmConfig, ['http.wasm.v3.Wasm']],
    ['bearer tokens', JWT_FILTER, plainJwtConfig, ['http.jwt_authn.v3.JwtAuthentication']],
    ['no CORS', CORS_FILTER, fc.constant({ allowOrigins: [] }), ['http.cors.v3.Cors']],
    ['gRPC-Web', GRPC_WEB_FILTER, fc.constant({}), ['http.grpc_web.v3.GrpcWeb']],
  ] as const)('%s in a chain', (_name, filter, configs, types) => {
    fc.assert(
      fc.property(configs as fc.Arbitrary<unknown>, (config) => {
        const listener = listenerWith(filter, config);
        expect(chainTypes(listener)).toEqual(types.map(filterType));
        const decoded = decoder.decode('listener', encodeResource('listener', listener));
        expect(decoded.ok ? canonical.listener(decoded.resource) : decoded).toEqual(
          canonical.listener(listener),
        );
      }),
    );
  });

  it.each([
    ['a rate limit', RATE_LIMIT_FILTER, singleRateLimitConfig, ['http.local_ratelimit.v3.LocalRateLimit']],
    [
      'authorization',
      AUTHZ_FILTER,
      plainAuthzConfig,
      ['http.rbac.v3.RBACPerRoute', 'http.rbac.v3.RBACPerRoute'],
    ],
    [
      'bearer tokens as the chain names them, or none',
      JWT_FILTER,
      fc.constantFrom({ requirement: 'users' }, { requires: { ignore: true } }),
      ['http.jwt_authn.v3.PerRouteConfig'],
    ],
    [
      'no authorization',
      AUTHZ_FILTER,
      fc.constant(null),
      ['config.route.v3.FilterConfig', 'config.route.v3.FilterConfig'],
    ],
    ['external authorization', EXT_AUTHZ_FILTER, extAuthzRouteConfig, ['http.ext_authz.v3.ExtAuthzPerRoute']],
    ['external processing', EXT_PROC_FILTER, extProcRouteConfig, ['http.ext_proc.v3.ExtProcPerRoute']],
    ['CORS', CORS_FILTER, routeCorsConfig.map(inheriting), ['http.cors.v3.CorsPolicy']],
    ['CORS, whole', CORS_FILTER, routeCorsConfig, ['xds.type.v3.TypedStruct']],
    ['a fault', FAULT_FILTER, fc.constant(WHOLE_FAULT), ['http.fault.v3.HTTPFault']],
    [
      'a fault that changes another',
      FAULT_FILTER,
      fc.constant({ abort: { status: 500 } }),
      ['xds.type.v3.TypedStruct'],
    ],
    [
      'a fault of gRPC',
      FAULT_FILTER,
      fc.integer({ min: 0, max: 16 }).map((grpcStatus) => ({
        abort: { status: GRPC_HTTP_STATUSES[grpcStatus], grpcStatus, percent: 10 },
        replaces: true,
      })),
      ['http.fault.v3.HTTPFault'],
    ],
    [
      'a fault of both',
      FAULT_FILTER,
      fc.constant({ abort: { status: 418, grpcStatus: 14 }, replaces: true }),
      ['xds.type.v3.TypedStruct'],
    ],
    [
      'header edits',
      HEADERS_FILTER,
      fc.constant({ request: { remove: ['a'] } }),
      ['http.header_mutation.v3.HeaderMutationPerRoute'],
    ],
  ] as const)('%s on a route', (_name, slot, configs, types) => {
    fc.assert(
      fc.property(configs as fc.Arbitrary<unknown>, (config) => {
        const routes = routesWith(slot, config);
        expect(routeTypes(routes)).toEqual(types.map(filterType));
        const decoded = decoder.decode('route', encodeResource('route', routes));
        expect(decoded.ok ? canonical.route(decoded.resource) : decoded).toEqual(canonical.route(routes));
      }),
    );
  });

  it.each([
    ['networks of peers', IP_ALLOW_FILTER, ipAllowConfig, 'network.rbac.v3.RBAC'],
    [
      'connections in a time',
      CONN_RATE_LIMIT_FILTER,
      connRateLimitConfig,
      'network.local_ratelimit.v3.LocalRateLimit',
    ],
    [
      'filter state',
      CONN_SET_FILTER_STATE_FILTER,
      connSetFilterStateConfig,
      'network.set_filter_state.v3.Config',
    ],
    ['external authorization', CONN_EXT_AUTHZ_FILTER, connExtAuthzConfig, 'network.ext_authz.v3.ExtAuthz'],
    [
      'connections at a time',
      CONN_LIMIT_FILTER,
      connLimitConfig,
      'network.connection_limit.v3.ConnectionLimit',
    ],
  ] as const)('%s before a TCP proxy', (_name, filter, configs, type) => {
    fc.assert(
      fc.property(configs as fc.Arbitrary<unknown>, (config) => {
        const listener: Listener = {
          name: 'l',
          address: { host: '127.0.0.1', port: 1 },
          filterChains: [
            {
              name: 'c',
              handler: {
                kind: 'tcp',
                clusters: [{ name: 'a' }],
                filters: [{ name: 'one', filter, config }],
              },
            },
          ],
        };
        const any = encodeResource('listener', listener);
        const message = fromBinary(ListenerSchema, any.value);
        const [first] = message.filterChains[0]?.filters ?? [];
        expect(typeName(first?.configType.value as { typeUrl: string })).toBe(filterType(type));
        const decoded = decoder.decode('listener', any);
        expect(decoded.ok ? canonical.listener(decoded.resource) : decoded).toEqual(
          canonical.listener(listener),
        );
      }),
    );
  });

  it('connections in a time before a chain is chosen', () => {
    fc.assert(
      fc.property(connRateLimitConfig, (config) => {
        const listener: Listener = {
          name: 'l',
          address: { host: '127.0.0.1', port: 1 },
          connectionFilters: [{ name: 'one', filter: CONN_RATE_LIMIT_FILTER, config }],
          filterChains: [{ name: 'c', handler: { kind: 'tcp', clusters: [{ name: 'a' }] } }],
        };
        const any = encodeResource('listener', listener);
        const [first] = fromBinary(ListenerSchema, any.value).listenerFilters;
        expect(typeName(first?.configType.value as { typeUrl: string })).toBe(
          filterType('listener.local_ratelimit.v3.LocalRateLimit'),
        );
        const decoded = decoder.decode('listener', any);
        expect(decoded.ok ? canonical.listener(decoded.resource) : decoded).toEqual(
          canonical.listener(listener),
        );
      }),
    );
  });
});

describe('rules of another control plane', () => {
  const web = { identifier: { case: 'authenticated', value: { principalName: exactly(WEB) } } } as const;
  const anything = { rule: { case: 'any', value: true } } as const;
  const rbac = (action: Action, name: string, policy: MessageInitShape<typeof PolicySchema>): Rbac =>
    create(RbacSchema, { rules: { action, policies: { [name]: policy } } });

  /** The chain that they make. */
  function chainOf(...filters: readonly (readonly [name: string, rbac: Rbac])[]): unknown {
    const routes = create(
      ListenerSchema,
      fromBinary(
        ListenerSchema,
        encodeResource('listener', listenerWith(AUTHZ_FILTER, { policies: [] })).value,
      ),
    );
    const network = routes.filterChains[0]!.filters[0]!;
    const manager = fromBinary(HttpConnectionManagerSchema, (network.configType.value as Any).value);
    const router = manager.httpFilters.at(-1)!;
    manager.httpFilters = [
      ...filters.map(([name, one]) =>
        create(HttpFilterSchema, {
          name,
          configType: { case: 'typedConfig', value: anyPack(RbacSchema, one) },
        }),
      ),
      router,
    ];
    network.configType = { case: 'typedConfig', value: anyPack(HttpConnectionManagerSchema, manager) };
    const decoded = decoder.decode('listener', anyPack(ListenerSchema, routes));
    if (!decoded.ok) return decoded.issues.map(({ message }) => message);
    const { handler } = decoded.resource.filterChains[0]!;
    return handler.filters?.flatMap(({ filter, config }) => (filter === AUTHZ_FILTER ? [config] : []));
  }

  it('are read whatever the policy is called: brackets at the end of a name take nothing away', () => {
    const denied = { action: 'DENY', rules: [{ from: { identities: [WEB] } }] };
    expect(
      chainOf(['x', rbac(Action.DENY, 'ns[evil]-p[]', { permissions: [anything], principals: [web] })]),
    ).toEqual([{ policies: [{ name: 'ns[evil]-p', ...denied }] }]);
  });

  it('that say "any: false" are refused: they are not for everybody', () => {
    const nothing = { rule: { case: 'any', value: false } } as const;
    const nobody = { identifier: { case: 'any', value: false } } as const;
    expect(chainOf(['x', rbac(Action.ALLOW, 'p', { permissions: [nothing], principals: [web] })])).toEqual([
      'must be true',
    ]);
    expect(
      chainOf(['x', rbac(Action.ALLOW, 'p', { permissions: [anything], principals: [nobody] })]),
    ).toEqual(['must be true']);
  });

  it('of two filters that allow stay two, of which each must allow, whatever they are called', () => {
    const allow = (id: string): Rbac =>
      rbac(Action.ALLOW, 'p', {
        permissions: [anything],
        principals: [{ identifier: { case: 'authenticated', value: { principalName: exactly(id) } } }],
      });
    expect(chainOf([`${AUTHZ_FILTER}/deny`, allow(WEB)], [AUTHZ_FILTER, allow(`${WEB}2`)])).toHaveLength(2);
  });
});
