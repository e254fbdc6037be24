import { TulleError, type Log } from '@tulle/filter';
import type { Clock } from '@tulle/time';
import type { SavedState, StateStore } from './state-file.ts';

/** What {@link KeptState} needs. */
export interface KeptStateOptions {
  readonly store: StateStore;
  readonly clock: Clock;
  readonly log: Log | undefined;
  /** What is to be saved now. */
  readonly content: () => SavedState;
  /** A save that failed is tried again after this long. Default 5,000: a disk that somebody empties is noticed soon. */
  readonly retryMs?: number;
  /**
   * Least time between saves of what the mesh does by itself. The first after a pause is made at once: a control plane that is
   * killed right after a sidecar joined would forget it, and others that come back sooner would lose its address. Default
   * 200: two thousand sidecars that join are then a few saves.
   */
  readonly delayMs?: number;
  /** Called for each save that failed. */
  readonly failed: () => void;
}

/**
 * The state on its way to the store. What a person asked for is saved before it comes into force; what the mesh does by
 * itself (sidecars that come and go) comes into force in any case, and is saved as soon as the store lets it.
 */
export class KeptState {
  readonly #options: KeptStateOptions;
  #cancelRetry: (() => void) | undefined;
  #cancelSave: (() => void) | undefined;
  #fault: string | undefined;
  #closed = false;
  /** When the newest save began, by the clock's monotonic time. */
  #beganMs = -Infinity;

  constructor(options: KeptStateOptions) {
    this.#options = options;
  }

  /** Why the newest state is not saved; `undefined` when it is. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /**
   * Saves what is to come into force next.
   * @throws TulleError `TULLE_STATE_UNSAVED`: it must not
   */
  before(next: SavedState): void {
    const { store, clock } = this.#options;
    this.#beganMs = clock.nowMs();
    try {
      store.save(next);
    } catch (error) {
      this.#options.failed();
      throw new TulleError(
        'TULLE_STATE_UNSAVED',
        `the state cannot be saved (${reason(error)}), so nothing was applied; make room on its disk, or mend its directory, and apply again`,
        { cause: error },
      );
    }
    this.#saved();
  }

  /** What is in force is to be saved, before long. Not after {@link close}: a successor may have the store by then. */
  soon(): void {
    if (this.#closed) return;
    if (this.#cancelSave !== undefined) return;
    const { clock, delayMs = 200 } = this.#options;
    const waitMs = Math.max(0, this.#beganMs + delayMs - clock.nowMs());
    this.#cancelSave = clock.setTimer(waitMs, () => this.#after());
  }

  /** Saves now what waits to be saved. */
  flush(): void {
    if (this.#cancelSave !== undefined) this.#after();
  }

  /** Saves what is in force; tries again later where that fails. */
  #after(): void {
    this.#cancelSave?.();
    this.#cancelSave = undefined;
    const { store, content, clock, log, retryMs = 5_000 } = this.#options;
    this.#beganMs = clock.nowMs();
    try {
      store.save(content());
    } catch (error) {
      this.#options.failed();
      const fault = reason(error);
      if (fault !== this.#fault)
        log?.error('the state cannot be saved; a restart now would forget sidecars that joined since', {
          error: fault,
          retryMs,
        });
      this.#fault = fault;
      this.#cancelRetry ??= clock.setTimer(retryMs, () => {
        this.#cancelRetry = undefined;
        this.#after();
      });
      return;
    }
    this.#saved();
  }

  close(): void {
    this.flush();
    this.#closed = true;
    this.#cancelRetry?.();
  }

  #saved(): void {
    this.#cancelSave?.();
    this.#cancelSave = undefined;
    if (this.#fault !== undefined) this.#options.log?.info('the state is saved again');
    this.#fault = undefined;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
