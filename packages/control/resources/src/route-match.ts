import { normalizeConfiguredPath } from '@tulle/match';
import type { PathMatch, RouteMatch, StringMatch } from '@tulle/model';
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
