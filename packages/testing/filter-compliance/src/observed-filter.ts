import {
  defineHttpFilter,
  type FilterHost,
  type HttpFilter,
  type HttpFilterDefinition,
  type HttpHooks,
} from '@tulle/filter';
import { show } from './check.ts';

/** Any filter, with configurations that the suite does not know. */
export type FilterUnderTest = HttpFilter<unknown, unknown, unknown>;

/** What was seen of a filter while requests ran through it. */
export interface Observations {
  /** Names of hooks, once a call. */
  readonly calls: string[];
  /** Hooks that answered with a promise. */
  readonly promises: string[];
  readonly created: number;
  readonly disposed: number;
  /** Timers that it asked for. */
  readonly timers: number;
  /** Calls that it made to somebody else. */
  readonly fetches: number;
  /** States that were not as new after their reset. */
  readonly dirtyStates: string[];
  /** Hooks of every instance. */
  readonly hooks: HttpHooks<unknown, unknown>[];
}

/** The same filter, reporting what it does. */
export function observe(filter: FilterUnderTest): {
  readonly filter: FilterUnderTest;
  readonly seen: Observations;
} {
  const seen = {
    calls: [] as string[],
    promises: [] as string[],
    created: 0,
    disposed: 0,
    timers: 0,
    fetches: 0,
    dirtyStates: [] as string[],
    hooks: [] as HttpHooks<unknown, unknown>[],
  };
  const { definition } = filter;
  const { state } = definition;
  const observed: HttpFilterDefinition<unknown, unknown, unknown> = {
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
      const hooks = await definition.create(observeHost(host, seen), config);
      seen.hooks.push(hooks);
      return observeHooks(hooks, seen);
    },
  };
  return { filter: defineHttpFilter(observed), seen };
}

export function observeHost(host: FilterHost, seen: { timers: number; fetches: number }): FilterHost {
  return {
    name: host.name,
    log: host.log,
    nowMs: () => host.nowMs(),
    epochMs: () => host.epochMs(),
    random: () => host.random(),
    get draining() {
      return host.draining;
    },
    get failsHealthChecks() {
      return host.failsHealthChecks;
    },
    clusterHealth: (name) => host.clusterHealth(name),
    after(delayMs, fn) {
      seen.timers += 1;
      return host.after(delayMs, fn);
    },
    counter: (name, help, labels) => host.counter(name, help, labels),
    gauge: (name, help, labels) => host.gauge(name, help, labels),
    fetch(request) {
      seen.fetches += 1;
      return host.fetch(request);
    },
    exchange(request, events) {
      seen.fetches += 1;
      return host.exchange(request, events);
    },
  };
}

function observeHooks(
  hooks: HttpHooks<unknown, unknown>,
  seen: { readonly calls: string[]; readonly promises: string[]; disposed: number },
): HttpHooks<unknown, unknown> {
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
