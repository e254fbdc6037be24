import { hash } from 'node:crypto';
import type { MetadataValues, VerifiedToken } from '@tulle/filter';
import type { Key } from './key-set.ts';

/** A token that was verified, with all that is made of it, so that the next request with it allocates nothing. */
export interface Accepted {
  readonly token: VerifiedToken;
  /** `[token]`, as the slot holds it. */
  readonly alone: readonly VerifiedToken[];
  /** Flat `[name, value, …]`: claims handed to the service. */
  readonly headers: readonly string[];
  /** Whether the service gets the token too. */
  readonly forward: boolean;
  /** What is said of it in dynamic metadata; `undefined` for nothing. */
  readonly metadata: MetadataValues | undefined;
  /** Whether the route is matched again. */
  readonly rematch: boolean;
  /** The key that verified it. */
  readonly key: Key;
  /** Not to be believed from then on, skew included; milliseconds since 1970. */
  readonly endEpochMs: number;
}

/** What a token is remembered by. Not the token: memory is dumped, and tokens open doors. */
export function tokenKey(token: string): string {
  return hash('sha256', token, 'base64url');
}

/** Verified tokens, the one unused longest going first. */
export class TokenCache {
  readonly #max: number;
  readonly #onEvict: () => void;
  readonly #entries: Map<string, Accepted> = new Map<string, Accepted>();

  /** @param onEvict called for each that gave way to a newer one */
  constructor(max: number, onEvict: () => void = () => {}) {
    this.#max = max;
    this.#onEvict = onEvict;
  }

  get(key: string): Accepted | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    // A Map keeps the order of insertion: used last stands last.
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry;
  }

  put(key: string, entry: Accepted): void {
    if (this.#max === 0) return;
    this.#entries.delete(key);
    if (this.#entries.size >= this.#max) {
      const oldest = this.#entries.keys().next();
      if (oldest.done !== true) this.#entries.delete(oldest.value);
      this.#onEvict();
    }
    this.#entries.set(key, entry);
  }

  drop(key: string): void {
    this.#entries.delete(key);
  }
}
