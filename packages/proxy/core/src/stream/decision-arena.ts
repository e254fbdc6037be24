import type { AttemptRecord } from '@tulle/telemetry';
import type { HttpChain } from '../compile/compiled.ts';
import type { Decision, DecidedAttempt } from './decision.ts';
import type { Stream } from './stream.ts';

/**
 * Decisions of the last streams, written one behind the other into two arrays that are made once: numbers, and
 * references to strings that are there anyway. Nothing is allocated for a request, and memory is touched in order, which
 * costs a tenth of what an object for each request does.
 *
 * A record is, in numbers: notes, dropped, flags, status, duration, attempts, chain, then the notes, then for each attempt
 * start, duration, status (negative: over a kept-alive connection). In references: request id, authority, target as it
 * came, then what the flags say, then each attempt's address. Writing a reference to a new string is the dearest of it, so
 * there are as few as can be: chains are numbers, and path and query are cut from the target when they are read.
 */
export class DecisionArena {
  readonly #records: number;
  readonly #numbers: Int32Array;
  readonly #refs: unknown[];
  /** By record: where it begins, counted from the first ever. */
  readonly #numberStarts: Float64Array;
  readonly #refStarts: Float64Array;
  readonly #startMs: Float64Array;
  /** By their numbers in records. */
  readonly #chains: (HttpChain | undefined)[] = [];
  #chain: HttpChain | undefined;
  #chainNumber = 0;
  /** Where the next record goes, and how many were written, at most as many as are kept. */
  #next = 0;
  #size = 0;
  /** Numbers and references written so far, gaps at the arrays' ends included. */
  #numberHead = 0;
  #refHead = 0;

  /** @param records the most that are kept; fewer where they are long */
  constructor(records: number, numbersEach: number) {
    this.#records = records;
    this.#numbers = new Int32Array(powerOfTwo(Math.max(records * numbersEach, 1024)));
    this.#refs = Array.from({ length: powerOfTwo(Math.max(records * REFS_EACH, 256)) }, () => undefined);
    this.#numberStarts = new Float64Array(records);
    this.#refStarts = new Float64Array(records);
    this.#startMs = new Float64Array(records);
  }

  /** Writes down what was decided for a stream that is over. */
  put(stream: Stream): void {
    const { attempt, noteCount, code } = stream;
    const attempts = attempt.records('');
    const tried = attempts.length;
    const { peerIdentity } = stream.downstream.connection;
    const index = this.#next;
    this.#next = index + 1 === this.#records ? 0 : index + 1;
    if (this.#size < this.#records) this.#size++;

    let at = this.#numberRoom(HEAD + noteCount * 3 + tried * 3, index);
    const numbers = this.#numbers;
    let flags = code === '' ? 0 : HAS_CODE;
    if (stream.method !== 'GET') flags |= HAS_METHOD;
    if (peerIdentity !== undefined) flags |= HAS_PEER;
    if (stream.matchedPath !== '') flags |= HAS_MATCHED;
    if (stream.path !== stream.originalPath) flags |= HAS_PATH;
    numbers[at++] = noteCount;
    numbers[at++] = stream.notesDropped;
    numbers[at++] = flags;
    numbers[at++] = stream.status;
    numbers[at++] = micros(stream.engine.turn.nowMs - stream.startMs);
    numbers[at++] = tried;
    numbers[at++] = stream.chain === this.#chain ? this.#chainNumber : this.#numberOf(stream.chain);
    at = stream.copyNotes(numbers, at);
    for (let i = 0; i < tried; i++) {
      const { startMs, durationMs, status, reused } = attempts[i] as AttemptRecord;
      numbers[at++] = micros(startMs);
      numbers[at++] = micros(durationMs);
      numbers[at++] = reused ? -1 - status : status;
    }

    const refs = this.#refs;
    let ref = this.#refRoom(COMMON_REFS + MOST_OPTIONAL_REFS + tried, index);
    refs[ref++] = stream.requestId;
    refs[ref++] = stream.authority;
    refs[ref++] = stream.requestHead.path;
    if (flags !== 0) ref = this.#optional(stream, flags, ref, peerIdentity);
    for (let i = 0; i < tried; i++) refs[ref++] = (attempts[i] as AttemptRecord).address;
    this.#refHead += ref - (this.#refHead & (refs.length - 1));
    this.#startMs[index] = stream.startMs;
  }

  #optional(stream: Stream, flags: number, from: number, peerIdentity: string | undefined): number {
    const refs = this.#refs;
    let ref = from;
    if ((flags & HAS_CODE) !== 0) {
      refs[ref++] = stream.code;
      refs[ref++] = stream.details;
    }
    if ((flags & HAS_METHOD) !== 0) refs[ref++] = stream.method;
    if ((flags & HAS_PEER) !== 0) refs[ref++] = peerIdentity;
    if ((flags & HAS_MATCHED) !== 0) {
      refs[ref++] = stream.matchedPath;
      refs[ref++] = stream.matchedAuthority;
    }
    if ((flags & HAS_PATH) !== 0) refs[ref++] = stream.path;
    return ref;
  }

  /** Chains change seldom, and those of all listeners take turns. */
  #numberOf(chain: HttpChain): number {
    let number = this.#chains.indexOf(chain);
    if (number < 0) number = this.#chains.indexOf(undefined);
    if (number < 0) number = this.#chains.length;
    this.#chains[number] = chain;
    this.#chain = chain;
    this.#chainNumber = number;
    return number;
  }

  /** Where `size` numbers may be written in one piece. */
  #numberRoom(size: number, index: number): number {
    const mask = this.#numbers.length - 1;
    let at = this.#numberHead & mask;
    if (at + size > this.#numbers.length) {
      this.#numberHead += this.#numbers.length - at;
      at = 0;
    }
    this.#numberStarts[index] = this.#numberHead;
    this.#numberHead += size;
    return at;
  }

  /** Where at most `size` references may be written in one piece. */
  #refRoom(size: number, index: number): number {
    const mask = this.#refs.length - 1;
    let at = this.#refHead & mask;
    if (at + size > this.#refs.length) {
      this.#refHead += this.#refs.length - at;
      at = 0;
    }
    this.#refStarts[index] = this.#refHead;
    return at;
  }

  /** How many can be read. */
  get size(): number {
    let size = 0;
    for (const _ of this.#live()) size++;
    return size;
  }

  /** When the oldest began that can be read; `undefined` for none. */
  get oldestMs(): number | undefined {
    let oldest: number | undefined;
    for (const index of this.#live()) oldest = this.#startMs[index];
    return oldest;
  }

  /** Newest first. */
  all(): Decision[] {
    return [...this.#live()].map((index) => this.#read(index));
  }

  /** Decisions for a request id, newest first. */
  of(requestId: string): Decision[] {
    return [...this.#live()]
      .filter((index) => this.#refs[this.#refAt(index)] === requestId)
      .map((index) => this.#read(index));
  }

  /** Chains that decided, replaced ones too. */
  get chains(): readonly HttpChain[] {
    return this.#chains.filter((chain) => chain !== undefined);
  }

  /** Lets chains go: what they decided cannot be read in full any more. */
  forget(chains: ReadonlySet<HttpChain>): void {
    const forgotten = this.#chains.flatMap((chain, number) =>
      chain !== undefined && chains.has(chain) ? [number] : [],
    );
    if (forgotten.length === 0) return;
    // Their numbers are given anew, so records must not name them any more.
    for (const index of this.#live()) {
      const at = ((this.#numberStarts[index] as number) & (this.#numbers.length - 1)) + HEAD - 1;
      if (forgotten.includes(this.#numbers[at] as number)) this.#numbers[at] = -1;
    }
    for (const number of forgotten) this.#chains[number] = undefined;
    this.#chain = undefined;
  }

  #refAt(index: number): number {
    return (this.#refStarts[index] as number) & (this.#refs.length - 1);
  }

  /** Records that later ones have not written over, newest first. */
  *#live(): Generator<number> {
    for (let back = 1; back <= this.#size; back++) {
      const index = (this.#next - back + this.#records) % this.#records;
      if ((this.#numberStarts[index] as number) < this.#numberHead - this.#numbers.length) return;
      if ((this.#refStarts[index] as number) < this.#refHead - this.#refs.length) return;
      yield index;
    }
  }

  #read(index: number): Decision {
    const numbers = this.#numbers;
    const refs = this.#refs;
    let at = (this.#numberStarts[index] as number) & (numbers.length - 1);
    const [count, dropped, flags, status, duration, tried, chainNumber] = numbers.subarray(at, (at += HEAD));
    const notes = numbers.slice(at, (at += (count ?? 0) * 3));
    let ref = this.#refAt(index);
    const next = <T>(): T => refs[ref++] as T;
    const has = (flag: number): boolean => ((flags ?? 0) & flag) !== 0;
    const chain = this.#chains[chainNumber ?? -1];
    const requestId = next<string>();
    const authority = next<string>();
    const [originalPath, query] = splitTarget(next<string>());
    const code = has(HAS_CODE) ? next<string>() : '';
    const details = has(HAS_CODE) ? next<string>() : '';
    const method = has(HAS_METHOD) ? next<string>() : 'GET';
    const peerIdentity = has(HAS_PEER) ? next<string>() : undefined;
    const matched = has(HAS_MATCHED)
      ? { path: next<string>(), authority: next<string>() }
      : { path: '', authority };
    const sentPath = has(HAS_PATH) ? next<string>() : originalPath;
    const attempts = Array.from({ length: tried ?? 0 }, (): DecidedAttempt => {
      const [startUs = 0, durationUs = 0, answer = 0] = numbers.subarray(at, (at += 3));
      return {
        address: next<string>(),
        status: answer < 0 ? -1 - answer : answer,
        startMs: startUs / 1000,
        durationMs: durationUs / 1000,
        reused: answer < 0,
      };
    });
    return {
      notes,
      dropped: dropped ?? 0,
      attempts,
      chain,
      peerIdentity,
      requestId,
      method,
      authority: matched.authority,
      path: matched.path === '' ? sentPath : matched.path,
      originalPath,
      query,
      sentPath,
      status: status ?? 0,
      code,
      details,
      startMs: this.#startMs[index] as number,
      durationMs: (duration ?? 0) / 1000,
    };
  }
}

/** Numbers before the notes. */
const HEAD = 7;
/** References of a common record, rounded up. */
const REFS_EACH = 6;
/** References that every record has. */
const COMMON_REFS = 3;
/** References that only some records have, but for those of attempts. */
const MOST_OPTIONAL_REFS = 7;

const HAS_CODE = 1;
const HAS_METHOD = 2;
const HAS_PEER = 4;
const HAS_MATCHED = 8;
const HAS_PATH = 16;

/** Path and query. CONNECT has none. */
function splitTarget(target: string): [path: string, query: string | undefined] {
  if (target === '') return ['/', undefined];
  const at = target.indexOf('?');
  return at < 0 ? [target, undefined] : [target.slice(0, at), target.slice(at + 1)];
}

/** Microseconds as a 32-bit number; what is longer than 35 minutes is told as that. */
function micros(ms: number): number {
  return ms < 2_147_000 ? (ms * 1000) | 0 : 2_147_000_000;
}

function powerOfTwo(least: number): number {
  return 2 ** Math.ceil(Math.log2(least));
}
