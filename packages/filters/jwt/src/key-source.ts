import { isTulleError, type FilterHost } from '@tulle/filter';
import type { JwtAlgorithm, JwtProvider, JwtRemoteKeys } from '@tulle/model';
import { importKeySet, parseKeySet, type KeySet } from './key-set.ts';

/** Where a provider's keys come from. */
export interface KeySource {
  /** What is there now; `undefined` until the first fetch succeeded. */
  readonly current: KeySet | undefined;
  /**
   * Asks for newer keys, because there are none or a token names an unknown one. Settles with whatever is there then;
   * `undefined` when asking is not due again yet.
   */
  refresh(): Promise<void> | undefined;
  /** Nobody needs the keys any more. */
  close(): void;
}

/** After a failed fetch: the next one not before this, doubled each time up to the limit. */
const FIRST_BACKOFF_MS = 1_000;
const LONGEST_BACKOFF_MS = 60_000;
/** The same where the cluster that is to be asked does not exist (yet). */
const EARLY_BACKOFF_MS = 100;

/** Keys of the configuration. */
export function fixedKeys(current: KeySet): KeySource {
  return { current, refresh: () => undefined, close: () => {} };
}

/** Keys of the issuer: fetched at once, then again and again; one fetch at a time. */
export class RemoteKeys implements KeySource {
  current: KeySet | undefined;
  readonly #host: FilterHost;
  readonly #provider: string;
  readonly #source: Required<Omit<JwtRemoteKeys, 'cluster'>> & Pick<JwtRemoteKeys, 'cluster'>;
  readonly #algorithms: readonly JwtAlgorithm[];
  readonly #count: (result: 'success' | 'failure') => void;
  readonly #gauge: (keys: number) => void;
  #fetching: Promise<void> | undefined;
  #failures = 0;
  #closed = false;
  /** Before this, only the timer fetches. */
  #askAgainMs = -Infinity;
  #cancelTimer: (() => void) | undefined;

  constructor(host: FilterHost, provider: JwtProvider, algorithms: readonly JwtAlgorithm[]) {
    this.#host = host;
    this.#provider = provider.name;
    this.#source = withDefaults(provider.jwks as JwtRemoteKeys);
    this.#algorithms = algorithms;
    const labels = { provider: provider.name };
    const [success, failure] = (['success', 'failure'] as const).map((result) =>
      host.counter('jwt_jwks_fetches_total', 'Fetches of key sets', { ...labels, result }),
    );
    const keys = host.gauge('jwt_jwks_keys', 'Keys in use', labels);
    this.#count = (result) => (result === 'success' ? success : failure)?.add();
    this.#gauge = (count) => keys.set(count);
    void this.#fetch();
  }

  refresh(): Promise<void> | undefined {
    if (this.#fetching !== undefined) return this.#fetching;
    return this.#host.nowMs() < this.#askAgainMs ? undefined : this.#fetch();
  }

  close(): void {
    this.#closed = true;
    this.#cancelTimer?.();
  }

  #fetch(): Promise<void> {
    this.#cancelTimer?.();
    this.#fetching = this.#once().finally(() => (this.#fetching = undefined));
    return this.#fetching;
  }

  /** Never rejects: what fails is counted, logged, and tried again. */
  async #once(): Promise<void> {
    const { refreshMs, cooldownMs } = this.#source;
    const host = this.#host;
    let nextMs: number;
    try {
      const set = await this.#load();
      for (const { index, why } of set.skipped) this.#warn(`key ${index} of the set is not used: ${why}`);
      this.current = set;
      this.#failures = 0;
      this.#count('success');
      this.#gauge(set.keys.length);
      this.#askAgainMs = host.nowMs() + cooldownMs;
      nextMs = refreshMs * (1 - host.random() / 5);
    } catch (error) {
      if (this.#closed) return;
      this.#count('failure');
      // A filter is made before the clusters of its configuration are in place: nobody was asked, so asking costs nothing.
      const early = isTulleError(error) && error.code === 'TULLE_CLUSTER_NOT_FOUND';
      const firstMs = early ? EARLY_BACKOFF_MS : FIRST_BACKOFF_MS;
      nextMs = Math.min(firstMs * 2 ** this.#failures, LONGEST_BACKOFF_MS) * (1 - host.random() / 5);
      this.#failures += 1;
      this.#askAgainMs = early ? -Infinity : host.nowMs() + nextMs;
      if (!early || this.#failures > 1)
        this.#warn(
          `keys could not be fetched, ${this.current === undefined ? 'none are there yet' : 'those fetched before stay in use'}: ${error instanceof Error ? error.message : String(error)}`,
        );
    }
    this.#cancelTimer = host.after(nextMs, () => void this.#fetch());
  }

  async #load(): Promise<KeySet> {
    const { url, cluster, timeoutMs, maxBytes, maxKeys } = this.#source;
    const { status, body } = await this.#host.fetch({
      url,
      ...(cluster === undefined ? {} : { cluster }),
      headers: ['accept', 'application/jwk-set+json, application/json'],
      timeoutMs,
      maxBodyBytes: maxBytes,
    });
    if (status >= 300 && status < 400)
      throw new Error(
        `the answer is a redirect (${status}), and redirects are not followed; configure its target`,
      );
    if (status !== 200) throw new Error(`the answer has status ${status}, not 200`);
    const jwks = parseKeySet(Buffer.from(body).toString('utf8'), maxKeys);
    const set = importKeySet(jwks, this.#algorithms, false, this.current);
    if (set.keys.length === 0)
      throw new Error(
        `no key of the set can be used: ${set.skipped.map(({ index, why }) => `key ${index}: ${why}`).join('; ') || 'it is empty'}`,
      );
    return set;
  }

  #warn(message: string): void {
    this.#host.log.warn(`provider ${this.#provider}, ${this.#source.url}: ${message}`, {
      provider: this.#provider,
      url: this.#source.url,
    });
  }
}

function withDefaults(
  source: JwtRemoteKeys,
): Required<Omit<JwtRemoteKeys, 'cluster'>> & Pick<JwtRemoteKeys, 'cluster'> {
  return {
    refreshMs: 600_000,
    timeoutMs: 5_000,
    cooldownMs: 30_000,
    maxBytes: 262_144,
    maxKeys: 100,
    ...source,
  };
}
