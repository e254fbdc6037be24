import type { Chance } from '../chance.ts';
import type { Json } from '../configuration.ts';
import { typed } from '../resources.ts';
import { keySet } from '../tokens.ts';

/** A filter as a configuration has it. */
export interface MadeFilter {
  readonly config: Json;
  readonly disabled?: boolean;
  /** What a place says of it, with the place's name in it. */
  readonly perRoute?: (where: string) => Json;
}

/** A filter that may be in the chain. */
export interface FilterMaker {
  readonly name: string;
  make(chance: Chance): MadeFilter;
}

const HTTP = 'envoy.extensions.filters.http';
const ALL: Json = { default_value: { numerator: 100 } };
const NOBODY: Json = { envoy_grpc: { cluster_name: 'gone-h2' } };

const edits = (where: string): Json[] => [
  { append: { header: { key: 'x-edited', value: where }, append_action: 'APPEND_IF_EXISTS_OR_ADD' } },
];

const limit = (where: string, tokens: number): Json =>
  typed(`${HTTP}.local_ratelimit.v3.LocalRateLimit`, {
    stat_prefix: where,
    token_bucket: { max_tokens: tokens, fill_interval: '600s' },
    filter_enabled: ALL,
    filter_enforced: ALL,
    response_headers_to_add: [{ header: { key: 'x-limited', value: where } }],
  });

function rulesOf(chance: Chance): Json {
  return {
    action: chance.pick(['ALLOW', 'DENY']),
    policies: {
      one: {
        permissions: [
          chance.pick<Json>([
            { header: { name: 'x-one', string_match: { exact: 'v1' } } },
            { url_path: { path: { prefix: '/none' } } },
            { url_path: { path: { prefix: '/there' } } },
            { any: true },
          ]),
        ],
        principals: [{ any: true }],
      },
    },
  };
}

/** Every filter that both have and that needs no service but `d`, or one that nobody is. */
export const FILTERS: readonly FilterMaker[] = [
  {
    name: 'envoy.filters.http.rbac',
    make: (chance) => ({
      config: typed(
        `${HTTP}.rbac.v3.RBAC`,
        chance.maybe(0.15) ? { shadow_rules: rulesOf(chance) } : { rules: rulesOf(chance) },
      ),
      disabled: chance.maybe(0.15),
      perRoute: () => typed(`${HTTP}.rbac.v3.RBACPerRoute`, { rbac: { rules: rulesOf(chance) } }),
    }),
  },
  {
    name: 'envoy.filters.http.header_mutation',
    make: (chance) => ({
      config: typed(`${HTTP}.header_mutation.v3.HeaderMutation`, {
        mutations: { request_mutations: edits('chain'), response_mutations: edits('chain') },
        ...(chance.maybe(0.3) && { most_specific_header_mutations_wins: true }),
      }),
      disabled: chance.maybe(0.15),
      perRoute: (where) =>
        typed(`${HTTP}.header_mutation.v3.HeaderMutationPerRoute`, {
          mutations: { request_mutations: edits(where), response_mutations: edits(where) },
        }),
    }),
  },
  {
    name: 'envoy.filters.http.local_ratelimit',
    make: (chance) => ({
      config: limit('chain', chance.int(1, 3)),
      disabled: chance.maybe(0.15),
      perRoute: (where) => limit(where, 1),
    }),
  },
  {
    name: 'envoy.filters.http.fault',
    make(chance) {
      const config = typed(`${HTTP}.fault.v3.HTTPFault`, {
        abort: {
          ...(chance.maybe(0.6) ? { http_status: chance.pick([418, 503]) } : { header_abort: {} }),
          percentage: { numerator: 100 },
        },
        ...(chance.maybe(0.5) && { headers: [{ name: 'x-one', string_match: { exact: 'v1' } }] }),
        ...(chance.maybe(0.15) && { upstream_cluster: 'a' }),
      });
      return { config, perRoute: () => config };
    },
  },
  {
    name: 'envoy.filters.http.jwt_authn',
    make: (chance) => ({
      config: typed(`${HTTP}.jwt_authn.v3.JwtAuthentication`, {
        providers: { one: { issuer: 'https://one.test', local_jwks: { inline_string: keySet('one') } } },
        requirement_map: { strict: { provider_name: 'one' } },
        rules: chance.maybe(0.7)
          ? [
              {
                match: { prefix: chance.pick(['/', '/none']) },
                requires: chance.pick<Json>([{ provider_name: 'one' }, { allow_missing: {} }]),
              },
            ]
          : [],
      }),
      perRoute: () => typed(`${HTTP}.jwt_authn.v3.PerRouteConfig`, { requirement_name: 'strict' }),
    }),
  },
  {
    name: 'envoy.filters.http.ext_authz',
    make: (chance) => ({
      config: typed(`${HTTP}.ext_authz.v3.ExtAuthz`, {
        transport_api_version: 'V3',
        http_service: {
          server_uri: { uri: 'http://authz.test', cluster: chance.pick(['d', 'd', 'gone']), timeout: '0.3s' },
          authorization_response: { allowed_client_headers_on_success: { patterns: [{ exact: 'x-told' }] } },
        },
        ...(chance.maybe(0.3) && { failure_mode_allow: true }),
      }),
      perRoute: () => typed(`${HTTP}.ext_authz.v3.ExtAuthzPerRoute`, { disabled: true }),
    }),
  },
  {
    name: 'envoy.filters.http.cors',
    make: () => ({
      config: typed(`${HTTP}.cors.v3.Cors`),
      perRoute: () =>
        typed(`${HTTP}.cors.v3.CorsPolicy`, {
          allow_origin_string_match: [{ exact: 'https://one.test' }],
          allow_methods: 'GET',
        }),
    }),
  },
  {
    name: 'envoy.filters.http.compressor',
    make: (chance) => ({
      config: typed(`${HTTP}.compressor.v3.Compressor`, {
        response_direction_config: {
          common_config: { min_content_length: 30, content_type: ['text/plain'] },
          ...(chance.maybe(0.3) && { remove_accept_encoding_header: true }),
        },
        compressor_library: {
          name: 'gzip',
          typed_config: typed('envoy.extensions.compression.gzip.compressor.v3.Gzip'),
        },
      }),
      perRoute: () => typed(`${HTTP}.compressor.v3.CompressorPerRoute`, { disabled: true }),
    }),
  },
  {
    name: 'envoy.filters.http.buffer',
    make: (chance) => ({
      config: typed(`${HTTP}.buffer.v3.Buffer`, { max_request_bytes: chance.pick([10, 100]) }),
      perRoute: () => typed(`${HTTP}.buffer.v3.BufferPerRoute`, { disabled: true }),
    }),
  },
  {
    name: 'envoy.filters.http.ratelimit',
    make: () => ({
      config: typed(`${HTTP}.ratelimit.v3.RateLimit`, {
        domain: 'one',
        failure_mode_deny: true,
        timeout: '0.3s',
        rate_limit_service: { grpc_service: NOBODY, transport_api_version: 'V3' },
      }),
      perRoute: () =>
        typed(`${HTTP}.ratelimit.v3.RateLimitPerRoute`, {
          rate_limits: [{ actions: [{ generic_key: { descriptor_value: 'all' } }] }],
        }),
    }),
  },
  {
    name: 'envoy.filters.http.ext_proc',
    make: (chance) => ({
      config: typed(`${HTTP}.ext_proc.v3.ExternalProcessor`, {
        grpc_service: NOBODY,
        ...(chance.maybe(0.3) && { failure_mode_allow: true }),
        processing_mode: {
          request_header_mode: chance.pick(['SEND', 'SKIP']),
          response_header_mode: chance.pick(['SEND', 'SKIP']),
        },
      }),
      perRoute: () => typed(`${HTTP}.ext_proc.v3.ExtProcPerRoute`, { disabled: true }),
    }),
  },
  {
    name: 'envoy.filters.http.grpc_web',
    make: () => ({ config: typed(`${HTTP}.grpc_web.v3.GrpcWeb`) }),
  },
  {
    name: 'envoy.filters.http.health_check',
    make: (chance) => ({
      config: typed(`${HTTP}.health_check.v3.HealthCheck`, {
        pass_through_mode: false,
        headers: [{ name: ':path', string_match: { exact: chance.pick(['/none', '/there']) } }],
      }),
    }),
  },
  {
    name: 'envoy.filters.http.admission_control',
    make: () => ({
      config: typed(`${HTTP}.admission_control.v3.AdmissionControl`, {
        success_criteria: {
          http_criteria: { http_success_status: [{ start: 200, end: 600 }] },
          grpc_criteria: { grpc_success_status: [0] },
        },
        sampling_window: '60s',
      }),
    }),
  },
  {
    name: 'envoy.filters.http.set_filter_state',
    make: () => ({
      config: typed(`${HTTP}.set_filter_state.v3.Config`, {
        on_request_headers: [
          {
            object_key: 'one.two',
            factory_key: 'envoy.string',
            format_string: { text_format_source: { inline_string: '%REQ(x-one)%' } },
          },
        ],
      }),
    }),
  },
];
