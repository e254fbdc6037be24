import type { AuthzValueTest, Route, RouteConfig, RouteMatch, VirtualHost } from '@tulle/model';
import { CompileContext } from './compile-context.ts';
import { DomainTable } from './domain-table.ts';
import { compileFilterStateMatch } from './filter-state-match.ts';
import { compileMetadataMatch } from './metadata-match.ts';
import { compilePathMatch } from './path-match.ts';
import { choosesByRegex, compileChoice, type HostRoutes } from './route-choice.ts';
import type { RegexEngine } from './regex.ts';
import { RouteIndex, type RouteCandidate, type RouteTrial } from './route-index.ts';
import { compileCookieMatch, compileQueryMatch, compileRequestMatch } from './value-match.ts';
import type { MatchView } from './view.ts';

/** Finds the route of a request. */
export interface RouteMatcher<Payload> {
  /** Every payload, in configuration order. */
  readonly payloads: readonly Payload[];
  /** The payload of the route that matches, `undefined` when none does. Allocates nothing that outlives the call. */
  match(request: MatchView): Payload | undefined;
  /** Whether a virtual host has the authority. */
  hasHost(authority: string): boolean;
  /**
   * What becomes of each route of the request's virtual host; `undefined`: no virtual host has its authority.
   * @param found what {@link match} found, for who does not know all of the request any more
   */
  explain(request: MatchView, found?: Payload): readonly RouteTrial<Payload>[] | undefined;
}

/** Whether `compileRoutes` needs a regex engine for this configuration. */
export function usesRegex(config: RouteConfig): boolean {
  return config.virtualHosts.some(
    (host) =>
      choosesByRegex(host.choice) ||
      host.routes.some(
        ({ match }) =>
          match.path.kind === 'regex' ||
          (match.metadata ?? []).some(({ value }) => asksByRegex(value)) ||
          (match.filterState ?? []).some((test) => 'match' in test && test.match.kind === 'regex') ||
          [...(match.headers ?? []), ...(match.query ?? []), ...(match.cookies ?? [])].some(
            (value) => value.match.kind === 'regex',
          ),
      ),
  );
}

function asksByRegex(test: AuthzValueTest): boolean {
  if ('text' in test) return test.text.kind === 'regex';
  if ('element' in test) return asksByRegex(test.element);
  return 'anyOf' in test && test.anyOf.some(asksByRegex);
}

/**
 * Compiles a route configuration. `payload` is called once a route, in order; what it returns is what `match` finds.
 * @param regex from `loadRegexEngine`; needed when `usesRegex(config)`
 * @throws TulleError `TULLE_CONFIG_INVALID` with every issue, paths from the configuration's root
 */
export function compileRoutes<Payload>(
  config: RouteConfig,
  payload: (route: Route, virtualHost: VirtualHost) => Payload,
  regex?: RegexEngine,
): RouteMatcher<Payload> {
  const context = new CompileContext(regex);
  const hosts = new DomainTable<HostRoutes<Payload>>(config.comparesPorts);
  const payloads: Payload[] = [];
  const hostOfPayload = new Map<Payload, HostRoutes<Payload>>();
  const names = new Set<string>();
  for (const [hostNumber, virtualHost] of config.virtualHosts.entries()) {
    const path = `/virtualHosts/${hostNumber}`;
    const candidates = virtualHost.routes.map((route, index): RouteCandidate<Payload> => {
      if (names.has(route.name))
        context.issue(
          `${path}/routes/${index}/name`,
          `${JSON.stringify(route.name)} names another route too; a name may stand once in a route configuration`,
        );
      names.add(route.name);
      const made = payload(route, virtualHost);
      payloads.push(made);
      return {
        index,
        payload: made,
        bare: config.ignoresPathParameters === true,
        ...compileRouteMatch(route.match, context, `${path}/routes/${index}/match`),
      };
    });
    const { choice } = virtualHost;
    const table =
      choice === undefined
        ? new RouteIndex(candidates)
        : compileChoice(choice, candidates, context, `${path}/choice`);
    if (config.hostHeader !== undefined)
      for (const { payload: one } of candidates) hostOfPayload.set(one, table);
    for (const [index, domain] of virtualHost.domains.entries())
      hosts.add(domain, table, context, `${path}/domains/${index}`);
  }
  context.finish(`route configuration ${JSON.stringify(config.name)}`);
  const { hostHeader } = config;
  if (hostHeader !== undefined && config.virtualHosts.some(({ domains }) => domains.some(isNotAny))) {
    const field = hostHeader.toLowerCase();
    const of = ({ headers }: MatchView): HostRoutes<Payload> | undefined => {
      const host = headers.get(field);
      return host === undefined ? undefined : hosts.get(host.toLowerCase());
    };
    return {
      payloads,
      match: (request) => of(request)?.first(request)?.payload,
      hasHost: (authority) => hosts.get(authority) !== undefined,
      // Who does not know the field any more knows what it led to.
      explain: (request, found) =>
        ((found === undefined ? undefined : hostOfPayload.get(found)) ?? of(request))?.trials(request),
    };
  }
  return {
    payloads,
    match: (request) => hosts.get(request.authority)?.first(request)?.payload,
    hasHost: (authority) => hosts.get(authority) !== undefined,
    explain: (request) => hosts.get(request.authority)?.trials(request),
  };
}

function isNotAny(domain: string): boolean {
  return domain !== '*';
}

function compileRouteMatch(
  match: RouteMatch,
  context: CompileContext,
  path: string,
): Omit<RouteCandidate<never>, 'index' | 'payload' | 'bare'> {
  return {
    path: compilePathMatch(match.path, context, `${path}/path`),
    method: match.method,
    grpc: match.grpc === true,
    percent: match.percent ?? 100,
    provenPeer: match.provenPeer,
    metadata: (match.metadata ?? []).map((test, index) =>
      compileMetadataMatch(test, context, `${path}/metadata/${index}`),
    ),
    filterState: (match.filterState ?? []).map((test, index) =>
      compileFilterStateMatch(test, context, `${path}/filterState/${index}`),
    ),
    headers: (match.headers ?? []).map((condition, index) =>
      compileRequestMatch(condition, context, `${path}/headers/${index}`),
    ),
    query: (match.query ?? []).map((condition, index) =>
      compileQueryMatch(condition, context, `${path}/query/${index}`),
    ),
    cookies: (match.cookies ?? []).map((condition, index) =>
      compileCookieMatch(condition, context, `${path}/cookies/${index}`),
    ),
  };
}
