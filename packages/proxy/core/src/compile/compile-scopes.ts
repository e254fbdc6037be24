import { findInvalidName } from '@tulle/fields';
import type { Headers } from '@tulle/filter';
import type { RouteMatcher } from '@tulle/match';
import type { RouteConfig, RouteScope, RouteScopes, ScopeKeyPart } from '@tulle/model';
import { compileRouteConfig, type RouteContext } from './compile-routes.ts';
import { internalOnlyHeaders } from './compile-settings.ts';
import type { CompiledRoute, HttpSettings } from './compiled.ts';
import type { Issues } from './issues.ts';

/** A route configuration with the JSON pointer of where it stands. */
export interface FoundRoutes {
  readonly config: RouteConfig;
  readonly path: string;
}

/** A scope with its routes. */
export interface FoundScope extends FoundRoutes {
  readonly name: string;
  /** One text for all parts. */
  readonly key: string;
}

/** Between the parts of a key: no field has it. */
const BETWEEN = '\n';

/** Keys and what makes them, checked. @param routesOf resolves the routes of a scope @param path JSON pointer of the scopes */
export function findScopes(
  { key, scopes }: RouteScopes,
  path: string,
  issues: Issues,
  routesOf: (routes: RouteScope['routes'], path: string) => FoundRoutes | undefined,
): FoundScope[] {
  if (key.length === 0) issues.add(`${path}/key`, 'is empty; say of which fields keys are made');
  for (const [index, { header, separator, element }] of key.entries()) {
    if (findInvalidName(header.toLowerCase()) >= 0)
      issues.add(`${path}/key/${index}/header`, `${JSON.stringify(header)} is no name of a header`);
    if (typeof element === 'number' && element > 0 && separator === undefined)
      issues.add(`${path}/key/${index}/element`, 'is above 0, and there is one element without a separator');
  }
  const names = new Map<string, string>();
  return scopes.flatMap((scope, index): FoundScope[] => {
    const at = `${path}/scopes/${index}`;
    if (scope.key.length !== key.length)
      issues.add(`${at}/key`, `has ${scope.key.length} parts, but keys of requests have ${key.length}`);
    const own = scope.key.join(BETWEEN);
    const other = names.get(own);
    if (other !== undefined)
      issues.add(
        `${at}/key`,
        `is that of the scope ${JSON.stringify(other)} too; a key may stand in one scope only`,
      );
    names.set(own, scope.name);
    const found = routesOf(scope.routes, `${at}/routes`);
    if (found?.config.discoversHosts === true)
      issues.add(
        `${found.path}/discoversHosts`,
        'is true in routes of a scope, whose virtual hosts are never asked for',
      );
    return found === undefined ? [] : [{ name: scope.name, key: own, ...found }];
  });
}

/** Makes a request's key; `undefined`: it has none. */
type KeyOf = (headers: Pick<Headers, 'get'>) => string | undefined;

function compileScopeKey(parts: readonly ScopeKeyPart[]): KeyOf {
  const readers = parts.map(compilePart);
  return (headers) => {
    let key = '';
    for (let i = 0; i < readers.length; i++) {
      const value = (readers[i] as KeyOf)(headers);
      if (value === undefined) return undefined;
      key = i === 0 ? value : key + BETWEEN + value;
    }
    return key;
  };
}

/** Of what callers may send several lines of, the first counts (Envoy `HeaderValueExtractor`). */
function compilePart({ header, separator, element }: ScopeKeyPart): KeyOf {
  const name = header.toLowerCase();
  const elementsOf = (line: string): readonly string[] =>
    separator === undefined ? [line] : line.split(separator);
  if (typeof element === 'number')
    return (headers) => {
      const line = headers.get(name);
      return line === undefined ? undefined : elementsOf(line)[element];
    };
  const { key, separator: between } = element;
  return (headers) => {
    const line = headers.get(name);
    if (line === undefined) return undefined;
    for (const one of elementsOf(line)) {
      const at = one.indexOf(between);
      if ((at < 0 ? one : one.slice(0, at)) === key) return at < 0 ? '' : one.slice(at + between.length);
    }
    return undefined;
  };
}

/** The matcher of a handler with scopes. @param rest for requests in none; what one without scopes has */
export function compileScopes(
  scopes: RouteScopes | undefined,
  found: readonly FoundScope[],
  rest: RouteMatcher<CompiledRoute>,
  context: RouteContext,
): RouteMatcher<CompiledRoute> | undefined {
  if (scopes === undefined) return rest;
  const matchers = new Map<string, RouteMatcher<CompiledRoute>>();
  let first = rest.payloads.length;
  for (const { key, config, path } of found) {
    const matcher = compileRouteConfig(config, path, context, first);
    if (matcher === undefined) return undefined;
    matchers.set(key, matcher);
    first += matcher.payloads.length;
  }
  return scopedMatcher(compileScopeKey(scopes.key), matchers, rest);
}

/** What requests from outside lose by the routes of their scope. */
export function scopedInternalOnly(
  scopes: RouteScopes | undefined,
  found: readonly FoundScope[],
): Partial<Pick<HttpSettings, 'internalOnly'>> {
  const lists = new Map(
    found.flatMap(({ key, config }) => {
      const list = internalOnlyHeaders(config);
      return list === null ? [] : [[key, list] as const];
    }),
  );
  if (scopes === undefined || lists.size === 0) return {};
  const keyOf = compileScopeKey(scopes.key);
  return { internalOnly: (headers) => lists.get(keyOf(headers) ?? '') ?? null };
}

/** Finds a request's routes by its key, then its route there. @param rest for requests in no scope */
function scopedMatcher(
  keyOf: KeyOf,
  scopes: ReadonlyMap<string, RouteMatcher<CompiledRoute>>,
  rest: RouteMatcher<CompiledRoute>,
): RouteMatcher<CompiledRoute> {
  const of = (headers: Headers): RouteMatcher<CompiledRoute> => {
    const key = keyOf(headers);
    return (key === undefined ? undefined : scopes.get(key)) ?? rest;
  };
  const all = [rest, ...scopes.values()];
  return {
    payloads: all.flatMap(({ payloads }) => payloads),
    match: (request) => of(request.headers).match(request),
    hasHost: (authority) => rest.hasHost(authority),
    explain: (request, found) =>
      (
        all.find(({ payloads }) => found !== undefined && payloads.includes(found)) ?? of(request.headers)
      ).explain(request),
  };
}
