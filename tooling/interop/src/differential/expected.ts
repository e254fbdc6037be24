import { normalizePath } from '@tulle/match';
import type { Difference } from './compare.ts';
import type { Answer, Exchange, Json, Named } from './configuration.ts';
import type { Observation } from './observe.ts';

/** What Tulle has to make of a configuration where that is not what Envoy makes of it. */

const record = (value: unknown): Json => (value ?? {}) as Json;
const list = (value: unknown): readonly Json[] => (value ?? []) as readonly Json[];

/** What a request asks for by a field. */
export function asked(exchange: Exchange | undefined, name: string): string {
  return exchange?.headers?.find(([one]) => one === name)?.[1] ?? '';
}

/** Field of the answer that a client got. */
export function told(observation: Observation | undefined, name: string): string | undefined {
  return observation?.reply.headers?.find(([one]) => one === name)?.[1];
}

/** What the first route, which has `/own`, says of a filter; other paths have nothing of their own. */
export function ownPolicy(
  { routes }: Named,
  exchange: Exchange | undefined,
  filter: string,
): Json | undefined {
  if (exchange?.path !== '/own') return undefined;
  const route = list(list(routes?.['virtual_hosts'])[0]?.['routes'])[0];
  return record(route?.['typed_per_filter_config'])[filter] as Json | undefined;
}

/** What the virtual host of all says of a filter. */
export function hostPolicy({ routes }: Named, filter: string): Json | undefined {
  const host = list(routes?.['virtual_hosts'])[0];
  return record(host?.['typed_per_filter_config'])[filter] as Json | undefined;
}

/** Whether a difference comes to no more than that a request reached an origin at one side alone. */
export function reachedOnlyAt(side: 'envoy' | 'tulle', difference: Difference): boolean {
  const { aspect } = difference;
  const there = side === 'tulle' ? difference.envoy : difference.tulle;
  if (aspect === 'seen') return there === '0';
  if (aspect.startsWith('seen[')) return there === '(none)';
  if (aspect.startsWith('reply.header.'))
    return there === '(none)' || /\.content-(length|type)$/.test(aspect);
  return aspect === 'reply.status' || aspect === 'reply.body';
}

/** Where the first route, of `/own`, leads, or the second one. */
function clusterOf(configuration: Named, exchange: Exchange): unknown {
  return record(routeAt(configuration, exchange.path === '/own' ? '0/0' : '0/1')['route'])['cluster'];
}

/** Statuses that stand for one of gRPC, of those that are asked for. */
const OF_GRPC: Readonly<Record<number, number>> = { 5: 404, 14: 503 };

/** A share of all, from 0 to 1, of a message FractionalPercent. */
function shareOf({ numerator, denominator = 'HUNDRED' }: Json): number {
  return Number(numerator) / (denominator === 'MILLION' ? 1e6 : denominator === 'TEN_THOUSAND' ? 1e4 : 1e2);
}

/** How Tulle ends a request over HTTP/1.1 on purpose; `undefined`: it goes on. */
export function abortOf(
  configuration: Named,
  exchange: Exchange,
): { readonly status: number; readonly byGrpc: boolean } | undefined {
  const filter = 'envoy.filters.http.fault';
  const base = record(configuration.httpFilters?.[0]?.['typed_config']);
  const {
    abort,
    headers,
    upstream_cluster: cluster,
    downstream_nodes: nodes,
    max_active_faults: most,
  } = ownPolicy(configuration, exchange, filter) ?? base;
  const { http_status: status, grpc_status: grpc, header_abort: byHeader, percentage } = record(abort);
  if (shareOf(record(percentage)) !== 1 || most === 0) return undefined;
  if (cluster !== undefined && cluster !== clusterOf(configuration, exchange)) return undefined;
  if (list(headers).length > 0 && asked(exchange, 'x-one') !== 'v1') return undefined;
  const node = asked(exchange, 'x-envoy-downstream-service-node');
  if (nodes !== undefined && !(nodes as readonly string[]).includes(node)) return undefined;
  if (byHeader !== undefined) {
    if (asked(exchange, 'x-envoy-fault-abort-request-percentage') === '0') return undefined;
    const wanted = asked(exchange, 'x-envoy-fault-abort-request');
    return /^[2-5]\d\d$/.test(wanted) ? { status: Number(wanted), byGrpc: false } : undefined;
  }
  return grpc === undefined
    ? { status: status as number, byGrpc: false }
    : { status: OF_GRPC[grpc as number] as number, byGrpc: true };
}

/** A route by its mark: `HOST/ROUTE`, by their places. */
export function routeAt({ routes }: Named, mark: string): Json {
  const [host, at] = mark.split('/').map(Number) as [number, number];
  return record(list(list(routes?.['virtual_hosts'])[host]?.['routes'])[at]);
}

/** Whether a route, by its mark `HOST/ROUTE`, has a pattern that fits a path in the one spelling of both and not as it is written. */
export function fitsInOneSpelling(configuration: Named, mark: string, path: string): boolean {
  const match = record(routeAt(configuration, mark)['match']);
  const written = match[kindOf(match) ?? ''] as string | undefined;
  // Envoy reads ~ for %7E in requests, and nothing else otherwise than it is written.
  if (written === undefined || (normalizePath(written) === written && !/%[0-9A-F]?[a-f]/.test(path)))
    return false;
  return fits(match, path);
}

/** The route that a request finds in the first virtual host, by its names, paths and prefixes; `undefined`: none. */
export function routeOf({ routes }: Named, { host = 'one.test', path = '/' }: Exchange): Json | undefined {
  const domains = (list(routes?.['virtual_hosts'])[0]?.['domains'] ?? []) as readonly string[];
  if (!domains.includes('*') && !domains.includes(host)) return undefined;
  const route = routeTaken({ routes } as Named, path);
  return Object.keys(route).length === 0 ? undefined : route;
}

/** The first route of the virtual host of all that a path fits, by paths and prefixes. */
export function routeTaken({ routes }: Named, path: string): Json {
  const all = list(list(routes?.['virtual_hosts'])[0]?.['routes']);
  return record(all.find((one) => fits(record(one['match']), path)));
}

function kindOf(match: Json): string | undefined {
  return ['path', 'prefix', 'path_separated_prefix'].find((one) => match[one] !== undefined);
}

/** Whether a pattern fits a path, both in one spelling. */
function fits(match: Json, path: string): boolean {
  const kind = kindOf(match);
  if (kind === undefined) return false;
  const spelt = (text: string): string =>
    match['case_sensitive'] === false ? normalizePath(text).toLowerCase() : normalizePath(text);
  const [pattern, wanted] = [spelt(match[kind] as string), spelt(path.replace(/\?.*$/, ''))];
  if (kind === 'path') return wanted === pattern;
  return kind === 'prefix'
    ? wanted.startsWith(pattern)
    : wanted === pattern || wanted.startsWith(`${pattern}/`);
}

/** What an origin answers to the request of a number that it gets. */
export function answerTo(exchange: Exchange | undefined, origin: string, number: number): Answer {
  const answers = exchange?.answers?.[origin] ?? [];
  return answers[Math.min(number, answers.length - 1)] ?? {};
}

/** Whether an answer is none: the connection ends. */
export function isEnd({ fault }: Answer): boolean {
  return fault === 'reset' || fault === 'end';
}
