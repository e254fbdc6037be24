import type { Route, RouteConfig, VirtualHost } from '@tulle/model';
import type { RegexEngine } from './regex.ts';
import type { MatchView } from './view.ts';

/** Finds the route of a request. */
export interface RouteMatcher<Payload> {
  /** Every payload, in configuration order. */
  readonly payloads: readonly Payload[];
  /** The payload of the route that matches, `undefined` when none does. Allocates nothing that outlives the call. */
  match(request: MatchView): Payload | undefined;
}

/** Whether `compileRoutes` needs a regex engine for this configuration. */
export declare function usesRegex(config: RouteConfig): boolean;

/**
 * Compiles a route configuration. `payload` is called once a route, in order; what it returns is what `match` finds.
 * @param regex from `loadRegexEngine`; needed when `usesRegex(config)`
 * @throws TulleError `TULLE_CONFIG_INVALID` with every issue, paths from the configuration's root
 */
export declare function compileRoutes<Payload>(
  config: RouteConfig, payload: (route: Route, virtualHost: VirtualHost) => Payload, regex?: RegexEngine,
): RouteMatcher<Payload>;
