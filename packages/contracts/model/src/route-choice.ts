import type { HeaderMatch } from './route.ts';

/**
 * Which routes of a virtual host a request is held against (Envoy `VirtualHost.matcher`). Something is chosen, or nothing is: a
 * request for which a part chooses nothing is held against the part that comes next.
 *
 * - `routes`: those at these places, in this order. Chosen in any case: where none of them fits, no other is tried.
 * - `list`: what stands behind the first condition that holds and chooses something.
 * - `exact`, `prefix`: what stands under the value of a field; under the longest of those that it begins with, then shorter ones.
 *
 * `otherwise` is what is chosen where none of its part does. Default: nothing.
 */
export type RouteChoice =
  | { readonly kind: 'routes'; readonly routes: readonly number[] }
  | {
      readonly kind: 'list';
      readonly of: readonly { readonly when: ChoiceCondition; readonly choose: RouteChoice }[];
      readonly otherwise?: RouteChoice;
    }
  | {
      readonly kind: 'exact' | 'prefix';
      /** Lower case, or a pseudo-header. */
      readonly header: string;
      readonly values: Readonly<Record<string, RouteChoice>>;
      readonly otherwise?: RouteChoice;
    };

/** What a choice depends on. */
export type ChoiceCondition =
  | { readonly kind: 'header'; readonly header: HeaderMatch }
  | { readonly kind: 'all' | 'any'; readonly of: readonly ChoiceCondition[] }
  | { readonly kind: 'not'; readonly of: ChoiceCondition };
