import { createHash } from 'node:crypto';
import {
  EXT_AUTHZ_FILTER,
  type ExtAuthzFilterConfig,
  type FilterConfigs,
  type FilterEntry,
  type Route,
} from '@tulle/model';
import {
  FILTER_PHASES,
  isExternal,
  parseDurationMs,
  type HTTPExternalAuthFilter,
  type RequestRoute,
  type RouteRule,
} from '@tulle/resources';
import type { World } from '../world.ts';
import type { ChainFilters } from './filters.ts';
import type { Backend } from './clusters.ts';
import { backendOf, externalAuthsIn, type Reach } from './backends.ts';

/** First part of the slots of the filters that ExternalAuth filters of HTTPRoutes ask for. */
const SLOT = 'gateway-api.ext-authz/';

/**
 * Gateway API has no time limit for a check, and Envoy's 200 ms are short for a service that looks things up. Whoever waits
 * longer than this has most likely gone. A shorter `timeouts.request` of the rule ends a check, too; the
 * time of the request itself begins anew when it goes on.
 */
const CHECK_TIMEOUT_MS = 10_000;

/** What a gateway adds about callers. */
export const CALLER_FIELDS: readonly string[] = [
  'x-forwarded-client-cert',
  'x-forwarded-for',
  'x-forwarded-proto',
];

/** The answer to every request of a rule. */
export type Refusal = Extract<Route['action'], { readonly kind: 'direct' }>;

/** What becomes of a rule that asks services: its filters, or the answer to every request since nobody can be asked. */
export type ExternalAuth = { readonly entries: readonly FilterEntry[] } | { readonly refusal: Refusal };

/**
 * A service that is not there, or may not be used, allows nothing (GEP-1494: "this filter MUST fail closed"): such a rule
 * answers 500, as one whose filter cannot be resolved does (Gateway API HTTPRouteRule.filters).
 * @param rule all that its requests pass: what the whole rule asks, and what one backend of it asks beside
 * @param known the filters that the proxy has
 */
export function compileExternalAuth(
  world: World,
  route: RequestRoute,
  rule: RouteRule,
  reach: Reach,
  known: ReadonlySet<string>,
): ExternalAuth | undefined {
  const filters = externalAuthsIn(rule.filters);
  if (filters.length === 0) return undefined;
  const refusal = (code: string): ExternalAuth => ({ refusal: { kind: 'direct', status: 500, code } });
  if (!known.has(EXT_AUTHZ_FILTER)) return refusal('TULLE_FILTER_UNKNOWN');
  const entries: FilterEntry[] = [];
  for (const filter of filters) {
    const backend = backendOf(world, route, filter.backendRef);
    if (backend === undefined) return refusal('TULLE_BACKEND_INVALID');
    const config = configOf(filter, backend, reach(backend), checkTimeoutMs(rule));
    // Rules that ask the same share one filter, and its bound of checks under way.
    const name = `${SLOT}${createHash('sha256').update(JSON.stringify(config)).digest('hex').slice(0, 16)}`;
    entries.push({ name, filter: EXT_AUTHZ_FILTER, config, disabled: true });
  }
  return { entries };
}

/** 0 s is no limit (Gateway API HTTPRouteTimeouts). */
function checkTimeoutMs({ timeouts }: RouteRule): number {
  const requestMs = parseDurationMs(timeouts?.request ?? '0s') ?? 0;
  return requestMs === 0 ? CHECK_TIMEOUT_MS : Math.min(requestMs, CHECK_TIMEOUT_MS);
}

function configOf(
  { protocol, grpc, http = {}, forwardBody }: HTTPExternalAuthFilter,
  { service }: Backend,
  cluster: string,
  timeoutMs: number,
): ExtAuthzFilterConfig {
  const listed = grpc?.allowedHeaders ?? [];
  const maxBytes = forwardBody?.maxSize ?? 0;
  return {
    service:
      protocol === 'GRPC'
        ? { grpcCluster: { cluster, ...(listed.length > 0 && { requestHeaders: lower(listed) }) } }
        : { http: httpOf(http, service.metadata, cluster) },
    timeoutMs,
    ...(maxBytes > 0 && { body: { maxBytes } }),
    // Who called within the mesh, and from where, is nobody's business outside of it.
    ...(isExternal(service) && { withheldHeaders: CALLER_FIELDS }),
  };
}

function httpOf(
  {
    path = '',
    allowedHeaders = [],
    allowedResponseHeaders = [],
  }: NonNullable<HTTPExternalAuthFilter['http']>,
  { name, namespace }: { readonly name: string; readonly namespace: string },
  cluster: string,
): Extract<ExtAuthzFilterConfig['service'], { readonly http: object }>['http'] {
  return {
    url: `http://${name}.${namespace}${path.replace(/\/$/, '')}`,
    cluster,
    onlyListed: true,
    onlyOk: true,
    requestHeaders: [...new Set(['authorization', ...lower(allowedHeaders)])],
    upstreamHeaders: allowedResponseHeaders.length === 0 ? ['*'] : lower(allowedResponseHeaders),
  };
}

function lower(names: readonly string[]): readonly string[] {
  return names.map((name) => name.toLowerCase());
}

/** The override by which a route asks. */
export function askedBy(auth: ExternalAuth | undefined): FilterConfigs {
  return auth !== undefined && 'entries' in auth
    ? Object.fromEntries(auth.entries.map(({ name }) => [name, true] as const))
    : {};
}

/** The filters of all entries of a chain, each once, in a stable order. */
export function authEntries(entries: Iterable<{ readonly auth?: ExternalAuth }>): readonly FilterEntry[] {
  const found = new Map<string, FilterEntry>();
  for (const { auth } of entries)
    if (auth !== undefined && 'entries' in auth)
      for (const entry of auth.entries) found.set(entry.name, entry);
  return [...found.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Filters of a chain by policies, and those of its routes behind the last of the policies that decide who may come in. */
export function withAuth(http: ChainFilters['http'], auth: readonly FilterEntry[]): FilterEntry[] {
  const authz = FILTER_PHASES.indexOf('authz');
  const later = http.findIndex(({ phase }) => FILTER_PHASES.indexOf(phase) > authz);
  const at = later < 0 ? http.length : later;
  const entries = http.map(({ entry }) => entry);
  return [...entries.slice(0, at), ...auth, ...entries.slice(at)];
}
