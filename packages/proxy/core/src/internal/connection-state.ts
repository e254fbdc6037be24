import {
  DYNAMIC_METADATA,
  FILTER_STATE,
  READ_ONLY_FILTER_STATE,
  SHARED_FILTER_STATE,
  type Slot,
} from '@tulle/filter';
import type { Passed } from './passed.ts';

const NO_KEYS: ReadonlySet<string> = new Set();

/**
 * What is known of a connection beyond what it shows: what it brought along, and what its filters put down. Made where there is
 * some; streams of the connection have its filter state.
 */
export class ConnectionState {
  readonly #slots: Map<string, unknown> = new Map<string, unknown>();
  #keys: ReadonlySet<string> | undefined;

  /** @param passed what the connection brought along */
  constructor(passed?: Passed) {
    if (passed?.metadata !== undefined) this.set(DYNAMIC_METADATA, passed.metadata);
    if (passed?.filterState === undefined) return;
    this.set(FILTER_STATE, passed.filterState);
    if (passed.readOnly !== undefined) this.set(READ_ONLY_FILTER_STATE, passed.readOnly);
    if (passed.transitive !== undefined) this.set(SHARED_FILTER_STATE, passed.transitive);
  }

  get<T>(slot: Slot<T>): T | undefined {
    return this.#slots.get(slot.name) as T | undefined;
  }

  set<T>(slot: Slot<T>, value: T): void {
    this.#slots.set(slot.name, value);
    this.#keys = undefined;
  }

  /** Keys of its filter state: its streams put no other values down there. */
  get keys(): ReadonlySet<string> {
    const state = this.get(FILTER_STATE);
    return (this.#keys ??= state === undefined ? NO_KEYS : new Set(Object.keys(state)));
  }
}
