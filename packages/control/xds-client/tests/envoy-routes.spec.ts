import { createRegistry, fromJson, type JsonValue } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import {
  RETRY_FILTER,
  type ForwardAction,
  type Route,
  type RouteConfig,
  type VirtualHost,
} from '@tulle/model';
import { RouteConfigurationSchema } from '@tulle/xds-proto/envoy/config/route/v3/route';
import { UriTemplateMatchConfigSchema } from '@tulle/xds-proto/envoy/extensions/path/match/uri_template/v3/uri_template_match';
import { UriTemplateRewriteConfigSchema } from '@tulle/xds-proto/envoy/extensions/path/rewrite/uri_template/v3/uri_template_rewrite';
import {
  RouteListSchema,
  RouteSchema as EnvoyRouteSchema,
} from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import { HttpRequestHeaderMatchInputSchema } from '@tulle/xds-proto/envoy/type/matcher/v3/http_inputs';
import { PreviousPrioritiesConfigSchema } from '@tulle/xds-proto/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config';
import { DescriptorSchema } from '@tulle/xds-proto/envoy/extensions/rate_limit_descriptors/expr/v3/expr';
import { AllowListedRoutesConfigSchema } from '@tulle/xds-proto/envoy/extensions/internal_redirect/allow_listed_routes/v3/allow_listed_routes_config';
import { CorsPolicySchema } from '@tulle/xds-proto/envoy/extensions/filters/http/cors/v3/cors';
import { PreviousRoutesConfigSchema } from '@tulle/xds-proto/envoy/extensions/internal_redirect/previous_routes/v3/previous_routes_config';
import { SafeCrossSchemeConfigSchema } from '@tulle/xds-proto/envoy/extensions/internal_redirect/safe_cross_scheme/v3/safe_cross_scheme_config';
import { OmitHostMetadataConfigSchema } from '@tulle/xds-proto/envoy/extensions/retry/host/omit_host_metadata/v3/omit_host_metadata_config';
import { OmitCanaryHostsPredicateSchema } from '@tulle/xds-proto/envoy/extensions/retry/host/omit_canary_hosts/v3/omit_canary_hosts';
import { PreviousHostsPredicateSchema } from '@tulle/xds-proto/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts';
import { describe, expect, it } from 'vitest';
import { createResourceDecoder } from '../src/decode/resource.ts';

const registry = createRegistry(
  DescriptorSchema,
  PreviousPrioritiesConfigSchema,
  HttpRequestHeaderMatchInputSchema,
  EnvoyRouteSchema,
  RouteListSchema,
  AllowListedRoutesConfigSchema,
  PreviousRoutesConfigSchema,
  SafeCrossSchemeConfigSchema,
  PreviousHostsPredicateSchema,
  OmitCanaryHostsPredicateSchema,
  OmitHostMetadataConfigSchema,
  UriTemplateMatchConfigSchema,
  UriTemplateRewriteConfigSchema,
  CorsPolicySchema,
);
const TYPE = 'type.googleapis.com/envoy.extensions.';
const decoder = createResourceDecoder();

/** A route configuration of another control plane, as it is read, or what is refused of it. */
function read(json: JsonValue): RouteConfig | string[] {
  const message = fromJson(RouteConfigurationSchema, json, { registry });
  const decoded = decoder.decode('route', anyPack(RouteConfigurationSchema, message));
  return decoded.ok ? decoded.resource : decoded.issues.map(({ path }) => path);
}

const forward = { cluster: 'c' };
type Json = Readonly<Record<string, JsonValue>>;

/** The one route of a virtual host. */
function readRoute(route: Json, host: Json = {}, config: Json = {}): Route | string[] {
  const got = read({
    name: 'r',
    ...config,
    virtual_hosts: [
      {
        name: 'v',
        domains: ['*'],
        ...host,
        routes: [{ name: 'one', match: { prefix: '/' }, route: forward, ...route }],
      },
    ],
  });
  return Array.isArray(got) ? got : (got.virtualHosts[0]?.routes[0] as Route);
}

const ONLY = 'virtual_hosts[0].routes[0]';

describe('clusters that requests name', () => {
  const actionOf = (route: Json): unknown => {
    const got = readRoute({ route });
    return Array.isArray(got) ? got : got.action;
  };
  const split = (...clusters: Json[]): unknown => actionOf({ weighted_clusters: { clusters } });
  const mirrors = (...policies: Json[]): unknown =>
    actionOf({ ...forward, request_mirror_policies: policies });

  it('are shares of splits and mirrors', () => {
    expect([split({ cluster_header: 'X-To', weight: 2 }), mirrors({ cluster_header: 'X-To' })]).toMatchObject(
      [{ clusters: [{ clusterHeader: 'x-to', weight: 2 }] }, { mirrors: [{ clusterHeader: 'x-to' }] }],
    );
  });

  it('stand beside no name, and something stands', () => {
    const both = { cluster_header: 'x-to', weight: 1 };
    expect([
      split({ ...both, name: 'a' }),
      split({ weight: 1 }),
      mirrors({ cluster_header: 'x-to', cluster: 'a' }),
      mirrors({}),
    ]).toEqual([
      [`${ONLY}.route.weighted_clusters.clusters[0].cluster_header`],
      [`${ONLY}.route.weighted_clusters.clusters[0].name`],
      [`${ONLY}.route.request_mirror_policies[0].cluster_header`],
      [`${ONLY}.route.request_mirror_policies[0].cluster`],
    ]);
  });
});

describe('what a route matches', () => {
  const matchOf = (match: Json): unknown => {
    const route = readRoute({ match });
    return Array.isArray(route) ? route : route.match;
  };
  const headers = (...list: Json[]): unknown => matchOf({ prefix: '/', headers: list });

  it('treats absent fields as Envoy does', () => {
    const exact = { string_match: { exact: 'a' } };
    expect([
      headers({ name: 'x', ...exact }),
      headers({ name: 'x', ...exact, invert_match: true }),
      headers({ name: 'x', ...exact, invert_match: true, treat_missing_header_as_empty: true }),
      headers({
        name: 'x',
        string_match: { safe_regex: { regex: '.*' } },
        treat_missing_header_as_empty: true,
      }),
      headers({ name: 'x', present_match: true, invert_match: true }),
      headers({ name: 'x', treat_missing_header_as_empty: true }),
      headers({ name: 'x', present_match: false, treat_missing_header_as_empty: true }),
    ]).toMatchObject([
      { headers: [{ name: 'x', match: { kind: 'exact', value: 'a' } }] },
      { headers: [{ invert: true, absent: 'fails' }] },
      { headers: [{ invert: true }] }, // the same, since '' is not 'a'
      { headers: [{ match: { kind: 'regex' }, absent: 'empty' }] },
      { headers: [{ match: { kind: 'present' }, invert: true }] },
      { headers: [{ match: { kind: 'prefix', value: '' }, absent: 'empty' }] },
      { headers: [{ match: { kind: 'prefix', value: '' }, invert: true, absent: 'empty' }] }, // never
    ]);
  });

  it('reads pseudo-headers, ranges, shares, templates and callers', () => {
    expect([
      headers({ name: ':method', string_match: { safe_regex: { regex: 'GET|HEAD' } } }),
      headers({ name: 'n', range_match: { start: '-1', end: '5' } }),
      headers({ name: ':nothing', present_match: true }),
      matchOf({ prefix: '/a', case_sensitive: false, runtime_fraction: { default_value: { numerator: 3 } } }),
      matchOf({ connect_matcher: {}, tls_context: { presented: true } }),
      matchOf({
        path_match_policy: {
          name: 'template',
          typed_config: {
            '@type': `${TYPE}path.match.uri_template.v3.UriTemplateMatchConfig`,
            path_template: '/{a}',
          },
        },
      }),
      matchOf({ prefix: '/', tls_context: { presented: true, validated: false } }),
      matchOf({
        prefix: '/',
        dynamic_metadata: [{ filter: 'f', path: [{ key: 'k' }], value: { present_match: true } }],
      }),
    ]).toMatchObject([
      { headers: [{ name: ':method', match: { kind: 'regex', value: 'GET|HEAD' } }] },
      { headers: [{ match: { kind: 'range', from: -1, to: 5 } }] },
      [`${ONLY}.match.headers[0].name`],
      { path: { kind: 'bytes-prefix', value: '/a', ignoreCase: true }, percent: 3 },
      { path: { kind: 'connect', value: '' }, provenPeer: true },
      { path: { kind: 'template', value: '/{a}' } },
      [`${ONLY}.match.tls_context.validated`],
      { metadata: [{ namespace: 'f', path: ['k'], value: { present: true } }] },
    ]);
  });

  it('by the root is one of bytes where what takes its place does not end with a slash', () => {
    const pathOf = (action: Json): unknown => {
      const route = { match: { prefix: '/' }, ...action };
      const got = read({ name: 'r', virtual_hosts: [{ name: 'v', domains: ['*'], routes: [route] }] });
      return Array.isArray(got) ? got : got.virtualHosts[0]?.routes[0];
    };
    expect([
      pathOf({ route: { cluster: 'a', prefix_rewrite: '/new' } }),
      pathOf({ route: { cluster: 'a', prefix_rewrite: '/new/' } }),
      pathOf({ route: { cluster: 'a' } }),
      pathOf({ redirect: { prefix_rewrite: '/new' } }),
    ]).toMatchObject(
      ['bytes-prefix', 'prefix', 'prefix', 'bytes-prefix'].map((kind) => ({
        match: { path: { kind, value: '/' } },
      })),
    );
  });
});

describe('what becomes of fields', () => {
  const option = (key: string, value: string, action?: string, more: Json = {}): Json => ({
    header: { key, value },
    ...(action !== undefined && { append_action: action }),
    ...more,
  });

  it('is read with every action, operators and percent signs', () => {
    const route = readRoute({
      request_headers_to_remove: ['gone'],
      request_headers_to_add: [
        option('a', 'x'),
        option('b', '%DOWNSTREAM_REMOTE_ADDRESS%', 'OVERWRITE_IF_EXISTS_OR_ADD'),
        option('c', '100%%', 'OVERWRITE_IF_EXISTS'),
        option('d', 'y', 'ADD_IF_ABSENT'),
        option('e', ''),
        option('f', '', 'APPEND_IF_EXISTS_OR_ADD', { keep_empty_value: true }),
      ],
    });
    expect(route).toMatchObject({
      requestHeaders: {
        remove: ['gone'],
        set: [{ name: 'b', value: '%DOWNSTREAM_REMOTE_ADDRESS%', format: true }],
        setIfPresent: [{ name: 'c', value: '100%' }],
        add: [
          { name: 'a', value: 'x' },
          { name: 'f', value: '' },
        ],
        addIfAbsent: [{ name: 'd', value: 'y' }],
      },
    });
  });

  it('is refused where an order would matter that is not kept', () => {
    expect(
      readRoute({ response_headers_to_add: [option('a', '1'), option('a', '2', 'ADD_IF_ABSENT')] }),
    ).toEqual([`${ONLY}.response_headers_to_add`]);
  });

  it('goes from the route outwards, unless the most specific wins', () => {
    const edits = { request_headers_to_add: [option('a', '1')] };
    const order = (config: Json, host: Json = edits): unknown => {
      const got = read({
        name: 'r',
        ...config,
        virtual_hosts: [
          {
            name: 'v',
            domains: ['*'],
            ...host,
            routes: [{ match: { prefix: '/' }, route: forward, ...edits }],
          },
        ],
      });
      return Array.isArray(got) ? got : got.headerOrder;
    };
    expect([order({}), order({ most_specific_header_mutations_wins: true }), order({}, {})]).toEqual([
      'specific-first',
      undefined,
      undefined,
    ]);
  });
});

it('reads where a limit in place of the rate limit service’s own is found', () => {
  const limited = (metadata_key: Json): unknown => {
    const rate_limits = [
      { actions: [{ remote_address: {} }], limit: { dynamic_metadata: { metadata_key } } },
    ];
    const got = readRoute({ route: { ...forward, rate_limits } });
    return Array.isArray(got) ? got : got.action;
  };
  const at = `${ONLY}.route.rate_limits[0].limit.dynamic_metadata.metadata_key`;
  expect([
    limited({ key: 'own', path: [{ key: 'a' }, { key: 'b' }] }),
    limited({ key: 'own' }),
  ]).toMatchObject([{ rateLimits: [{ limit: { namespace: 'own', path: ['a', 'b'] } }] }, [`${at}.path`]]);
});

describe('rate limits of a route', () => {
  const limited = (limit: Json): unknown => {
    const got = readRoute({
      route: { ...forward, rate_limits: [{ actions: [{ remote_address: {} }], ...limit }] },
    });
    return Array.isArray(got) ? got : (got.action as ForwardAction).rateLimits;
  };
  const at = `${ONLY}.route.rate_limits[0]`;
  const actions = [{ kind: 'remote-address' }];

  it('may have a limit in place of the service’s own', () => {
    const of = (rate_limit: Json): unknown => limited({ limit: { rate_limit } });
    expect([
      of({ requests_per_unit: 3, unit: 'HOUR' }),
      of({ requests_per_unit: 3 }),
      of({ unit: 'DAY' }),
      limited({ limit: {} }),
    ]).toEqual([
      [{ actions, limit: { requestsPerUnit: 3, unit: 'HOUR' } }],
      [{ actions, limit: { requestsPerUnit: 3, unit: 'UNKNOWN' } }],
      [{ actions, limit: { requestsPerUnit: 0, unit: 'DAY' } }],
      [`${at}.limit`],
    ]);
  });

  it('are told of at the end, and tell callers or not; how much a request counts says the filter alone, as in Envoy', () => {
    expect([
      limited({ apply_on_stream_done: true, x_ratelimit_option: 'DRAFT_VERSION_03' }),
      limited({ x_ratelimit_option: 'OFF', hits_addend: { number: 3, is_negative_hits: true } }),
      limited({ hits_addend: { format: '%REQ(a)%' } }),
    ]).toEqual([
      [{ actions, atEnd: true, rateHeaders: true }],
      [{ actions, rateHeaders: false }],
      [{ actions }],
    ]);
  });

  it('may be made of expressions, as texts or parsed', () => {
    const of = (fields: Json): unknown =>
      limited({
        actions: [
          {
            extension: {
              name: 'any',
              typed_config: {
                '@type': 'type.googleapis.com/envoy.extensions.rate_limit_descriptors.expr.v3.Descriptor',
                ...fields,
              },
            },
          },
        ],
      });
    const expression = `${at}.actions[0].extension.typed_config`;
    expect([
      of({ descriptor_key: 'k', text: 'request.path' }),
      of({ descriptor_key: 'k', skip_if_error: true, parsed: { const_expr: { string_value: 'a' } } }),
      of({ text: 'request.path' }),
      of({ descriptor_key: 'k' }),
    ]).toEqual([
      [{ actions: [{ kind: 'cel', key: 'k', cel: 'request.path' }] }],
      [{ actions: [{ kind: 'cel', key: 'k', cel: '"a"', optional: true }] }],
      [`${expression}.descriptor_key`],
      [expression],
    ]);
  });
});

describe('a hedge policy', () => {
  it('is taken as far as Envoy does nothing by it, and refused beyond', () => {
    const hedge_policy = { initial_requests: 2, additional_request_chance: { numerator: 5 } };
    const hedging = { hedge_policy: { hedge_on_per_try_timeout: true } };
    expect(readRoute({ route: { ...forward, hedge_policy } }, { hedge_policy })).toMatchObject({
      name: 'one',
    });
    expect([readRoute({ route: { ...forward, ...hedging } }), readRoute({}, hedging)]).toEqual([
      [`${ONLY}.route.hedge_policy.hedge_on_per_try_timeout`],
      ['virtual_hosts[0].hedge_policy.hedge_on_per_try_timeout'],
    ]);
  });
});

it('finds virtual hosts by a field, where one is named that is no pseudo-field', () => {
  const of = (vhost_header: string, more: Json = {}): unknown => {
    const got = read({ name: 'r', vhost_header, virtual_hosts: [{ name: 'v', domains: ['*'] }], ...more });
    return Array.isArray(got) ? got : got.hostHeader;
  };
  expect([of('X-Vh'), of(''), of(':authority'), of('Host'), of(':path')]).toEqual([
    'x-vh',
    undefined,
    undefined,
    undefined,
    ['vhost_header'],
  ]);
  expect(of('x-vh', { vhds: { config_source: { ads: {} } } })).toEqual(['vhost_header']);
});

it('looks at paths without parameters, and tells of retries after a timeout, where that is said', () => {
  const got = read({
    name: 'r',
    ignore_path_parameters_in_path_matching: true,
    virtual_hosts: [{ name: 'v', domains: ['*'], include_is_timeout_retry_header: true }],
  });
  expect(got).toMatchObject({ ignoresPathParameters: true, virtualHosts: [{ tellsTimeoutRetry: true }] });
});

describe('what a retry policy says of attempts', () => {
  const actionOf = (policy: Json, host: Json = {}): unknown => {
    const got = readRoute({ route: { ...forward, ...policy } }, host);
    return Array.isArray(got) ? got : got.action;
  };
  const predicate = (type: string, fields: Json = {}): Json => ({
    name: type,
    typed_config: { '@type': `${TYPE}retry.host.${type}`, ...fields },
  });
  const avoiding = (...predicates: Json[]): Json => ({
    retry_policy: { retry_on: 'reset', retry_host_predicate: predicates },
  });
  const labelled = (labels: JsonValue): Json =>
    predicate('omit_host_metadata.v3.OmitHostMetadataConfig', {
      metadata_match: { filter_metadata: { 'envoy.lb': labels } },
    });

  it('is how long one may be silent, of a virtual host too', () => {
    const policy = { retry_policy: { per_try_idle_timeout: '0.3s' } };
    expect([actionOf(policy), actionOf({}, policy), actionOf({ retry_policy: {} }, policy)]).toMatchObject([
      { perTryIdleTimeoutMs: 300 },
      { perTryIdleTimeoutMs: 300 },
      expect.not.objectContaining({ perTryIdleTimeoutMs: 300 }),
    ]);
  });

  it('is which endpoints it avoids', () => {
    const canary = predicate('omit_canary_hosts.v3.OmitCanaryHostsPredicate');
    expect([
      actionOf(avoiding(canary, labelled({ tier: 'slow', rank: 2 }))),
      actionOf(avoiding(predicate('previous_hosts.v3.PreviousHostsPredicate'))),
    ]).toMatchObject([
      { avoidOnRetry: [{ canary: 'true' }, { tier: 'slow', rank: '2' }] },
      expect.not.objectContaining({ avoidOnRetry: expect.anything() as unknown }),
    ]);
    const at = `${ONLY}.route.retry_policy.retry_host_predicate[0].typed_config.metadata_match`;
    expect([actionOf(avoiding(labelled({}))), actionOf(avoiding(labelled({ a: [1] })))]).toEqual([
      [at],
      [`${at}["envoy.lb"].a`, at],
    ]);
  });
});

describe('what a route takes from its virtual host and configuration', () => {
  const mirror = (cluster: string): Json => ({ request_mirror_policies: [{ cluster }] });
  const actionOf = (route: Json, host: Json, config: Json = {}): unknown => {
    const got = readRoute(route, host, config);
    return Array.isArray(got) ? got : got.action;
  };

  it('is its mirrors, time for a try and room to repeat, where it says nothing itself', () => {
    const host = {
      ...mirror('host'),
      retry_policy: { retry_on: 'reset', per_try_timeout: '2s' },
      per_request_buffer_limit_bytes: 1000,
    };
    expect([
      actionOf({}, host, mirror('config')),
      actionOf({}, {}, mirror('config')),
      actionOf(
        {
          route: { ...forward, ...mirror('own'), retry_policy: { retry_on: 'reset' } },
          per_request_buffer_limit_bytes: 7,
        },
        host,
      ),
    ]).toMatchObject([
      { mirrors: [{ cluster: 'host' }], perTryTimeoutMs: 2000, maxReplayBytes: 1000 },
      { mirrors: [{ cluster: 'config' }] },
      { mirrors: [{ cluster: 'own' }], maxReplayBytes: 7 },
    ]);
    expect(actionOf({ route: { ...forward, retry_policy: { retry_on: 'reset' } } }, host)).not.toHaveProperty(
      'perTryTimeoutMs',
    );
  });

  it('is how long a direct response may be', () => {
    const direct = (body: Json, config: Json): unknown => {
      const got = read({
        name: 'r',
        ...config,
        virtual_hosts: [
          {
            name: 'v',
            domains: ['*'],
            routes: [{ match: { prefix: '/' }, direct_response: { status: 200, body } }],
          },
        ],
      });
      return Array.isArray(got) ? got : got.virtualHosts[0]?.routes[0]?.action;
    };
    expect([
      direct({ inline_string: 'abc' }, { max_direct_response_body_size_bytes: 2 }),
      direct({ inline_bytes: 'w6Q=' }, { max_direct_response_body_size_bytes: 2 }),
      direct({ inline_bytes: '/w==' }, {}),
      direct({ filename: '/etc/passwd' }, {}),
    ]).toMatchObject([
      [`${ONLY}.direct_response.body`],
      { body: 'ä' },
      [`${ONLY}.direct_response.body.inline_bytes`],
      [`${ONLY}.direct_response.body`],
    ]);
  });

  it('is told to its virtual host', () => {
    const got = read({
      name: 'r',
      virtual_hosts: [
        {
          name: 'v',
          domains: ['*'],
          require_tls: 'EXTERNAL_ONLY',
          include_request_attempt_count: true,
          routes: [],
        },
      ],
    });
    expect(got).toMatchObject({
      virtualHosts: [{ requireTls: 'external', attemptCount: { request: true } }],
    });
  });
});

describe('where a route sends requests', () => {
  const actionOf = (route: Json): unknown => {
    const got = readRoute({ route: { ...forward, ...route } });
    return Array.isArray(got) ? got : got.action;
  };
  const regex = (pattern: string, substitution: string): Json => ({
    pattern: { regex: pattern },
    substitution,
  });
  const actionOfRoute = (action: Json): unknown => {
    const got = read({
      name: 'r',
      virtual_hosts: [{ name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, ...action }] }],
    });
    return Array.isArray(got) ? got : got.virtualHosts[0]?.routes[0]?.action;
  };

  it('is rewritten in every way', () => {
    expect([
      actionOf({ regex_rewrite: regex('^/a/(.*)$', '/b/\\1') }),
      actionOf({ regex_rewrite: regex('^/.*$', '/all') }),
      actionOf({ host_rewrite_header: 'X-To', append_x_forwarded_host: true }),
      actionOf({ host_rewrite_path_regex: regex('^/(.*)$', '\\1') }),
      actionOf({
        path_rewrite_policy: {
          name: 'template',
          typed_config: {
            '@type': `${TYPE}path.rewrite.uri_template.v3.UriTemplateRewriteConfig`,
            path_template_rewrite: '/{a}',
          },
        },
      }),
      actionOf({ prefix_rewrite: '/x', regex_rewrite: regex('a', 'b') }),
      actionOf({ path_rewrite: '/x/%REQ(A)%', host_rewrite: '%REQ(B)%' }),
      actionOf({ path_rewrite: '/x', prefix_rewrite: '/y' }),
    ]).toMatchObject([
      { rewrite: { path: { kind: 'regex', pattern: '^/a/(.*)$', substitution: '/b/\\1' } } },
      { rewrite: { path: { kind: 'full', value: '/all' } } },
      { rewrite: { hostFrom: { kind: 'header', name: 'x-to' }, forwardHost: true } },
      { rewrite: { hostFrom: { kind: 'regex', pattern: '^/(.*)$', substitution: '\\1' } } },
      { rewrite: { path: { kind: 'template', value: '/{a}' } } },
      [`${ONLY}.route.regex_rewrite`],
      {
        rewrite: {
          path: { kind: 'format', value: '/x/%REQ(A)%' },
          hostFrom: { kind: 'format', value: '%REQ(B)%' },
        },
      },
      [`${ONLY}.route.path_rewrite`],
    ]);
  });

  it('is nowhere where a filter was to answer, as of a cluster that is not there', () => {
    const nowhere = { kind: 'direct', status: 503, code: 'TULLE_CLUSTER_NOT_FOUND' };
    expect([
      actionOfRoute({ non_forwarding_action: {} }),
      actionOfRoute({
        filter_action: {
          action: { '@type': `${TYPE}path.rewrite.uri_template.v3.UriTemplateRewriteConfig` },
        },
      }),
      actionOfRoute({ redirect: { path_rewrite: '/to/%REQ(A)%' } }),
    ]).toEqual([
      nowhere,
      nowhere,
      { kind: 'redirect', port: 'asked', status: 301, path: { kind: 'format', value: '/to/%REQ(A)%' } },
    ]);
  });

  it('has a policy of CORS in its older place, or its host has, and the newer one goes before it', () => {
    const cors = (maxAge: string): Json => ({
      allow_origin_string_match: [{ exact: 'https://a.example' }],
      max_age: maxAge,
    });
    const slot = 'envoy.filters.http.cors';
    const newer = {
      typed_per_filter_config: {
        [slot]: { '@type': `${TYPE}filters.http.cors.v3.CorsPolicy`, max_age: '3' },
      },
    };
    const of = (route: Json, host: Json): unknown => {
      const got = read({
        name: 'r',
        virtual_hosts: [
          { name: 'h', domains: ['*'], ...host, routes: [{ name: 'a', match: { prefix: '/' }, ...route }] },
        ],
      });
      if (Array.isArray(got)) return got;
      const [one] = got.virtualHosts;
      return [one?.filterConfigs?.[slot], one?.routes[0]?.filterConfigs?.[slot]];
    };
    const route = { cluster: 'c' };
    expect([
      of({ route }, { cors: cors('1') }),
      of({ route: { ...route, cors: cors('2') } }, {}),
      of({ route: { ...route, cors: cors('2') }, ...newer }, { cors: cors('1'), ...newer }),
    ]).toMatchObject([
      [{ allowOrigins: ['https://a.example'], maxAgeSeconds: 1, inherits: true }, undefined],
      [undefined, { allowOrigins: ['https://a.example'], maxAgeSeconds: 2 }],
      [
        { allowOrigins: [], maxAgeSeconds: 3 },
        { allowOrigins: [], maxAgeSeconds: 3 },
      ],
    ]);
    expect(of({ route: { ...route, cors: { max_age: 'x' } } }, {})).toEqual([`${ONLY}.route.cors.max_age`]);
  });

  it('says what copies of its requests are other in', () => {
    const of = (mirror: Json): unknown => {
      const got = readRoute({
        route: { cluster: 'c', request_mirror_policies: [{ cluster: 'm', ...mirror }] },
      });
      return Array.isArray(got) ? got : (got.action as ForwardAction).mirrors;
    };
    expect([
      of({}),
      of({ host_rewrite_literal: 'copies.example' }),
      of({
        request_headers_mutations: [
          { append: { header: { key: 'x-a', value: '%REQ(B)%' }, append_action: 'ADD_IF_ABSENT' } },
          { remove: 'x-b' },
        ],
      }),
      of({ request_headers_mutations: [{ remove: '' }] }),
    ]).toEqual([
      [{ cluster: 'm', shadowHost: true }],
      [{ cluster: 'm', host: 'copies.example' }],
      [
        {
          cluster: 'm',
          shadowHost: true,
          edits: [{ addIfAbsent: [{ name: 'x-a', value: '%REQ(B)%', format: true }] }, { remove: ['x-b'] }],
        },
      ],
      [`${ONLY}.route.request_mirror_policies[0].request_headers_mutations[0].remove`],
    ]);
  });

  it('tells rate limits by networks, whose values are texts, or have operators', () => {
    const of = (action: Json): unknown => {
      const got = readRoute({
        route: { cluster: 'c', rate_limits: [{ actions: [{ remote_address_match: action }] }] },
      });
      return Array.isArray(got) ? got : (got.action as ForwardAction).rateLimits?.[0]?.actions;
    };
    const ranges = [{ address_prefix: '10.0.0.0', prefix_len: 8 }];
    const at = `${ONLY}.route.rate_limits[0].actions[0].remote_address_match`;
    expect([
      of({ descriptor_value: '5%%', default_value: 'x', address_matcher: { ranges } }),
      of({ descriptor_key: 'k', descriptor_value: 'a', address_matcher: { ranges, invert_match: true } }),
      of({ descriptor_value: '%REQ(A)%', default_value: 'x', address_matcher: { ranges } }),
      of({ descriptor_value: 'a' }),
    ]).toEqual([
      [{ kind: 'address-match', value: '5%', cidrs: ['10.0.0.0/8'] }],
      [{ kind: 'address-match', key: 'k', value: 'a', expect: false, cidrs: ['10.0.0.0/8'] }],
      [
        {
          kind: 'address-match',
          value: '%REQ(A)%',
          format: true,
          fallback: 'x',
          cidrs: ['10.0.0.0/8'],
        },
      ],
      [`${at}.address_matcher.ranges`],
    ]);
  });

  it('is split with a header, and its weights add up', () => {
    const split = (more: Json): Json => ({
      weighted_clusters: {
        clusters: [
          { name: 'a', weight: 60, host_rewrite_literal: 'a.example' },
          { name: 'b', weight: 40 },
        ],
        ...more,
      },
    });
    const of = (more: Json): unknown => {
      const got = readRoute({ route: split(more) });
      return Array.isArray(got) ? got : got.action;
    };
    expect([
      of({ header_name: 'X-Share', runtime_key_prefix: 'any' }),
      of({ total_weight: 100 }),
      of({ total_weight: 50 }),
      of({ use_hash_policy: true }),
    ]).toMatchObject([
      { splitHeader: 'x-share', clusters: [{ name: 'a', weight: 60, host: 'a.example' }, { name: 'b' }] },
      { kind: 'forward' },
      [`${ONLY}.route.weighted_clusters.total_weight`],
      { splitByHash: true },
    ]);
    expect(of({ use_hash_policy: false })).not.toHaveProperty('splitByHash');
  });

  it('is retried by all of Envoy’s words, with all that they mean', () => {
    const retry = (policy: Json): unknown => {
      const got = readRoute({ route: { ...forward, retry_policy: policy } });
      return Array.isArray(got) ? got : got.filterConfigs?.[RETRY_FILTER];
    };
    const predicate = (type: string): Json => ({
      name: 'p',
      typed_config: { '@type': `${TYPE}retry.host.${type}` },
    });
    expect([
      retry({ retry_on: '5xx' }),
      retry({
        retry_on: 'retriable-4xx, envoy-ratelimited,retriable-headers',
        retriable_headers: [{ name: 'x' }],
      }),
      retry({
        retry_on: 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes',
        num_retries: 2,
        retriable_status_codes: [503],
        retry_host_predicate: [predicate('previous_hosts.v3.PreviousHostsPredicate')],
        host_selection_retry_max_attempts: '5',
      }),
      retry({
        retry_on: 'reset',
        rate_limited_retry_back_off: {
          reset_headers: [{ name: 'Retry-After' }, { name: 'X-Reset', format: 'UNIX_TIMESTAMP' }],
          max_interval: '60s',
        },
      }),
      retry({
        retry_on: 'reset',
        retry_host_predicate: [predicate('omit_host_metadata.v3.OmitHostMetadataConfig')],
      }),
    ]).toMatchObject([
      { retries: 1, on: ['5xx', 'reset', 'per-try-timeout', 'connect-failure'] },
      {
        on: ['retriable-4xx', 'rate-limited', 'response-headers'],
        responseHeaders: [{ name: 'x', match: { kind: 'present' } }],
      },
      {
        retries: 2,
        on: ['connect-failure', 'unavailable', 'cancelled', 'status-codes'],
        statusCodes: [503],
      },
      {
        resetBackoff: {
          headers: [
            { name: 'Retry-After', format: 'seconds' },
            { name: 'X-Reset', format: 'unix-timestamp' },
          ],
          maxMs: 60_000,
        },
      },
      [`${ONLY}.route.retry_policy.retry_host_predicate[0].typed_config.metadata_match`],
    ]);
    const at = `${ONLY}.route.retry_policy`;
    expect([
      retry({ retry_on: '5xx', retry_back_off: { base_interval: '1s' } }),
      retry({ retry_on: '5xx', retry_back_off: { base_interval: '1s', max_interval: '0.5s' } }),
      retry({ retry_on: '5xx', retry_back_off: { max_interval: '1s' } }),
      retry({
        retry_on: '5xx',
        rate_limited_retry_back_off: { reset_headers: [{ name: 'x' }], max_interval: '0s' },
      }),
      // Nothing in Envoy can be named there.
      retry({ retry_on: '5xx', retry_options_predicates: [{ name: 'x' }] }),
    ]).toEqual([
      expect.objectContaining({ backoffBaseMs: 1_000 }),
      [`${at}.retry_back_off.max_interval`],
      [`${at}.retry_back_off.base_interval`],
      [`${at}.rate_limited_retry_back_off.max_interval`],
      [`${at}.retry_options_predicates`],
    ]);
  });
});

it('redirects keep the port that was asked for, and may drop the query', () => {
  const got = read({
    name: 'r',
    virtual_hosts: [
      {
        name: 'v',
        domains: ['*'],
        routes: [{ match: { prefix: '/' }, redirect: { https_redirect: true, strip_query: true } }],
      },
    ],
  });
  expect(got).toMatchObject({
    virtualHosts: [
      { routes: [{ action: { scheme: 'https', port: 'asked', stripQuery: true, status: 301 } }] },
    ],
  });
});

describe('domains', () => {
  it('are compared with the port, unless it is ignored, or there is none but *', () => {
    const compares = (config: Json, ...domains: string[]): boolean | undefined => {
      const got = read({ name: 'r', ...config, virtual_hosts: [{ name: 'v', domains, routes: [] }] });
      return Array.isArray(got) ? expect.fail(got.join()) : got.comparesPorts;
    };
    expect(compares({}, 'a.test')).toBe(true);
    expect(compares({}, 'a.test:80', '*')).toBe(true);
    expect(compares({}, '*')).toBeUndefined();
    expect(compares({ ignore_port_in_host_matching: true }, 'a.test')).toBeUndefined();
    // As Tulle's control plane says it.
    expect(
      compares({ metadata: { filter_metadata: { 'tulle.dev': { anyPort: true } } } }, 'a.test'),
    ).toBeUndefined();
  });
});

describe('redirects that are followed', () => {
  const policyOf = (policy: Json): unknown => {
    const route = readRoute({ route: { ...forward, internal_redirect_policy: policy } });
    if (Array.isArray(route)) return route;
    return route.action.kind === 'forward' ? route.action.internalRedirect : undefined;
  };
  const predicate = (type: string, more: Json = {}): Json => ({
    name: 'p',
    typed_config: { '@type': `${TYPE}internal_redirect.${type}`, ...more },
  });
  const listed = (...names: string[]): Json =>
    predicate('allow_listed_routes.v3.AllowListedRoutesConfig', { allowed_route_names: names });
  const safe = predicate('safe_cross_scheme.v3.SafeCrossSchemeConfig');
  const previous = predicate('previous_routes.v3.PreviousRoutesConfig');

  it('are read with all that says which', () => {
    expect(policyOf({})).toEqual({});
    expect(
      policyOf({
        max_internal_redirects: 3,
        redirect_response_codes: [404, 308, 303],
        predicates: [listed('a', 'b'), previous, safe, listed('b', 'c')],
        allow_cross_scheme_redirect: true,
        response_headers_to_copy: ['X-A'],
      }),
    ).toEqual({
      max: 3,
      statuses: [303, 308],
      schemes: 'safe',
      routes: ['b'],
      newRoutes: true,
      copyHeaders: ['x-a'],
    });
    expect(policyOf({ max_internal_redirects: 0, redirect_response_codes: [200] })).toEqual({
      max: 0,
      statuses: [],
    });
    expect([policyOf({ allow_cross_scheme_redirect: true }), policyOf({ predicates: [safe] })]).toEqual([
      { schemes: 'any' },
      {},
    ]);
  });

  it('are refused by path where they say what is not done', () => {
    const at = `${ONLY}.route.internal_redirect_policy`;
    expect(policyOf({ redirect_response_codes: [301, 302, 303, 307, 308, 302] })).toEqual([
      `${at}.redirect_response_codes`,
    ]);
    const hosts = { '@type': `${TYPE}retry.host.previous_hosts.v3.PreviousHostsPredicate` };
    expect(policyOf({ predicates: [previous, { name: 'x', typed_config: hosts }] })).toEqual([
      `${at}.predicates[1].typed_config`,
    ]);
  });
});

describe('a matcher in place of routes', () => {
  const XDS = 'type.googleapis.com/';
  const input = (name: string): Json => ({
    name: 'input',
    typed_config: { '@type': `${XDS}envoy.type.matcher.v3.HttpRequestHeaderMatchInput`, header_name: name },
  });
  const action = (type: string, fields: Json): Json => ({
    action: { name: 'action', typed_config: { '@type': `${XDS}envoy.config.route.v3.${type}`, ...fields } },
  });
  const to = (name: string, more: Json = {}): Json => ({
    name,
    match: { prefix: '/' },
    route: forward,
    ...more,
  });
  const single = (name: string, value: Json): Json => ({
    single_predicate: { input: input(name), value_match: value },
  });
  const hostOf = (matcher: Json, more: Json = {}): VirtualHost | string[] => {
    const got = read({ name: 'r', virtual_hosts: [{ name: 'v', domains: ['*'], matcher, ...more }] });
    return Array.isArray(got) ? got : (got.virtualHosts[0] as VirtualHost);
  };

  it('becomes routes and what chooses among them', () => {
    const got = hostOf({
      matcher_list: {
        matchers: [
          {
            predicate: {
              and_matcher: {
                predicate: [
                  single('X-A', { exact: '1', ignore_case: true }),
                  { not_matcher: single('x-b', { safe_regex: { regex: 'b+' } }) },
                ],
              },
            },
            on_match: action('RouteList', { routes: [to('one'), to('')] }),
          },
        ],
      },
      on_no_match: {
        matcher: {
          matcher_tree: {
            input: input(':path'),
            prefix_match_map: {
              map: {
                '/a': action('Route', to('three')),
                '/b': { matcher: { on_no_match: action('Route', to('four')) } },
              },
            },
          },
        },
      },
    });
    if (Array.isArray(got)) return expect.fail(got.join());
    expect(got.routes.map(({ name }) => name)).toEqual(['one', 'v/1', 'three', 'four']);
    expect(got.choice).toEqual({
      kind: 'list',
      of: [
        {
          when: {
            kind: 'all',
            of: [
              {
                kind: 'header',
                header: { name: 'x-a', match: { kind: 'exact', value: '1', ignoreCase: true } },
              },
              {
                kind: 'not',
                of: { kind: 'header', header: { name: 'x-b', match: { kind: 'regex', value: 'b+' } } },
              },
            ],
          },
          choose: { kind: 'routes', routes: [0, 1] },
        },
      ],
      otherwise: {
        kind: 'prefix',
        header: ':path',
        values: { '/a': { kind: 'routes', routes: [2] }, '/b': { kind: 'routes', routes: [3] } },
      },
    });
  });

  it('is refused by path where it says what is not done', () => {
    const other: Json = {
      name: 'x',
      typed_config: { '@type': `${TYPE}retry.host.previous_hosts.v3.PreviousHostsPredicate` },
    };
    const at = 'virtual_hosts[0].matcher';
    expect(
      hostOf({
        matcher_list: {
          matchers: [
            {
              predicate: single('x', { exact: 'a' }),
              on_match: action('Route', { name: 'x', match: { prefix: '/' }, route_specifiers: [other] }),
            },
            {
              predicate: { single_predicate: { input: other, value_match: { exact: 'a' } } },
              on_match: { action: other },
            },
            { predicate: { or_matcher: { predicate: [single('x', {})] } } },
            {},
          ],
        },
        on_no_match: { matcher: { matcher_tree: { input: input('x'), custom_match: other } } },
      }),
    ).toEqual(
      expect.arrayContaining([
        `${at}.on_no_match.matcher.matcher_tree.custom_match`,
        `${at}.matcher_list.matchers[0].on_match.action.typed_config.route_specifiers`,
        `${at}.matcher_list.matchers[1].predicate.single_predicate.input.typed_config`,
        `${at}.matcher_list.matchers[1].on_match.action.typed_config`,
        `${at}.matcher_list.matchers[2].predicate.or_matcher.predicate`,
        `${at}.matcher_list.matchers[2].predicate.or_matcher.predicate[0].single_predicate.value_match`,
        `${at}.matcher_list.matchers[2].on_match`,
        `${at}.matcher_list.matchers[3].predicate`,
      ]),
    );
    expect(hostOf({})).toEqual([at]);
    expect(hostOf({ on_no_match: action('Route', to('a')) }, { routes: [to('b')] })).toEqual([
      'virtual_hosts[0].routes',
    ]);
  });
});

it('retries at other priorities are those of a route, or of its virtual host where it has no policy', () => {
  const policy = (type: string, fields: Json): Json => ({
    retry_on: '5xx',
    retry_priority: { name: 'p', typed_config: { '@type': `${TYPE}retry.${type}`, ...fields } },
  });
  const every = (frequency: number): Json =>
    policy('priority.previous_priorities.v3.PreviousPrioritiesConfig', { update_frequency: frequency });
  const of = (route: Json, host: Json = {}): unknown => {
    const got = readRoute({ route: { ...forward, ...route } }, host);
    if (Array.isArray(got)) return got;
    return got.action.kind === 'forward' ? got.action.newPriorityEvery : undefined;
  };
  expect(of({ retry_policy: every(2) }, { retry_policy: every(3) })).toBe(2);
  expect(of({ retry_policy: { retry_on: '5xx' } }, { retry_policy: every(3) })).toBeUndefined();
  expect(of({}, { retry_policy: every(3) })).toBe(3);
  const at = `${ONLY}.route.retry_policy.retry_priority.typed_config`;
  expect(of({ retry_policy: every(0) })).toEqual([`${at}.update_frequency`]);
  expect(of({ retry_policy: policy('host.previous_hosts.v3.PreviousHostsPredicate', {}) })).toEqual([at]);
});

it('upgrades are allowed by name, and CONNECT says what becomes of it', () => {
  const of = (...upgrade_configs: Json[]): unknown => {
    const got = readRoute({ match: { prefix: '/' }, route: { cluster: 'a', upgrade_configs } });
    if (Array.isArray(got)) return got;
    const { allowUpgrades, allowConnect, connect } = got.action as ForwardAction;
    return { allowUpgrades, allowConnect, connect };
  };
  const connect = (more: Json = {}): Json => ({ upgrade_type: 'connect', ...more });
  expect([
    of(),
    of(connect()),
    of(connect({ enabled: false }), { upgrade_type: 'WebSocket' }),
    of(connect({ connect_config: {} })),
    of(connect({ connect_config: { allow_post: true, proxy_protocol_config: {} } })),
    of(connect({ enabled: false, connect_config: { proxy_protocol_config: { version: 'V2' } } })),
    of({ upgrade_type: 'websocket', enabled: false }),
  ]).toEqual([
    {},
    { allowConnect: true },
    { allowUpgrades: ['websocket'], allowConnect: false },
    { connect: {} },
    { connect: { post: true, proxyProtocol: 1 } },
    { allowConnect: false, connect: { proxyProtocol: 2 } },
    { allowUpgrades: [] },
  ]);
  const at = `${ONLY}.route.upgrade_configs`;
  expect([
    of({ upgrade_type: 'websocket', connect_config: {} }),
    of(connect(), connect({ connect_config: {} })),
    of(connect({ connect_config: { proxy_protocol_config: { pass_through_tlvs: {} } } })),
  ]).toEqual([
    [`${at}[0].connect_config`],
    [`${at}[1]`],
    [`${at}[0].connect_config.proxy_protocol_config.pass_through_tlvs`],
  ]);
});
