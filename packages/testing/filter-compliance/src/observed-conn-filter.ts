import { defineConnFilter, type ConnFilter, type ConnFilterDefinition, type ConnHooks } from '@tulle/filter';
import { show } from './check.ts';
import { observeHost } from './observed-filter.ts';

/** What was seen of a connection filter while connections ran through it. */
export interface ConnObservations {
  /** Names of hooks, once a call. */
  readonly calls: string[];
  /** Hooks that answered with a promise. */
  readonly promises: string[];
  readonly created: number;
  readonly disposed: number;
  readonly timers: number;
  readonly fetches: number;
  /** States that were not as new after their reset. */
  readonly dirtyStates: string[];
}

/** The same filter, reporting what it does. */
export function observeConn(filter: ConnFilter<unknown, unknown>): {
  readonly filter: ConnFilter<unknown, unknown>;
  readonly seen: ConnObservations;
} {
  const seen = {
    calls: [] as string[],
    promises: [] as string[],
    created: 0,
    disposed: 0,
    timers: 0,
    fetches: 0,
    dirtyStates: [] as string[],
  };
  const { definition } = filter;
  const { state } = definition;
  const observed: ConnFilterDefinition<unknown, unknown> = {
    ...definition,
    ...(state === undefined
      ? {}
      : {
          state: {
            create: () => state.create(),
            reset(used: unknown) {
              state.reset(used);
              if (show(used) !== show(state.create())) seen.dirtyStates.push(show(used));
            },
          },
        }),
    async create(host, config) {
      seen.created += 1;
      return observeHooks(await definition.create(observeHost(host, seen), config), seen);
    },
  };
  return { filter: defineConnFilter(observed), seen };
}

function observeHooks(
  hooks: ConnHooks<unknown, unknown>,
  seen: { readonly calls: string[]; readonly promises: string[]; disposed: number },
): ConnHooks<unknown, unknown> {
  const wrapped: Record<string, unknown> = {};
  for (const [name, hook] of Object.entries(hooks) as [string, unknown][]) {
    if (typeof hook !== 'function') continue;
    wrapped[name] = (...args: unknown[]): unknown => {
      if (name === 'dispose') seen.disposed += 1;
      else seen.calls.push(name);
      const result: unknown = Reflect.apply(hook, hooks, args);
      if (name !== 'dispose' && typeof result === 'object' && result !== null) seen.promises.push(name);
      return result;
    };
  }
  wrapped['dispose'] ??= () => {
    seen.disposed += 1;
  };
  return wrapped;
}
