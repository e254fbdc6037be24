/**
 * What ships with Tulle, piece by piece: nothing is loaded that is not asked for.
 * @packageDocumentation
 */
import type { AnyConnFilter, AnyHttpFilter } from '@tulle/filter';
import type { AccessLoggers, TelemetryPlugin, Tracers } from '@tulle/telemetry';
import type {
  AccessLoggersOptions,
  AccessLoggersPlugin,
  AccessLogOptions,
} from '@tulle/telemetry-access-log';
import type { OtlpOptions, TracersOptions, TracersPlugin } from '@tulle/telemetry-otlp';
import type { PrometheusOptions } from '@tulle/telemetry-prometheus';
import type { TokenLender } from '@tulle/filter-ratelimit';

/** A filter of either kind. */
type AnyFilter = AnyHttpFilter | AnyConnFilter;

const FILTERS = {
  'tulle.http.adaptive-concurrency': async (): Promise<AnyFilter> =>
    (await import('@tulle/filter-adaptive-concurrency')).adaptiveConcurrency,
  'tulle.http.admission-control': async (): Promise<AnyFilter> =>
    (await import('@tulle/filter-admission-control')).admissionControl,
  'tulle.http.authz': async (): Promise<AnyFilter> => (await import('@tulle/filter-authz')).authz,
  'tulle.conn.authz': async (): Promise<AnyFilter> => (await import('@tulle/filter-authz')).connAuthz,
  'tulle.conn.ext-authz': async (): Promise<AnyFilter> =>
    (await import('@tulle/filter-ext-authz')).connExtAuthz,
  'tulle.conn.limit': async (): Promise<AnyFilter> => (await import('@tulle/filter-ratelimit')).connLimit,
  'tulle.conn.ratelimit': async (): Promise<AnyFilter> =>
    (await import('@tulle/filter-ratelimit')).connRateLimit,
  'tulle.conn.set-filter-state': async (): Promise<AnyFilter> =>
    (await import('@tulle/filter-set-filter-state')).connSetFilterState,
  'tulle.http.buffer': async (): Promise<AnyFilter> => (await import('@tulle/filter-buffer')).buffer,
  'tulle.http.compression': async (): Promise<AnyFilter> =>
    (await import('@tulle/filter-compression')).compression,
  'tulle.http.cors': async (): Promise<AnyFilter> => (await import('@tulle/filter-cors')).cors,
  'tulle.http.ext-authz': async (): Promise<AnyFilter> => (await import('@tulle/filter-ext-authz')).extAuthz,
  'tulle.http.ext-proc': async (): Promise<AnyFilter> => (await import('@tulle/filter-ext-proc')).extProc,
  'tulle.http.fault': async (): Promise<AnyFilter> => (await import('@tulle/filter-fault')).fault,
  'tulle.http.global-ratelimit': async (): Promise<AnyFilter> =>
    (await import('@tulle/filter-ratelimit')).globalRateLimit,
  'tulle.http.grpc-web': async (): Promise<AnyFilter> => (await import('@tulle/filter-grpc-web')).grpcWeb,
  'tulle.http.health-check': async (): Promise<AnyFilter> =>
    (await import('@tulle/filter-health-check')).healthCheck,
  'tulle.http.headers': async (): Promise<AnyFilter> => (await import('@tulle/filter-headers')).headers,
  'tulle.conn.ip-allow': async (): Promise<AnyFilter> => (await import('@tulle/filter-ip-allow')).ipAllow,
  'tulle.http.jwt': async (): Promise<AnyFilter> => (await import('@tulle/filter-jwt')).jwt,
  'tulle.http.ratelimit': async (tokens?: TokenLender): Promise<AnyFilter> => {
    const { rateLimit, sharedRateLimit } = await import('@tulle/filter-ratelimit');
    return tokens === undefined ? rateLimit : sharedRateLimit(tokens);
  },
  'tulle.http.retry': async (): Promise<AnyFilter> => (await import('@tulle/filter-retry')).retry,
  'tulle.http.set-filter-state': async (): Promise<AnyFilter> =>
    (await import('@tulle/filter-set-filter-state')).setFilterState,
  'tulle.http.wasm': async (): Promise<AnyFilter> => (await import('@tulle/filter-wasm')).wasm,
} as const;

/** Id of a filter that ships. */
export type StandardFilterId = keyof typeof FILTERS;

/** Every filter that ships, known without being loaded. */
export const STANDARD_FILTER_IDS: readonly StandardFilterId[] = Object.freeze(
  Object.keys(FILTERS) as StandardFilterId[],
);

/**
 * Loads filters, as a registry for the proxy.
 * @param tokens where limits of `scope: proxy` get their tokens; absent: each process counts for itself
 */
export async function loadStandardFilters(
  ids: readonly StandardFilterId[] = STANDARD_FILTER_IDS,
  tokens?: TokenLender,
): Promise<readonly AnyFilter[]> {
  return Promise.all(ids.map(async (id) => FILTERS[id](tokens)));
}

/** Which exporters are wanted. */
export interface LoadTelemetryOptions {
  /** Absent: no metrics are kept. */
  readonly prometheus?: PrometheusOptions;
  /** Absent: no access log. */
  readonly accessLog?: AccessLogOptions;
  /** Absent: no OpenTelemetry. */
  readonly otlp?: OtlpOptions;
}

/** Whom services that keep access logs hear of. */
function nodeOf(self: PrometheusOptions['self']): Pick<AccessLoggersOptions, 'node'> {
  const { workload, namespace = 'default', cluster } = self ?? {};
  if (workload === undefined) return {};
  return { node: { id: `${workload}.${namespace}`, ...(cluster === undefined ? {} : { cluster }) } };
}

/** What opens the access logs of a configuration; it is loaded with the first one. */
function accessLoggersWhenAsked(options: AccessLoggersOptions): TelemetryPlugin {
  let loading: Promise<AccessLoggersPlugin> | undefined;
  const load = (): Promise<AccessLoggersPlugin> =>
    (loading ??= import('@tulle/telemetry-access-log').then(({ accessLoggers }) => accessLoggers(options)));
  const accessLoggers: AccessLoggers = {
    kinds: ['file', 'stdout', 'stderr', 'grpc', 'otlp'],
    open: async (...log) => (await load()).accessLoggers.open(...log),
    openFile: async (path) => (await load()).accessLoggers.openFile(path),
    flush: async () => (await loading)?.accessLoggers.flush(),
    close: async () => (await loading)?.accessLoggers.close(),
  };
  return { name: 'access-loggers', accessLoggers, reopen: async () => (await loading)?.reopen() };
}

/** What sends the spans of handlers that say where to; it is loaded with the first of them. */
function tracersWhenAsked(options: TracersOptions): TelemetryPlugin {
  let loading: Promise<TracersPlugin> | undefined;
  const load = (): Promise<TracersPlugin> =>
    (loading ??= import('@tulle/telemetry-otlp').then(({ tracers }) => tracers(options)));
  const lazy: Tracers = {
    kinds: ['otlp', 'zipkin'],
    open: async (...tracing) => (await load()).tracers.open(...tracing),
    flush: async () => (await loading)?.tracers.flush(),
  };
  return { name: 'tracers', tracers: lazy };
}

/**
 * Loads exporters; they count in the registry of the metrics, where there are any. Access logs and
 * tracing that a configuration asks for can always be had.
 */
export async function loadStandardTelemetry({
  prometheus,
  accessLog,
  otlp,
}: LoadTelemetryOptions): Promise<readonly TelemetryPlugin[]> {
  const self = prometheus?.self;
  const metrics =
    prometheus === undefined
      ? undefined
      : (await import('@tulle/telemetry-prometheus')).prometheus(prometheus);
  const meter = metrics === undefined ? {} : { meter: metrics.meter };
  return [
    ...(metrics === undefined ? [] : [metrics]),
    ...(accessLog === undefined
      ? []
      : [(await import('@tulle/telemetry-access-log')).accessLog({ ...meter, ...accessLog })]),
    ...(otlp === undefined
      ? []
      : [
          (await import('@tulle/telemetry-otlp')).otlp({
            registry: metrics?.meter ?? false,
            ...(self === undefined ? {} : { self }),
            ...otlp,
          }),
        ]),
    accessLoggersWhenAsked({ ...meter, ...nodeOf(self) }),
    tracersWhenAsked({ ...meter, ...(self === undefined ? {} : { self }) }),
  ];
}
