import type { ConnHooks } from '@tulle/filter';
import type { Counter } from '@tulle/telemetry';
import type { Closable, Services } from '../services.ts';
import type { AnyHooks, FilterInstance } from '../chain/tables.ts';
import { withDeadline } from '../deadline.ts';

/** A connection filter of one configuration generation. */
export interface ConnFilterInstance {
  readonly name: string;
  readonly hooks: ConnHooks<unknown, unknown>;
  readonly config: unknown;
  readonly failOpen: boolean;
  readonly state: { create(): unknown; reset(state: unknown): void } | undefined;
  readonly errors: Counter;
}

/** What overrides of one place come to. */
export interface Override {
  /** Canonical text of what was given: the same text is the same configuration. */
  readonly text: string;
  readonly config: unknown;
  /** Name of the filter. */
  readonly filter: string;
}

/**
 * A filter that `create` made. It lives as long as a set has it: a filter that means the same in the next configuration
 * is taken over with all that it remembers, whatever changes beside it.
 */
export class CreatedFilter {
  /** Canonical text of its name, id and configuration: the same text is the same filter. */
  readonly key: string;
  readonly name: string;
  readonly hooks: AnyHooks | ConnHooks<unknown, unknown>;
  /** Parsed and frozen. */
  readonly config: unknown;
  /** Per-stream states at rest. */
  readonly states: unknown[] = [];
  readonly host: Closable;
  /** Grows with each filter that is created. */
  readonly order: number;
  static #created = 0;
  #users = 0;
  #disposed = false;

  constructor(
    key: string,
    name: string,
    hooks: AnyHooks | ConnHooks<unknown, unknown>,
    config: unknown,
    host: Closable,
  ) {
    this.key = key;
    this.name = name;
    this.hooks = hooks;
    this.config = config;
    this.host = host;
    this.order = CreatedFilter.#created++;
  }

  retain(): void {
    this.#users++;
  }

  /** Disposes it when no set has it any more. */
  async release(engine: Services): Promise<void> {
    if (--this.#users > 0 || this.#disposed) return;
    this.#disposed = true;
    await disposeOne(engine, this.name, () => this.hooks.dispose?.());
    this.host.close();
  }
}

/**
 * The filters of one chain, kept as long as their configuration means the same: a change of routes leaves them (and what
 * they remember, such as a rate limit's buckets) alone, and where one of them changes, the next set takes over the others.
 * Counted by the chains that use it; what no other set has taken over is disposed, last created first, when the last
 * chain is gone.
 */
export class FilterSet {
  /** Configurations that routes gave its filters, by filter and place; of the compilation in force. */
  overrides: ReadonlyMap<string, Override>;
  readonly filters: readonly FilterInstance[];
  readonly connFilters: readonly ConnFilterInstance[];
  /** Slots of optional filters that this proxy lacks: routes may speak of them. */
  readonly absent: ReadonlySet<string>;
  readonly #engine: Services;
  readonly #created: readonly CreatedFilter[];
  #users = 0;
  #disposed = false;

  /** @param before the set whose place it takes */
  constructor(
    engine: Services,
    filters: readonly FilterInstance[],
    connFilters: readonly ConnFilterInstance[],
    created: readonly CreatedFilter[],
    absent: ReadonlySet<string>,
    before?: FilterSet,
  ) {
    this.#engine = engine;
    this.filters = filters;
    this.connFilters = connFilters;
    this.absent = absent;
    this.#created = created;
    for (const filter of created) filter.retain();
    // Those of connections come last, may have the same names, and no route overrides them.
    const ofRequests = created.slice(0, filters.length);
    const kept = new Set(ofRequests.filter((one) => before?.find(one.key) === one).map(({ name }) => name));
    this.overrides = new Map(
      [...(before?.overrides ?? [])].filter(([, override]) => kept.has(override.filter)),
    );
  }

  /** One of its filters, by {@link CreatedFilter.key}. */
  find(key: string): CreatedFilter | undefined {
    return this.#created.find((one) => one.key === key);
  }

  retain(): void {
    this.#users++;
  }

  release(): void {
    if (--this.#users === 0) void this.dispose();
  }

  /** Lets go of every filter, last created first, each with its deadline. Also for a set that was never used. */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const one of this.#created.toSorted((a, b) => b.order - a.order)) await one.release(this.#engine);
  }
}

/** Runs one `dispose` with a deadline; failures are logged and end nothing else. */
async function disposeOne(
  engine: Services,
  name: string,
  dispose: () => void | Promise<void>,
): Promise<void> {
  const timeoutMs = engine.limits.filterDisposeTimeoutMs;
  try {
    await withDeadline(
      engine,
      Promise.resolve(dispose()),
      timeoutMs,
      () => new Error(`not done after ${timeoutMs} ms; it is left behind`),
    );
  } catch (error) {
    engine.log.error(
      `filter ${name} failed to dispose: ${error instanceof Error ? error.message : String(error)}`,
      { filter: name },
    );
  }
}
