import type { Outcome } from '@tulle/balance';
import type { AttemptRecord } from '@tulle/telemetry';
import type { UpstreamLine } from '../sides.ts';
import { AttemptFlags } from './attempt-flags.ts';

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

/** What few attempts need: those that failed, were made again or are traced. */
class Rare {
  failure = '';
  spanId = '';
  retryDelayMs = -1;
  /** Of the attempts that ended before this one. */
  earlier: readonly Entry[] = NO_ENTRIES;
}

/** Shared by attempts that have none: never written. */
const NO_RARE: Rare = new Rare();

/**
 * The attempt under way, and what is remembered of those before it. Reused with its stream.
 *
 * It lives as long as its stream, so it is small: what is true or not and what is a small number stands in one
 * ({@link AttemptFlags}), times are whole microseconds since the stream's start, which V8 keeps in the field itself for the
 * first 35 minutes.
 */
export class Attempt extends AttemptFlags {
  address = '';
  identity: string | undefined = undefined;
  /** The connection that it had. */
  line: UpstreamLine | undefined = undefined;
  /** When it began, µs after the stream. */
  startedUs: number | undefined = undefined;
  /** It had its connection, its request was sent whole, µs after the stream; `undefined`: that did not happen. */
  connectedUs: number | undefined = undefined;
  sentUs: number | undefined = undefined;
  /** From its start to the response head, or to its end without one, µs; `undefined` before. */
  headUs: number | undefined = undefined;
  #rare: Rare = NO_RARE;

  /** As {@link headUs}, in milliseconds; -1 before. */
  get headMs(): number {
    return this.headUs === undefined ? -1 : this.headUs / 1000;
  }

  get failure(): string {
    return this.#rare.failure;
  }

  set failure(value: string) {
    if (value !== this.#rare.failure) this.ownRare().failure = value;
  }

  /** Span of this attempt; `''` unless the stream is sampled. */
  get spanId(): string {
    return this.#rare.spanId;
  }

  set spanId(value: string) {
    if (value !== this.#rare.spanId) this.ownRare().spanId = value;
  }

  /** Until it is made again; below 0 while nobody has said. */
  get retryDelayMs(): number {
    return this.#rare.retryDelayMs;
  }

  set retryDelayMs(value: number) {
    if (value !== this.#rare.retryDelayMs) this.ownRare().retryDelayMs = value;
  }

  private ownRare(): Rare {
    if (this.#rare === NO_RARE) this.#rare = new Rare();
    return this.#rare;
  }

  /**
   * One entry an attempt that has ended; valid until another stream is asked for its own.
   * @param cluster of the stream
   */
  records(cluster: string): readonly AttemptRecord[] {
    const { earlier } = this.#rare;
    if (!this.ended || earlier.length === MAX_RECORDS) return earlier;
    this.fill(LAST, cluster);
    return earlier === NO_ENTRIES ? ONLY_LAST : [...earlier, LAST];
  }

  private fill(entry: Entry, cluster: string): void {
    entry.cluster = cluster;
    entry.address = this.address;
    entry.status = this.status;
    entry.grpcStatus = this.grpcStatusOfHead;
    entry.failure = this.failure;
    entry.startMs = (this.startedUs ?? 0) / 1000;
    entry.durationMs = this.headMs;
    entry.reused = this.reused;
    entry.spanId = this.spanId;
  }

  /** @param nowUs since the stream's start */
  begin(cluster: string, nowUs: number): void {
    if (this.ended) this.keepEarlier(cluster);
    this.flagsOfBegin();
    this.address = '';
    this.identity = undefined;
    this.line = undefined;
    this.connectedUs = undefined;
    this.sentUs = undefined;
    this.startedUs = nowUs;
    this.headUs = undefined;
    this.clearRare();
  }

  private clearRare(): void {
    const rare = this.#rare;
    if (rare === NO_RARE) return;
    rare.failure = '';
    rare.spanId = '';
    rare.retryDelayMs = -1;
  }

  private keepEarlier(cluster: string): void {
    const { earlier } = this.#rare;
    if (earlier.length === MAX_RECORDS) return;
    const entry = new Entry();
    this.fill(entry, cluster);
    this.ownRare().earlier = [...earlier, entry];
  }

  /** The attempt is over, and goes into the record. @param nowUs since the stream's start */
  end(nowUs: number): void {
    this.flagsOfEnd();
    this.headUs = nowUs - (this.startedUs ?? 0);
  }

  /** The head of the response came, `nowUs` after the stream's start. */
  answered(status: number, grpcStatus: number, outcome: Outcome, nowUs: number): void {
    this.flagsOfAnswer(status, grpcStatus, outcome);
    this.headUs = nowUs - (this.startedUs ?? 0);
  }

  reset(): void {
    this.resetFlags();
    this.address = '';
    this.identity = undefined;
    this.line = undefined;
    this.connectedUs = undefined;
    this.sentUs = undefined;
    this.startedUs = undefined;
    this.headUs = undefined;
    if (this.#rare === NO_RARE) return;
    this.clearRare();
    this.#rare.earlier = NO_ENTRIES;
  }
}
