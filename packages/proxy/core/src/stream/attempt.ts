import { NEUTRAL, type Outcome } from '@tulle/balance';
import type { AttemptRecord } from '@tulle/telemetry';
import type { UpstreamLine } from '../sides.ts';

/** Attempts whose records are kept; later ones still count. */
const MAX_RECORDS = 16;

/** One entry of the record. */
class Entry implements AttemptRecord {
  cluster = '';
  address = '';
  status = 0;
  grpcStatus = -1;
  failure = '';
  startMs = 0;
  durationMs = 0;
  reused = false;
  spanId = '';
}

const NO_ENTRIES: readonly Entry[] = [];
/** The last attempt of the stream whose records were asked for last, alone in a list: of most there is only one. */
const LAST: Entry = new Entry();
const ONLY_LAST: readonly Entry[] = [LAST];

/** The attempt under way, and what is remembered of those before it. Reused with its stream. */
export class Attempt {
  number = 0;
  address = '';
  identity: string | undefined = undefined;
  /** The connection that it had. */
  line: UpstreamLine | undefined = undefined;
  status = 0;
  /** `grpc-status` of a gRPC call, from the head ("trailers-only") or, later, from the trailers; -1 before. */
  grpcStatus = -1;
  failure = '';
  unsent = false;
  repeatable = false;
  reused = false;
  startMs = 0;
  /** It had its connection, its request was sent whole; -1: that did not happen. */
  connectedMs = -1;
  sentMs = -1;
  retryDelayMs = 0;
  /** Span of this attempt; `''` unless the stream is sampled. */
  spanId = '';
  /** Between begin and end. */
  running = false;
  /** Whether `onStart` of the balancer's endpoint was called, and `onEnd` not yet. */
  counted = false;
  /** Of the head that came; what becomes of the rest of the response is told when that is over. */
  outcome: Outcome = NEUTRAL;
  /** From its start to the response head, or to its end without one; -1 before. */
  headMs = -1;
  /** Of the attempts that ended before this one. */
  #earlier: readonly Entry[] = NO_ENTRIES;
  /** Of this one, when it ended; its entry is written when somebody asks for it. */
  #ended = false;
  #grpcStatusOfHead = -1;

  /**
   * One entry an attempt that has ended; valid until another stream is asked for its own.
   * @param streamStartMs what their starts are counted from
   * @param cluster of the stream
   */
  records(streamStartMs: number, cluster: string): readonly AttemptRecord[] {
    if (!this.#ended || this.#earlier.length === MAX_RECORDS) return this.#earlier;
    this.#fill(LAST, streamStartMs, cluster);
    return this.#earlier === NO_ENTRIES ? ONLY_LAST : [...this.#earlier, LAST];
  }

  #fill(entry: Entry, streamStartMs: number, cluster: string): void {
    entry.cluster = cluster;
    entry.address = this.address;
    entry.status = this.status;
    entry.grpcStatus = this.#grpcStatusOfHead;
    entry.failure = this.failure;
    entry.startMs = this.startMs - streamStartMs;
    entry.durationMs = this.headMs;
    entry.reused = this.reused;
    entry.spanId = this.spanId;
  }

  begin(number: number, streamStartMs: number, cluster: string, nowMs: number): void {
    if (this.#ended) this.#keepEarlier(streamStartMs, cluster);
    this.number = number;
    this.address = '';
    this.identity = undefined;
    this.line = undefined;
    this.connectedMs = -1;
    this.sentMs = -1;
    this.status = 0;
    this.grpcStatus = -1;
    this.failure = '';
    this.unsent = true;
    this.repeatable = false;
    this.reused = false;
    this.startMs = nowMs;
    this.spanId = '';
    this.retryDelayMs = -1;
    this.running = true;
    this.counted = false;
    this.outcome = NEUTRAL;
    this.headMs = -1;
  }

  #keepEarlier(streamStartMs: number, cluster: string): void {
    this.#ended = false;
    if (this.#earlier.length === MAX_RECORDS) return;
    const entry = new Entry();
    this.#fill(entry, streamStartMs, cluster);
    this.#earlier = [...this.#earlier, entry];
  }

  /** The attempt is over, and goes into the record. */
  end(nowMs: number): void {
    this.running = false;
    this.#ended = true;
    this.#grpcStatusOfHead = this.grpcStatus;
    this.headMs = nowMs - this.startMs;
  }

  reset(): void {
    this.#ended = false;
    this.#earlier = NO_ENTRIES;
    this.number = 0;
    this.identity = undefined;
    this.line = undefined;
    this.connectedMs = -1;
    this.sentMs = -1;
    this.running = false;
    this.counted = false;
    this.failure = '';
    this.status = 0;
    this.grpcStatus = -1;
    this.address = '';
  }
}
