import { normalizeConfiguredPath } from '@tulle/match';
import type { PathMatch, RouteMatch, StringMatch } from '@tulle/model';
import type { GRPCMethodMatch, GRPCRouteMatch } from './kinds/grpc-route.ts';
import type { HTTPRouteMatch, HTTPValueMatch } from './kinds/http-route.ts';
import type { Metadata } from './kinds/metadata.ts';

const PATH_KINDS = { Exact: 'exact', PathPrefix: 'prefix', RegularExpression: 'regex' } as const;

/** A match of an HTTPRoute in the words of the model. Absent parts match everything; the path defaults to the prefix `/`. */
export function routeMatchOf(match: HTTPRouteMatch): RouteMatch {
  const headers = (match.headers ?? []).map((h) => ({ name: h.name.toLowerCase(), match: valueOf(h) }));
  const query = (match.queryParams ?? []).map((q) => ({ name: q.name, match: valueOf(q) }));
  return {
    path: pathOf(match.path),
    ...(match.method === undefined ? {} : { method: match.method }),
    ...(headers.length === 0 ? {} : { headers }),
    ...(query.length === 0 ? {} : { query }),
  };
}

/**
 * A match of a GRPCRoute in the words of the model. A request's path is `/service/method` (gRPC over HTTP/2, "Path"), in
 * which neither holds a slash.
 */
export function grpcMatchOf(match: GRPCRouteMatch): RouteMatch {
  const headers = (match.headers ?? []).map((h) => ({ name: h.name.toLowerCase(), match: valueOf(h) }));
  return {
    path: match.method === undefined ? { kind: 'prefix', value: '/' } : grpcPathOf(match.method),
    ...(headers.length === 0 ? {} : { headers }),
    grpc: true,
  };
}

/** Any service, or any method. */
const ANY_NAME = '[^/]+';

function grpcPathOf({ type, service, method }: GRPCMethodMatch): PathMatch {
  if (type === 'RegularExpression')
    return { kind: 'regex', value: `/${patternOf(service)}/${patternOf(method)}` };
  if (service !== undefined && method !== undefined) return { kind: 'exact', value: `/${service}/${method}` };
  if (service !== undefined) return { kind: 'bytes-prefix', value: `/${service}/` };
  return { kind: 'regex', value: `/${ANY_NAME}/${(method ?? '').replaceAll(/[^A-Za-z0-9_]/g, '\\$&')}` };
}

/** A group of its own, so that `a|b` stays within its half of the path. */
function patternOf(pattern: string | undefined): string {
  return pattern === undefined ? ANY_NAME : `(?:${pattern})`;
}

function pathOf(path: HTTPRouteMatch['path']): PathMatch {
  const kind = PATH_KINDS[path?.type ?? 'PathPrefix'];
  const value = path?.value ?? '/';
  return { kind, value: kind === 'regex' ? value : normalizeConfiguredPath(value) || value };
}

function valueOf(condition: HTTPValueMatch): StringMatch {
  return { kind: condition.type === 'RegularExpression' ? 'regex' : 'exact', value: condition.value };
}

/** When a resource was created, for ties; `undefined` for files. */
export function createdMs(metadata: Metadata): number | undefined {
  const ms = metadata.creationTimestamp === undefined ? NaN : Date.parse(metadata.creationTimestamp);
  return Number.isNaN(ms) ? undefined : ms;
}
