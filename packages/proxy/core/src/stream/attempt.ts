import { NEUTRAL, type Outcome } from '@tulle/balance';
import type { AttemptRecord } from '@tulle/telemetry';

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

/** The attempt under way, and what is remembered of those before it. Reused with its stream. */
export class Attempt {
  number = 0;
  address = '';
  identity: string | undefined = undefined;
  status = 0;
  /** `grpc-status` of a gRPC call, from the head ("trailers-only") or, later, from the trailers; -1 before. */
  grpcStatus = -1;
  failure = '';
  unsent = false;
  repeatable = false;
  reused = false;
  startMs = 0;
  retryDelayMs = 0;
  /** Span of this attempt; `''` unless the stream is sampled. */
  spanId = '';
  /** Between begin and end. */
  running = false;
  /** Whether `onStart` of the balancer's endpoint was called, and `onEnd` not yet. */
  counted = false;
  /** Of the head that came; what becomes of the rest of the response is told when that is over. */
  outcome: Outcome = NEUTRAL;
  /** From its start to the response head; -1 before. */
  headMs = -1;
  /** Of exactly its size, since it lives as long as the stream; the first entry stays for the next one. */
  #entries: readonly Entry[] = NO_ENTRIES;
  #ended = 0;

  /** One entry an attempt that has ended; valid until {@link reset}. */
  get records(): readonly AttemptRecord[] {
    return this.#ended === 0 ? NO_ENTRIES : this.#entries;
  }

  begin(number: number, nowMs: number): void {
    this.number = number;
    this.address = '';
    this.identity = undefined;
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

  /** Writes the attempt into the record. @param streamStartMs what its start is counted from */
  end(cluster: string, streamStartMs: number, nowMs: number): void {
    this.running = false;
    if (this.#ended === MAX_RECORDS) return;
    const at = this.#ended++;
    if (at === this.#entries.length) this.#entries = [...this.#entries, new Entry()];
    const entry = this.#entries[at] as Entry;
    entry.cluster = cluster;
    entry.address = this.address;
    entry.status = this.status;
    entry.grpcStatus = this.grpcStatus;
    entry.failure = this.failure;
    entry.startMs = this.startMs - streamStartMs;
    entry.durationMs = nowMs - this.startMs;
    entry.reused = this.reused;
    entry.spanId = this.spanId;
  }

  reset(): void {
    this.#ended = 0;
    if (this.#entries.length > 1) this.#entries = this.#entries.slice(0, 1);
    this.number = 0;
    this.identity = undefined;
    this.running = false;
    this.counted = false;
    this.failure = '';
    this.status = 0;
    this.grpcStatus = -1;
    this.address = '';
  }
}
