import type { StandardFilterId } from '@tulle/standard/load';

/**
 * What a sidecar may do beside what it always does: mutual TLS by identity, routing, balancing, and what a policy asks for
 * of authorization and retries, whatever is off. Where no policy does, its chains hold neither.
 *
 * - `retries`: failed requests that may be are sent again also where no route and no policy says so
 * - `auth`: end users' tokens (jwt), an authorization service (ext-authz), peers by network (ip-allow)
 * - `limits`: rate limits, limits of connections, adaptive concurrency, admission control, whole bodies within a bound (buffer)
 * - `traffic`: faults, CORS, gRPC-Web, header edits, compression, answers to health checks
 * - `metrics`: metrics of requests, for Prometheus and `tulle stat`
 * - `access-log`, `tracing`: where a destination is given
 */
export type Capability = 'retries' | 'auth' | 'limits' | 'traffic' | 'metrics' | 'access-log' | 'tracing';
/** Every {@link Capability}. */
export const CAPABILITIES: readonly Capability[] = Object.freeze([
  'retries',
  'auth',
  'limits',
  'traffic',
  'metrics',
  'access-log',
  'tracing',
]);

/** Name of a {@link PROFILES | profile}. */
export type ProfileName = 'identity' | 'observe' | 'full';

/** Capabilities by name of the profile (decision D23). */
export const PROFILES: Readonly<Record<ProfileName, readonly Capability[]>> = Object.freeze({
  identity: [],
  observe: ['metrics', 'access-log', 'tracing'],
  full: CAPABILITIES,
});

const FILTERS_OF: Readonly<Record<Capability, readonly StandardFilterId[]>> = {
  retries: [], // on routes that ask for it the filter is always to be had
  auth: ['tulle.http.jwt', 'tulle.http.ext-authz', 'tulle.conn.ip-allow'],
  limits: [
    'tulle.http.ratelimit',
    'tulle.http.global-ratelimit',
    'tulle.conn.ratelimit',
    'tulle.conn.limit',
    'tulle.http.adaptive-concurrency',
    'tulle.http.admission-control',
    'tulle.http.buffer',
  ],
  traffic: [
    'tulle.http.fault',
    'tulle.http.cors',
    'tulle.http.grpc-web',
    'tulle.http.headers',
    'tulle.http.compression',
    'tulle.http.health-check',
  ],
  metrics: [],
  'access-log': [],
  tracing: [],
};

/** Filters that every sidecar has, for chains that need them: policies win over profiles. */
const ALWAYS: readonly StandardFilterId[] = ['tulle.http.authz', 'tulle.conn.authz', 'tulle.http.retry'];

/** The filters of a sidecar with these capabilities. */
export const filtersOf = (capabilities: readonly Capability[]): readonly StandardFilterId[] => [
  ...ALWAYS,
  ...capabilities.flatMap((capability) => FILTERS_OF[capability]),
];

/** As a person says it: the profile that is nearest, and what is more or less: `full`, `identity+metrics`, `full-tracing`. */
export function describeCapabilities(capabilities: readonly string[]): string {
  const texts = Object.entries(PROFILES).map(([name, has]) => [
    name,
    ...capabilities.filter((one) => !has.includes(one as Capability)).map((one) => `+${one}`),
    ...has.filter((one) => !capabilities.includes(one)).map((one) => `-${one}`),
  ]);
  return (texts.toSorted((a, b) => a.length - b.length)[0] ?? []).join('');
}
