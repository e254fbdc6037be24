import type { Listener, RouteScope } from '@tulle/model';
import { ALL_SCOPES } from '../decode/scoped-routes.ts';
import type { Held, Store } from './store.ts';

/** Scopes that are discovered (SRDS) are all that their source has; every listener that discovers scopes has them. */

/** Whether a listener has its scopes discovered. */
export function discoversScopes({ needs = [] }: Pick<Held, 'needs'>): boolean {
  return needs.some(({ kind }) => kind === 'scoped-route');
}

/** What was made of a listener with some scopes: the same ones give the same object, whose chains are not built anew. */
const joinedBefore = new WeakMap<Listener, { readonly of: readonly RouteScope[]; readonly made: Listener }>();

/** Listeners with the scopes that were discovered for them. */
export function joinScopes(
  listener: Listener,
  held: Held | undefined,
  scopes: Store['scoped-route'],
): Listener {
  if (held === undefined || !discoversScopes(held)) return listener;
  const of = [...scopes.values()]
    .map(({ resource }) => resource)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const before = joinedBefore.get(listener);
  if (before?.of.length === of.length && before.of.every((one, index) => one === of[index]))
    return before.made;
  const made: Listener = {
    ...listener,
    filterChains: listener.filterChains.map((chain) => {
      const { handler } = chain;
      if (handler.kind !== 'http' || handler.scopes === undefined || handler.scopes.scopes.length > 0)
        return chain;
      return { ...chain, handler: { ...handler, scopes: { ...handler.scopes, scopes: of } } };
    }),
  };
  joinedBefore.set(listener, { of, made });
  return made;
}

/** The scope at a place of the configuration, by the segments behind the listener. */
export function scopeAt(listener: Listener | undefined, segments: readonly string[]): RouteScope | undefined {
  const [chains, chain, handler, scopes, list, index] = segments;
  if (chains !== 'filterChains' || handler !== 'handler' || scopes !== 'scopes' || list !== 'scopes')
    return undefined;
  const found = listener?.filterChains[Number(chain)]?.handler;
  return found?.kind === 'http' ? found.scopes?.scopes[Number(index)] : undefined;
}

export { ALL_SCOPES };
