import { FieldTable } from '@tulle/fields';
import { DYNAMIC_METADATA, FILTER_STATE, type HttpStream, type ResponseFlag } from '@tulle/filter';
import { RequestHead, ResponseHead } from '@tulle/http1';
import type { WheelTimer } from '@tulle/time';
import { EMPTY_TABLE, type PhaseTable } from '../chain/tables.ts';
import type { CompiledRoute, ForwardTarget, HttpChain } from '../compile/compiled.ts';
import type { Services } from '../services.ts';
import type { Downstream, UpstreamCluster, UpstreamEndpoint, UpstreamStream } from '../sides.ts';
import { Attempt } from './attempt.ts';
import { ReplayBuffer } from '../attempts/replay.ts';
import { copyNotes, isLongNote, writeNote } from './notes.ts';
import { StreamExtras } from './stream-extras.ts';
import { inheritState } from './inherit-state.ts';

export { AT_ATTEMPTS, AT_END, AT_REQUEST, AT_RESPONSE } from './stream-flags.ts';

/** Decision notes a stream keeps; later ones are dropped, and `notesDropped` counts them. */
export const MAX_NOTES = 64;
/** First bit of where they end, above their number. */
const NOTES_END_AT = 8;

/** Shared by streams that have none: never written. Not frozen, so that they are of the same kind as those that others have. */
const NO_FIELDS: FieldTable = new FieldTable();
const NO_NOTES: number[] = [];

/** The stream as filters see it; `views.ts` makes it. */
export interface LentStream extends HttpStream {
  /** The stream is over: whatever is read of it throws. */
  revoke(): void;
}

/**
 * One HTTP request with its response while it is walked through the chain: pooled (decision D2), plain fields, no
 * logic but being reset. Filters see it through `views.ts` only.
 *
 * A stream may live for hours and do nothing, ten thousand of them in a process. So what only some streams need (timers,
 * lists, the fields of a reply) is made when it is first needed; a pooled object keeps what is needed often.
 */
export class Stream extends StreamExtras {
  readonly engine: Services;
  /** Grows each time that the object is used again: a continuation of an earlier use compares and gives up. */
  generation = 0;
  /** Hook promises under way; the object is not pooled again while one is. */
  pendingHooks = 0;

  // — where it came from, and what is in force —
  downstream!: Downstream;
  chain!: HttpChain;
  table: PhaseTable = EMPTY_TABLE;
  route: CompiledRoute | undefined = undefined;
  target: ForwardTarget | undefined = undefined;
  /** Slot of the hook that runs or ran last in the request head phase; `rematch` goes on after it. */
  slot = -1;
  /** Of the filters, by slot; made for the first that has one. */
  states: unknown[] | undefined = undefined;
  view: LentStream | undefined = undefined;

  // — request (also what route matching reads) —
  readonly requestHead: RequestHead = new RequestHead();
  method = '';
  path = '';
  query: string | undefined = undefined;
  authority = '';
  requestId = '';
  originalPath = '';
  originalQuery: string | undefined = undefined;
  requestLength = -1;

  // — attempts —
  readonly attempt: Attempt = new Attempt();
  attemptCount = 0;
  cluster: UpstreamCluster | undefined = undefined;
  endpoint: UpstreamEndpoint | undefined = undefined;
  upstream: UpstreamStream | undefined = undefined;
  /** Body that may be kept so that it can be sent again. */
  maxReplayBytes = 0;
  #replay: ReplayBuffer | undefined = undefined;

  // — response —
  readonly responseHead: ResponseHead = new ResponseHead();
  /** Fields of the response under way: the endpoint's or the local reply's. */
  responseFields: FieldTable = NO_FIELDS;
  /** 0 until there is a response. */
  status = 0;
  responseLength = -1;

  // — result —
  /** See `notes.ts`; what lies behind those of this stream is an earlier one's. */
  #notes: number[] = NO_NOTES;
  /** How many there are, and above {@link NOTES_END_AT} how many integers they take. */
  #noteMark = 0;
  startMs = 0;
  #requestEndUs: number | undefined = undefined;
  #firstByteUs: number | undefined = undefined;
  bytesReceived = 0;
  bytesSent = 0;

  // — timers: made when they are armed first, then kept —
  requestTimer: WheelTimer | undefined = undefined;
  idleTimer: WheelTimer | undefined = undefined;
  #limitEndUs: number | undefined = undefined;
  idleTimeoutMs = 0;
  /** When a byte moved last, whole milliseconds after the start. */
  #movedAfterMs = 0;

  constructor(engine: Services) {
    super();
    this.engine = engine;
  }

  /** The request's body as far as it is kept; made for the first piece. */
  get replay(): ReplayBuffer {
    const replay = (this.#replay ??= new ReplayBuffer(this.engine.replayAccount));
    replay.maxBytes = this.maxReplayBytes;
    return replay;
  }

  /** The same, where there was one. */
  get keptReplay(): ReplayBuffer | undefined {
    return this.#replay;
  }

  get headers(): FieldTable {
    return this.requestHead.fields;
  }

  /** Takes the object into use. */
  begin(downstream: Downstream, chain: HttpChain, nowMs: number): void {
    this.generation++;
    this.live = true;
    this.downstream = downstream;
    this.chain = chain;
    this.startMs = nowMs;
    this.engine.streams.active++;
    chain.retain();
    const { state } = downstream.connection;
    if (state !== undefined) inheritState(this, state);
  }

  /** Puts every field back. The order of what must happen at the end is `chain/complete.ts`. */
  reset(): void {
    this.resetFlags();
    this.resetExtras();
    this.table = EMPTY_TABLE;
    this.route = undefined;
    this.target = undefined;
    this.slot = -1;
    this.view = undefined;
    this.method = '';
    this.path = '';
    this.query = undefined;
    this.authority = '';
    this.requestId = '';
    this.originalPath = '';
    this.originalQuery = undefined;
    this.requestLength = -1;
    this.#limitEndUs = undefined;
    this.attempt.reset();
    this.attemptCount = 0;
    this.cluster = undefined;
    this.endpoint = undefined;
    this.upstream = undefined;
    this.#replay?.reset();
    this.responseFields = NO_FIELDS;
    this.status = 0;
    this.responseLength = -1;
    this.#noteMark = 0;
    this.#requestEndUs = undefined;
    this.#firstByteUs = undefined;
    this.bytesReceived = 0;
    this.bytesSent = 0;
    this.requestTimer?.cancel();
    this.idleTimer?.cancel();
    this.idleTimeoutMs = 0;
    this.#movedAfterMs = 0;
  }

  /** By which the caller came: as a proxy before this one says where that is believed, else as its connection did. */
  get scheme(): 'http' | 'https' {
    return this.toldScheme ?? (this.downstream.connection.tls ? 'https' : 'http');
  }

  /** Of the status: the endpoint's own, or `''` for the standard one. */
  get reason(): string {
    return this.ownReason ? this.responseHead.reason : '';
  }

  /** Whether the caller proved who it is. */
  get provenPeer(): boolean {
    return this.downstream.connection.peerIdentity !== undefined;
  }

  /** What filters have found out, by namespace. */
  get metadata(): Readonly<Record<string, unknown>> | undefined {
    return this.getSlot(DYNAMIC_METADATA);
  }

  /** Texts that filters have put down, by key. */
  get filterState(): Readonly<Record<string, string>> | undefined {
    return this.getSlot(FILTER_STATE);
  }

  // — times: V8 keeps a whole number in the field itself, for any other it makes an object —

  /** Whole microseconds since the start, rounded down: no moment is after the end of the stream, which is not rounded. */
  microsAt(nowMs: number): number {
    return Math.floor((nowMs - this.startMs) * 1000);
  }

  /** From the start to the whole of the request; -1 before. */
  get requestEndMs(): number {
    return this.#requestEndUs === undefined ? -1 : this.#requestEndUs / 1000;
  }

  /** The request is whole now. */
  receivedAt(nowMs: number): void {
    this.#requestEndUs = this.microsAt(nowMs);
  }

  /** From the start to the head of the response; -1 before. */
  get firstByteMs(): number {
    return this.#firstByteUs === undefined ? -1 : this.#firstByteUs / 1000;
  }

  /** The head of the response goes out now. */
  answersAt(nowMs: number): void {
    this.#firstByteUs = this.microsAt(nowMs);
  }

  /** From the beginning of the attempt whose response is delivered to that response's head; -1 without one. */
  get upstreamServiceMs(): number {
    return this.served ? this.attempt.headMs : -1;
  }

  /** When the attempt under way began, on the clock of {@link startMs}, to a microsecond. */
  get attemptStartMs(): number {
    return this.startMs + (this.attempt.startedUs ?? 0) / 1000;
  }

  /** When the route's timeout is over, on the clock of {@link startMs}, to a microsecond; 0 while it does not run. */
  get limitEndMs(): number {
    return this.#limitEndUs === undefined ? 0 : this.startMs + this.#limitEndUs / 1000;
  }

  /** Whether the route's timeout runs. */
  get limited(): boolean {
    return this.#limitEndUs !== undefined;
  }

  set limitEndMs(value: number) {
    this.#limitEndUs = Math.round((value - this.startMs) * 1000);
  }

  /** A byte moved. The idle timer looks at it when it fires, so that moving bytes arms nothing. */
  moved(nowMs: number): void {
    this.#movedAfterMs = Math.ceil(nowMs - this.startMs);
  }

  /** When a byte moved last, on the clock of {@link startMs}, at most a millisecond too late. */
  get movedMs(): number {
    return this.startMs + this.#movedAfterMs;
  }

  /** Uniform in [0, 1), one for the whole request. */
  draw(): number {
    if (this.drawn < 0) this.drawn = this.engine.random();
    return this.drawn;
  }

  /** Decision notes so far. */
  get noteCount(): number {
    return this.#noteMark & (MAX_NOTES * 2 - 1);
  }

  /** Writes a decision note (D10). @param site a filter's slot or one of `SITE_…`: 16 bits with the sign */
  note(site: number, reason: number, operand: number): void {
    const mark = this.#noteMark;
    const count = mark & (MAX_NOTES * 2 - 1);
    if (count >= MAX_NOTES) {
      this.notesDropped++;
      return;
    }
    const at = mark >> NOTES_END_AT;
    if (at + (isLongNote(reason) ? 3 : 2) > this.#notes.length) this.growNotes();
    const end = writeNote(this.#notes, at, site, reason, operand);
    this.#noteMark = (end << NOTES_END_AT) | (count + 1);
  }

  /** Copies them as triples (site, reason, operand) to `into[at…]`. @returns where the last one ends */
  copyNotes(into: Int32Array, at: number): number {
    return copyNotes(this.#notes, this.noteCount, into, at);
  }

  /** Room for two more: of exactly that size, since it lives as long as the stream. */
  private growNotes(): void {
    const before = this.#notes;
    this.#notes = Array.from({ length: before.length + 4 }, (_, i) => before[i] ?? 0);
  }

  // — what is made when it is needed —

  armRequestTimer(delayMs: number, nowMs?: number): void {
    const { engine } = this;
    (this.requestTimer ??= engine.wheel.timer(engine.doors.onRequestTimeout, this)).arm(delayMs, nowMs);
  }

  armPerTryTimer(delayMs: number): void {
    const { engine } = this;
    (this.perTryTimer ??= engine.wheel.timer(engine.doors.onPerTryTimeout, this)).arm(delayMs);
  }

  armTryIdleTimer(delayMs: number): void {
    const { engine } = this;
    (this.tryIdleTimer ??= engine.wheel.timer(engine.doors.onTryIdle, this)).arm(delayMs);
  }

  armIdleTimer(delayMs: number, nowMs?: number): void {
    const { engine } = this;
    (this.idleTimer ??= engine.wheel.timer(engine.doors.onIdleTimeout, this)).arm(delayMs, nowMs);
  }

  armReceiveTimer(delayMs: number): void {
    const { engine } = this;
    (this.receiveTimer ??= engine.wheel.timer(engine.doors.onReceiveTimeout, this)).arm(delayMs);
  }

  armDurationTimer(delayMs: number): void {
    const { engine } = this;
    (this.durationTimer ??= engine.wheel.timer(engine.doors.onDurationTimeout, this)).arm(delayMs);
  }

  armLogTimer(delayMs: number): void {
    const { engine } = this;
    (this.logTimer ??= engine.wheel.timer(engine.doors.onLogInterval, this)).arm(delayMs);
  }

  armRetryTimer(delayMs: number): void {
    const { engine } = this;
    (this.retryTimer ??= engine.wheel.timer(engine.doors.onRetryDelay, this)).arm(delayMs);
  }

  /** Adds a response flag, once. */
  flag(flag: ResponseFlag): void {
    if (flag !== '-' && !this.flags.includes(flag)) this.flags = [...this.flags, flag];
  }
}

/** What the caller speaks, as records and filters say it. */
export function protocolOf({ http2, requestHead }: Stream): 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2' {
  return http2 ? 'HTTP/2' : requestHead.minorVersion === 0 ? 'HTTP/1.0' : 'HTTP/1.1';
}
