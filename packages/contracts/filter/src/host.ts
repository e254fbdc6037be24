import type { Exchange, ExchangeEvents, ExchangeRequest } from './exchange.ts';
import type { FetchReply, FetchRequest } from './fetch.ts';
import type { ConfigSchema } from './schema.ts';

/** A structured log line; `fields` are printed as they are, so put no secrets there. */
export interface Log {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** A number that only grows. Get it once in `create`; `add` is one typed-array store. */
export interface HostCounter {
  /** @param n amount, >= 0, default 1 */
  add(n?: number): void;
}

/** A number that goes up and down. */
export interface HostGauge {
  set(value: number): void;
}

/**
 * What a filter gets from the proxy. Everything that would make a test depend on time or chance comes from here:
 * never call `Date.now`, `Math.random` or `setTimeout` in a filter.
 */
export interface FilterHost {
  /** Name of this slot in the chain; the filter id unless the configuration says otherwise. */
  readonly name: string;
  /** Logs under the filter's name. */
  readonly log: Log;
  /** Monotonic milliseconds with fraction; only differences mean something. */
  nowMs(): number;
  /** Wall clock, milliseconds since 1970-01-01T00:00Z. */
  epochMs(): number;
  /** Uniform in [0, 1). */
  random(): number;
  /**
   * Calls `fn` once after about `delayMs` on the engine's timer wheel. Timers left when the filter is disposed are
   * cancelled for it. @returns cancels; harmless when it fired already
   */
  after(delayMs: number, fn: () => void | Promise<void>): () => void;
  /**
   * A counter, exported as `tulle_filter_<name>` with label `filter`. Asking twice for one name and labels gives the
   * same counter, also across configuration generations.
   * @param labels fixed label values; keep their number bounded
   */
  counter(name: string, help: string, labels?: Readonly<Record<string, string>>): HostCounter;
  gauge(name: string, help: string, labels?: Readonly<Record<string, string>>): HostGauge;
  /** Whether the proxy takes its leave: callers should go elsewhere. */
  readonly draining: boolean;
  /** Whether an operator has it fail health checks (POST `/healthcheck/fail`): it serves on, and may be told to be well again. */
  readonly failsHealthChecks: boolean;
  /** How many endpoints of a cluster are fit to be asked, of how many; `undefined` for a cluster that is not there. */
  clusterHealth(name: string): ClusterHealth | undefined;
  /**
   * Calls somebody else; declare `effects: 'external'`. A call that is under way when the filter is disposed rejects.
   * @returns rejects with a TulleError when there is no whole reply: `TULLE_REQUEST_TIMEOUT`, a `TULLE_UPSTREAM_…` code,
   *   `TULLE_CLUSTER_NOT_FOUND`, `TULLE_UPSTREAM_PROTOCOL` for a reply larger than allowed, `TULLE_CONFIG_INVALID` for a
   *   request that cannot be made, `TULLE_DRAINING` after disposal
   */
  fetch(request: FetchRequest): Promise<FetchReply>;
  /**
   * Calls somebody and talks on while it lasts; declare `effects: 'external'`. It has no time limit of its own. One that is under
   * way when the filter is disposed fails.
   * @throws TulleError `TULLE_CONFIG_INVALID` for a request that cannot be made
   */
  exchange(request: ExchangeRequest, events: ExchangeEvents): Exchange;
}

/** Endpoints of a cluster: those that are not ejected and have passed the health check, where there is one; and all. */
export interface ClusterHealth {
  readonly healthy: number;
  readonly total: number;
}

/** Fields that HTTP and connection filter definitions share. */
export interface DefinitionBase<Config> {
  /** Version of this contract. The engine accepts 1 (and, from version 2 on, the one before). */
  readonly apiVersion: 1;
  /** `tulle.http.authz` for Tulle's own; `<npm package>` or `<npm package>/<name>` for others. Unique in a registry. */
  readonly id: string;
  /** Version of the filter's package, reported to the control plane. Default `'0.0.0'`. */
  readonly version?: string;
  /** One sentence for catalogues. */
  readonly summary?: string;
  /** Parses and documents the configuration. */
  readonly config: ConfigSchema<Config>;
  /**
   * What running it for an imagined request would do (decision D10): `none` decides only from the request and its
   * config, `local` changes state in this process (a token is taken), `external` talks to somebody else.
   * A dry run (explain) does not call filters with effects other than `none`. Default `'local'`, the careful one.
   */
  readonly effects?: 'none' | 'local' | 'external';
  /** What the codes of its `stream.note(code, value)` mean, a word each, for explanations (decision D10). */
  readonly notes?: Readonly<Record<number, string>>;
  /**
   * `forbidden`: no configuration may have the filter skipped where it throws (decision D7): for what decides who comes
   * in. Default: it may, by `failOpen`.
   */
  readonly failOpen?: 'forbidden';
}
