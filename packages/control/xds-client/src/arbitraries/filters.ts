import fc from 'fast-check';
import {
  ADAPTIVE_CONCURRENCY_FILTER,
  ADMISSION_CONTROL_FILTER,
  AUTHZ_FILTER,
  BUFFER_FILTER,
  SET_FILTER_STATE_FILTER,
  type BufferFilterConfig,
  type ConnSetFilterStateConfig,
  type FilterStateValue,
  type SetFilterStateConfig,
  COMPRESSION_FILTER,
  CONN_EXT_AUTHZ_FILTER,
  CONN_SET_FILTER_STATE_FILTER,
  CONN_LIMIT_FILTER,
  CONN_RATE_LIMIT_FILTER,
  CORS_FILTER,
  EXT_AUTHZ_FILTER,
  EXT_PROC_FILTER,
  FAULT_FILTER,
  type FaultFilterConfig,
  type FaultShare,
  type FilterConfigs,
  type FilterEntry,
  GLOBAL_RATE_LIMIT_FILTER,
  type GlobalRateLimitFilterConfig,
  GRPC_WEB_FILTER,
  HEADERS_FILTER,
  HEALTH_CHECK_FILTER,
  type HealthCheckFilterConfig,
  type HeadersFilterConfig,
  type HeaderStep,
  type QueryStep,
  type QueryValue,
  type HeaderValue,
  IP_ALLOW_FILTER,
  JWT_FILTER,
  RATE_LIMIT_FILTER,
  RETRY_FILTER,
  WASM_FILTER,
  type RetryFilterConfig,
  type RetryOn,
} from '@tulle/model';
import { authzConfig } from './authz.ts';
import {
  adaptiveConcurrencyConfig,
  admissionControlConfig,
  compressionConfig,
  connLimitConfig,
  connRateLimitConfig,
  corsConfig,
  extAuthzConfig,
  extAuthzRouteConfig,
  ipAllowConfig,
  jwtConfig,
  rateLimitConfig,
} from './standard-filters.ts';
import {
  headerEdits,
  headerMatch,
  json,
  jsonObject,
  label,
  milliseconds,
  object,
  options,
  overrides,
  valueMatch,
} from './basics.ts';
import { connExtAuthzConfig, extProcConfig, extProcRouteConfig } from './external.ts';
import { wasmConfig } from './wasm.ts';

const percent: fc.Arbitrary<number> = fc.oneof(
  fc.integer({ min: 0, max: 100 }),
  fc.integer({ min: 0, max: 1_000_000 }).map((parts) => parts / 10_000),
  fc.constant(33.33333333),
);

const share: fc.Arbitrary<FaultShare> = options<FaultShare>({
  percent,
  denominator: fc.constantFrom(10_000, 1_000_000),
});

export const faultConfig: fc.Arbitrary<FaultFilterConfig> = options<FaultFilterConfig>({
  delay: object<{ durationMs: number }>({ durationMs: milliseconds }, { percent }),
  abort: object<NonNullable<FaultFilterConfig['abort']>>(
    { status: fc.integer({ min: 200, max: 599 }) },
    { percent, grpcStatus: fc.integer({ min: 0, max: 16 }), body: fc.string({ minLength: 1, maxLength: 5 }) },
  ),
  headers: fc.dictionary(label, fc.string({ maxLength: 5 }), { maxKeys: 2, noNullPrototype: true }),
  responseRate: object<NonNullable<FaultFilterConfig['responseRate']>>(
    { kibPerSecond: fc.integer({ min: 1, max: 100_000 }) },
    { percent },
  ),
  byHeader: options<NonNullable<FaultFilterConfig['byHeader']>>({
    delay: share,
    abort: options<NonNullable<NonNullable<FaultFilterConfig['byHeader']>['abort']>>({
      percent,
      denominator: fc.constantFrom(10_000, 1_000_000),
      body: label,
    }),
    responseRate: share,
  }),
  metadata: fc.constant({ by: 'chance', n: { x: [1, true, null] } }),
  match: fc.array(valueMatch, { minLength: 1, maxLength: 2 }),
  cluster: label,
  nodes: fc.array(label, { minLength: 1, maxLength: 2 }),
  maxActiveDelays: fc.nat(),
  maxActiveFaults: fc.nat(),
});

export const bufferConfig: fc.Arbitrary<BufferFilterConfig> = object<BufferFilterConfig>({
  maxRequestBytes: fc.integer({ min: 1, max: 1_073_741_824 }),
});

const only: fc.Arbitrary<true> = fc.constant(true as const);

/** What a filter puts down about connections. */
export const connSetFilterStateConfig: fc.Arbitrary<ConnSetFilterStateConfig> =
  object<ConnSetFilterStateConfig>({
    values: fc.array(
      object<FilterStateValue>(
        { key: label, format: label.map((name) => `%REQ(${name})%/x`) },
        {
          omitEmpty: only,
          readOnly: only,
          skipIfEmpty: only,
          kind: fc.constant('address' as const),
          shared: fc.constantFrom('once' as const, 'always' as const),
        },
      ),
      { minLength: 1, maxLength: 2 },
    ),
  });

/** What a filter puts down about requests. */
export const setFilterStateConfig: fc.Arbitrary<SetFilterStateConfig> = fc
  .tuple(connSetFilterStateConfig, fc.boolean())
  .map(([config, rematch]) => (rematch ? { ...config, rematch } : config));

export const healthCheckConfig: fc.Arbitrary<HealthCheckFilterConfig> = object<HealthCheckFilterConfig>(
  { match: fc.array(valueMatch, { minLength: 1, maxLength: 2 }) },
  {
    answerBy: fc.constantFrom('proxy', 'service'),
    cacheMs: fc.nat(3_600_000),
    minHealthyPercent: fc.dictionary(label, fc.integer({ min: 0, max: 100 }), {
      maxKeys: 2,
      noNullPrototype: true,
    }),
  },
);

export const globalRateLimitConfig: fc.Arbitrary<GlobalRateLimitFilterConfig> =
  object<GlobalRateLimitFilterConfig>(
    { domain: label, cluster: label },
    {
      authority: label,
      timeoutMs: fc.integer({ min: 1, max: 60_000 }),
      failureMode: fc.constantFrom('allow', 'deny'),
      statusOnError: fc.integer({ min: 400, max: 599 }),
      stage: fc.nat(10),
      host: fc.constantFrom('override', 'include', 'ignore'),
      status: fc.integer({ min: 400, max: 599 }),
      resourceExhausted: fc.boolean(),
      responseHeaders: headerEdits,
      mark: fc.boolean(),
      rateHeaders: fc.boolean(),
      retryAfter: fc.boolean(),
      denyPercent: fc.nat(100),
      enforcedPercent: fc.nat(100),
      requests: fc.constantFrom('internal', 'external'),
      metadataNamespace: label,
      maxActiveCalls: fc.integer({ min: 1, max: 100 }),
    },
  );

const field: fc.Arbitrary<HeaderValue> = object<HeaderValue>({
  name: label,
  value: fc.oneof(label, fc.constantFrom('', '100%', '%REQ(a)%')),
});
const steps: fc.Arbitrary<readonly HeaderStep[]> = fc.array(
  fc.oneof(
    label.map((remove): HeaderStep => ({ remove })),
    field.map((set): HeaderStep => ({ set })),
    field.map((add): HeaderStep => ({ add })),
    field.map((setIfPresent): HeaderStep => ({ setIfPresent })),
    field.map((addIfAbsent): HeaderStep => ({ addIfAbsent })),
    label.map((value): HeaderStep => ({ removeOnMatch: { kind: 'prefix', value } })),
  ),
  { minLength: 1, maxLength: 3 },
);

const parameter: fc.Arbitrary<QueryValue> = object<QueryValue>({
  name: label,
  value: fc.oneof(label, fc.constantFrom('', '100%', 'a b&c')),
});
const querySteps: fc.Arbitrary<readonly QueryStep[]> = fc.array(
  fc.oneof(
    label.map((remove): QueryStep => ({ remove })),
    parameter.map((set): QueryStep => ({ set })),
    parameter.map((add): QueryStep => ({ add })),
    parameter.map((setIfPresent): QueryStep => ({ setIfPresent })),
    parameter.map((addIfAbsent): QueryStep => ({ addIfAbsent })),
  ),
  { minLength: 1, maxLength: 3 },
);

export const headersConfig: fc.Arbitrary<HeadersFilterConfig> = options<HeadersFilterConfig>({
  request: headerEdits,
  response: headerEdits,
  requestSteps: steps,
  responseSteps: steps,
  requestTrailerSteps: steps,
  responseTrailerSteps: steps,
  querySteps,
  specificLast: fc.boolean(),
});

const anyRetryConfig: fc.Arbitrary<RetryFilterConfig> = options<RetryFilterConfig>({
  retries: fc.integer({ min: 0, max: 10 }),
  on: fc.uniqueArray(
    fc.constantFrom<RetryOn>(
      'connect-failure',
      'reset',
      'per-try-timeout',
      'gateway-error',
      '5xx',
      'status-codes',
      'retriable-4xx',
      'rate-limited',
      'response-headers',
      'cancelled',
      'deadline-exceeded',
      'internal',
      'resource-exhausted',
      'unavailable',
    ),
  ),
  statusCodes: fc.uniqueArray(fc.integer({ min: 400, max: 599 }), { maxLength: 3 }),
  backoffBaseMs: fc.integer({ min: 1, max: 60_000 }),
  backoffMaxMs: fc.integer({ min: 1, max: 600_000 }),
  backoffMinMs: fc.integer({ min: 0, max: 600_000 }),
  responseHeaders: fc.array(headerMatch, { maxLength: 2 }),
  requestHeaders: fc.array(headerMatch, { maxLength: 2 }),
  resetBackoff: object<NonNullable<RetryFilterConfig['resetBackoff']>>(
    {
      headers: fc.array(
        fc.record(
          { name: label, format: fc.constantFrom('seconds', 'unix-timestamp') },
          { noNullPrototype: true },
        ),
        { minLength: 1, maxLength: 2 },
      ),
    },
    { maxMs: fc.integer({ min: 1, max: 600_000 }) },
  ),
});

/** Neither Envoy nor gRPC has a longest interval that is shorter than the first. */
const inOrder = ({ backoffBaseMs, backoffMaxMs }: RetryFilterConfig): boolean =>
  backoffBaseMs === undefined || backoffMaxMs === undefined || backoffBaseMs <= backoffMaxMs;

export const retryConfig: fc.Arbitrary<RetryFilterConfig> = anyRetryConfig.filter(inOrder);

/** Also configs that no schema would pass: carrying them is the wire's job, judging them is the filter's. */
const entry: fc.Arbitrary<FilterEntry> = fc
  .oneof(
    fc.tuple(fc.constant(FAULT_FILTER), faultConfig),
    fc.tuple(fc.constant(HEADERS_FILTER), headersConfig),
    fc.tuple(fc.constant(RETRY_FILTER), retryConfig),
    fc.tuple(fc.constant(RATE_LIMIT_FILTER), rateLimitConfig),
    fc.tuple(fc.constant(ADAPTIVE_CONCURRENCY_FILTER), adaptiveConcurrencyConfig),
    fc.tuple(fc.constant(ADMISSION_CONTROL_FILTER), admissionControlConfig),
    fc.tuple(fc.constant(CORS_FILTER), corsConfig),
    fc.tuple(fc.constant(GRPC_WEB_FILTER), fc.constant({})),
    fc.tuple(fc.constant(BUFFER_FILTER), bufferConfig),
    fc.tuple(fc.constant(SET_FILTER_STATE_FILTER), setFilterStateConfig),
    fc.tuple(fc.constant(HEALTH_CHECK_FILTER), healthCheckConfig),
    fc.tuple(fc.constant(GLOBAL_RATE_LIMIT_FILTER), globalRateLimitConfig),
    fc.tuple(fc.constant(JWT_FILTER), jwtConfig),
    fc.tuple(fc.constant(EXT_AUTHZ_FILTER), extAuthzConfig),
    fc.tuple(fc.constant(EXT_PROC_FILTER), extProcConfig),
    fc.tuple(fc.constant(WASM_FILTER), wasmConfig),
    fc.tuple(fc.constant(AUTHZ_FILTER), authzConfig),
    fc.tuple(fc.constant(COMPRESSION_FILTER), compressionConfig),
    fc.tuple(
      fc.constantFrom(
        ADAPTIVE_CONCURRENCY_FILTER,
        ADMISSION_CONTROL_FILTER,
        AUTHZ_FILTER,
        RATE_LIMIT_FILTER,
        FAULT_FILTER,
        HEADERS_FILTER,
        CORS_FILTER,
        GRPC_WEB_FILTER,
        COMPRESSION_FILTER,
        EXT_AUTHZ_FILTER,
        EXT_PROC_FILTER,
        WASM_FILTER,
        JWT_FILTER,
      ),
      jsonObject,
    ),
    fc.tuple(label, json),
  )
  .chain(([filter, config]) =>
    object<FilterEntry>(
      {
        name: fc.oneof(fc.constant(filter), label),
        filter: fc.constant(filter),
        config: fc.constant(config),
      },
      { mandatory: fc.boolean(), failOpen: fc.boolean(), disabled: fc.boolean() },
    ),
  );

export const httpFilters: fc.Arbitrary<FilterEntry[]> = fc.uniqueArray(entry, {
  maxLength: 4,
  selector: ({ name }) => name,
});

export const connectionFilters: fc.Arbitrary<FilterEntry[]> = fc.uniqueArray(
  fc
    .oneof(
      fc.tuple(
        label.map((id) => `tulle.conn.${id}`),
        json,
      ),
      fc.tuple(fc.constant(IP_ALLOW_FILTER), fc.oneof(ipAllowConfig, json)),
      fc.tuple(fc.constant(CONN_RATE_LIMIT_FILTER), fc.oneof(connRateLimitConfig, json)),
      fc.tuple(fc.constant(CONN_EXT_AUTHZ_FILTER), fc.oneof(connExtAuthzConfig, json)),
      fc.tuple(fc.constant(CONN_SET_FILTER_STATE_FILTER), fc.oneof(connSetFilterStateConfig, json)),
      fc.tuple(fc.constant(CONN_LIMIT_FILTER), fc.oneof(connLimitConfig, json)),
    )
    .chain(([filter, config]) =>
      object<FilterEntry>(
        { name: label, filter: fc.constant(filter), config: fc.constant(config) },
        { mandatory: fc.boolean(), failOpen: fc.boolean() },
      ),
    ),
  { maxLength: 2, selector: ({ name }) => name },
);

export const filterConfigs: fc.Arbitrary<FilterConfigs> = overrides({
  [FAULT_FILTER]: fc.oneof(
    faultConfig,
    faultConfig.map((one) => ({ ...one, replaces: true })),
    fc.constant(null),
    json,
  ),
  [HEADERS_FILTER]: fc.oneof(headersConfig, fc.constant(null), json),
  [RETRY_FILTER]: fc.oneof(retryConfig, fc.constant(null), json),
  [RATE_LIMIT_FILTER]: fc.oneof(rateLimitConfig, fc.constant(null), json),
  [ADAPTIVE_CONCURRENCY_FILTER]: fc.oneof(adaptiveConcurrencyConfig, fc.constant(null), json),
  [ADMISSION_CONTROL_FILTER]: fc.oneof(admissionControlConfig, fc.constant(null), json),
  [AUTHZ_FILTER]: fc.oneof(authzConfig, fc.constant(null), json),
  [EXT_AUTHZ_FILTER]: fc.oneof(extAuthzRouteConfig, fc.constant(null), json),
  [EXT_PROC_FILTER]: fc.oneof(extProcRouteConfig, fc.constant(null), json),
  [CORS_FILTER]: fc.oneof(
    corsConfig,
    corsConfig.map((one) => ({ ...one, inherits: true })),
    fc.constant(null),
    json,
  ),
  [BUFFER_FILTER]: fc.oneof(bufferConfig, fc.constant(null), json),
});
