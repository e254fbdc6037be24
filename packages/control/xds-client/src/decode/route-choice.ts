import { isMessage } from '@bufbuild/protobuf';
import type { ChoiceCondition, Route, RouteChoice } from '@tulle/model';
import {
  type Route as EnvoyRoute,
  RouteListSchema,
  RouteSchema,
} from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import { HttpRequestHeaderMatchInputSchema } from '@tulle/xds-proto/envoy/type/matcher/v3/http_inputs';
import type { TypedExtensionConfig } from '@tulle/xds-proto/xds/core/v3/extension';
import type {
  Matcher,
  Matcher_MatcherTree as MatcherTree,
  Matcher_OnMatch as OnMatch,
} from '@tulle/xds-proto/xds/type/matcher/v3/matcher';
import type { DecodeContext } from './context.ts';
import { decodePredicate } from './predicate.ts';
import { present } from './values.ts';

/** How the routes of a matcher become routes of their virtual host. */
type DecodeRoute = (route: EnvoyRoute, path: string) => Route;

/** Routes of a virtual host that are chosen by a matcher, in the order in which they stand in it. */
export function decodeMatcher(
  context: DecodeContext,
  matcher: Matcher,
  decodeRoute: DecodeRoute,
  path: string,
): { readonly routes: readonly Route[]; readonly choice: RouteChoice } {
  const reading = new Reading(context, decodeRoute);
  const choice = reading.matcher(matcher, path);
  return { routes: reading.routes, choice };
}

/** A condition on one field. */
type AskedHeader = Extract<ChoiceCondition, { kind: 'header' }>;

class Reading {
  readonly routes: Route[] = [];
  readonly #context: DecodeContext;
  readonly #decodeRoute: DecodeRoute;

  constructor(context: DecodeContext, decodeRoute: DecodeRoute) {
    this.#context = context;
    this.#decodeRoute = decodeRoute;
  }

  matcher({ matcherType, onNoMatch }: Matcher, path: string): RouteChoice {
    const otherwiseOf = (): RouteChoice | undefined =>
      onNoMatch && this.#onMatch(onNoMatch, `${path}.on_no_match`);
    switch (matcherType.case) {
      case 'matcherList':
        return present({
          kind: 'list' as const,
          // Their routes come before those of what is left.
          of: matcherType.value.matchers.map(({ predicate, onMatch }, index) => {
            const here = `${path}.matcher_list.matchers[${index}]`;
            return {
              when: decodePredicate<AskedHeader>(
                this.#context,
                predicate,
                `${here}.predicate`,
                (input, match, at) => ({
                  kind: 'header',
                  header: { name: this.#header(input, at), match },
                }),
              ),
              choose: this.#onMatch(onMatch, `${here}.on_match`),
            };
          }),
          otherwise: otherwiseOf(),
        });
      case 'matcherTree':
        return this.#tree(matcherType.value, otherwiseOf, `${path}.matcher_tree`);
      default: {
        const otherwise = otherwiseOf();
        // One that has nothing to ask chooses what stands behind it.
        if (otherwise === undefined)
          this.#context.refuse(path, 'is empty: give matcher_list or matcher_tree');
        return otherwise ?? { kind: 'routes', routes: [] };
      }
    }
  }

  #tree(
    { input, treeType }: MatcherTree,
    otherwiseOf: () => RouteChoice | undefined,
    path: string,
  ): RouteChoice {
    const header = this.#header(input, `${path}.input`);
    if (treeType.case !== 'exactMatchMap' && treeType.case !== 'prefixMatchMap') {
      this.#context.refuse(
        treeType.case === undefined ? path : `${path}.custom_match`,
        'must be an exact_match_map or a prefix_match_map',
      );
      return { kind: 'routes', routes: [] };
    }
    const field = treeType.case === 'exactMatchMap' ? 'exact_match_map' : 'prefix_match_map';
    return present({
      kind: treeType.case === 'exactMatchMap' ? ('exact' as const) : ('prefix' as const),
      header,
      values: Object.fromEntries(
        Object.entries(treeType.value.map).map(([value, onMatch]) => [
          value,
          this.#onMatch(onMatch, `${path}.${field}.map[${JSON.stringify(value)}]`),
        ]),
      ),
      otherwise: otherwiseOf(),
    });
  }

  #onMatch(onMatch: OnMatch | undefined, path: string): RouteChoice {
    const kind = onMatch?.onMatch;
    if (kind?.case === 'matcher') return this.matcher(kind.value, `${path}.matcher`);
    if (kind?.case === 'action') {
      const at = `${path}.action.typed_config`;
      const message = this.#context.open(kind.value.typedConfig, at);
      if (message && isMessage(message, RouteSchema)) return this.#take([[message, at]]);
      if (message && isMessage(message, RouteListSchema))
        return this.#take(message.routes.map((route, index) => [route, `${at}.routes[${index}]`]));
      if (message) this.#context.refuse(at, `must be a Route or RouteList, not ${message.$typeName}`);
    } else this.#context.refuse(path, 'chooses nothing: give action or matcher');
    return { kind: 'routes', routes: [] };
  }

  #take(routes: readonly (readonly [EnvoyRoute, string])[]): RouteChoice {
    const first = this.routes.length;
    for (const [route, path] of routes) this.routes.push(this.#decodeRoute(route, path));
    return { kind: 'routes', routes: routes.map((_, index) => first + index) };
  }

  #header(input: TypedExtensionConfig | undefined, path: string): string {
    const message = this.#context.open(input?.typedConfig, `${path}.typed_config`);
    if (message && isMessage(message, HttpRequestHeaderMatchInputSchema)) {
      if (message.headerName === '') this.#context.refuse(`${path}.typed_config.header_name`, 'is missing');
      return message.headerName.toLowerCase();
    }
    if (message)
      this.#context.refuse(
        `${path}.typed_config`,
        `must be an HttpRequestHeaderMatchInput, not ${message.$typeName}`,
      );
    return '';
  }
}
