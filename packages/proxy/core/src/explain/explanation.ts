/** Where a decision is made, in the order in which a request comes past them. */
export type ExplainSite =
  | 'request'
  | 'route'
  | 'filter'
  | 'cluster'
  | 'endpoint'
  | 'attempt'
  | 'retry'
  | 'reply'
  | 'response';

/** One decision. */
export interface Reason {
  readonly site: ExplainSite;
  /** What was decided about: a route, filter, cluster or endpoint by its name; `''` where there is just one. */
  readonly subject: string;
  /** What came out, one or two words: `matched`, `continue`, `stop`, `503`. */
  readonly outcome: string;
  /** Why, as a word or an error code. */
  readonly reason: string;
  /** The same for a person, with figures; `''` for nothing more to say. */
  readonly detail: string;
  /** Milliseconds from the start of the request, where that is known. */
  readonly at?: number;
  /** What it was made of: routes that did not match, notes of a filter. */
  readonly children?: readonly Reason[];
}

/** Why a request went as it did. */
export interface Explanation {
  readonly requestId: string;
  /** An imagined request: nobody was called, nothing was counted, no token spent. */
  readonly dryRun: boolean;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly durationMs: number;
  readonly listener: string;
  readonly chain: string;
  /** Of the configuration that decided. */
  readonly generation: number;
  readonly peerIdentity: string | undefined;
  readonly method: string;
  readonly authority: string;
  /** As it came, and as it went on where that differs. */
  readonly path: string;
  readonly upstreamPath: string | undefined;
  /** 0: the caller got no answer (a dry run: the request would have been sent on). */
  readonly status: number;
  /** Error code, `''` for none. */
  readonly code: string;
  readonly details: string;
  /** What to look at next, where there is an error code. */
  readonly hint: string;
  /** Whether every note was kept and its configuration is still known. */
  readonly whole: boolean;
  readonly reasons: readonly Reason[];
}
