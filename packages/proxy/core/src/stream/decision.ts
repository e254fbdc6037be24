import type { HttpChain } from '../compile/compiled.ts';

/** One try of a request against one endpoint. */
export interface DecidedAttempt {
  readonly address: string;
  /** 0: no answer. */
  readonly status: number;
  /** From the start of the request. */
  readonly startMs: number;
  readonly durationMs: number;
  /** Over a connection that had served before. */
  readonly reused: boolean;
}

/** What was decided for one stream (decision D10), as it is read afterwards. */
export interface Decision {
  /** Triples (site, reason, operand); see `sites.ts`. */
  readonly notes: Int32Array;
  /** Notes that did not fit. */
  readonly dropped: number;
  readonly attempts: readonly DecidedAttempt[];
  /** The configuration that decided; `undefined` once so many newer ones followed that it was let go. */
  readonly chain: HttpChain | undefined;
  readonly peerIdentity: string | undefined;
  readonly requestId: string;
  readonly method: string;
  /** As routes were matched. */
  readonly authority: string;
  readonly path: string;
  /** As it came. */
  readonly originalPath: string;
  readonly query: string | undefined;
  /** As it went on. */
  readonly sentPath: string;
  readonly status: number;
  readonly code: string;
  readonly details: string;
  /** Monotonic. */
  readonly startMs: number;
  readonly durationMs: number;
}
