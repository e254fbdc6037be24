/** Flag bits of `traceparent` (W3C Trace Context Level 2 §3.2.2.5). */
export const FLAG_SAMPLED = 0x01;
/** The trace id's last seven bytes are random, so that they can serve as the dice of every sampler on the way. */
export const FLAG_RANDOM = 0x02;

/** Whoever called has decided against spans. */
export const UNSAMPLED = 0;
/** Whoever called makes spans. */
export const SAMPLED = 1;
/** Nobody has decided yet: there is no parent, or B3 says nothing about sampling. */
export const UNDECIDED = 2;
/** What is known of the sampling decision. */
export type Decision = typeof UNSAMPLED | typeof SAMPLED | typeof UNDECIDED;

/** Fields that a request has, as bits of {@link TraceContext.found}. */
export const FOUND_TRACEPARENT = 0x01;
export const FOUND_TWO_TRACEPARENTS = 0x02;
export const FOUND_TRACESTATE = 0x04;
export const FOUND_B3 = 0x08;
export const FOUND_B3_TRACE_ID = 0x10;
/** Some `X-B3-*`. */
export const FOUND_B3_OTHERS = 0x20;

/** What a request says about the trace that it belongs to. One object is filled again and again. */
export class TraceContext {
  /** 32 lower-case hex digits; `''`: the request belongs to no trace. */
  traceId = '';
  /** The caller's span, 16 lower-case hex digits; `''` with {@link traceId}. */
  parentId = '';
  /** Bits of `traceparent`, {@link FLAG_SAMPLED} and {@link FLAG_RANDOM}; others are reserved and not kept. */
  flags = 0;
  decision: Decision = UNDECIDED;
  /** It came as `traceparent`: `tracestate` belongs to it. */
  w3c = false;
  /** Which fields the request has, valid or not: bits `FOUND_…`. */
  found = 0;

  clear(): void {
    this.traceId = '';
    this.parentId = '';
    this.flags = 0;
    this.decision = UNDECIDED;
    this.w3c = false;
    this.found = 0;
  }
}
