import type { ConnHooks } from '@tulle/filter';
import type { Counter } from '@tulle/telemetry';
import type { Closable, Engine } from '../engine.ts';
import type { FilterInstance } from '../chain/tables.ts';

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
}

/** Something that may have `dispose`. */
interface Disposable {
  readonly name: string;
  dispose(): void | Promise<void>;
  readonly host: Closable;
}

/**
 * The filters of one chain, made once and kept as long as their configuration means the same: a change of routes leaves
 * them (and what they remember, such as a rate limit's buckets) alone. Counted by the chains that use them; disposed
 * last created first when the last one is gone.
 */
export class FilterSet {
  /** Configurations that routes gave its filters, by filter and place; of the compilation in force. */
  overrides: ReadonlyMap<string, Override> = new Map<string, Override>();
  readonly filters: readonly FilterInstance[];
  readonly connFilters: readonly ConnFilterInstance[];
  readonly #engine: Engine;
  readonly #disposables: readonly Disposable[];
  #users = 0;
  #disposed = false;

  constructor(
    engine: Engine,
    filters: readonly FilterInstance[],
    connFilters: readonly ConnFilterInstance[],
    disposables: readonly Disposable[],
  ) {
    this.#engine = engine;
    this.filters = filters;
    this.connFilters = connFilters;
    this.#disposables = disposables;
  }

  retain(): void {
    this.#users++;
  }

  release(): void {
    if (--this.#users === 0) void this.dispose();
  }

  /** Disposes every filter, last created first, each with its deadline. Also for a set that was never used. */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const { name, dispose, host } of this.#disposables.toReversed()) {
      await disposeOne(this.#engine, name, dispose);
      host.close();
    }
  }
}

export type { Disposable };

/** Runs one `dispose` with a deadline; failures are logged and end nothing else. */
async function disposeOne(engine: Engine, name: string, dispose: () => void | Promise<void>): Promise<void> {
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

/** Settles like `promise`, or rejects with `late()` after `timeoutMs`. */
export function withDeadline<T>(
  engine: Engine,
  promise: Promise<T>,
  timeoutMs: number,
  late: () => Error,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const cancel = engine.clock.setTimer(timeoutMs, () => reject(late()));
    promise.then(resolve, reject).finally(cancel);
  });
}
