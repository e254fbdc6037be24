import { FieldTable } from '@tulle/fields';
import type { HttpStream, ResponseFlag } from '@tulle/filter';
import { BODY_NONE, RequestHead, ResponseHead, type BodyKind } from '@tulle/http1';
import type { WheelTimer } from '@tulle/time';
import { EMPTY_TABLE, type PhaseTable } from '../chain/tables.ts';
import type { CompiledRoute, ForwardTarget, HttpChain } from '../compile/compiled.ts';
import type { Services } from '../services.ts';
import type { Downstream, UpstreamCluster, UpstreamEndpoint, UpstreamStream } from '../sides.ts';
import { Attempt } from './attempt.ts';
import { ReplayBuffer } from '../attempts/replay.ts';
import { StreamExtras } from './stream-extras.ts';

/** Decision notes a stream keeps; later ones are dropped, and `notesDropped` counts them. */
export const MAX_NOTES = 64;

/** Where a stream stands in its walk; only grows, except that an attempt may be repeated. */
export const AT_REQUEST = 0;
/** The upstream is being asked. */
export const AT_ATTEMPTS = 1;
/** Response hooks run or the response is under way. */
export const AT_RESPONSE = 2;
/** Everything was said; the request may still be drained. */
export const AT_END = 3;

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
  phase: typeof AT_REQUEST | typeof AT_ATTEMPTS | typeof AT_RESPONSE | typeof AT_END = AT_REQUEST;
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
  requestBodyKind: BodyKind = BODY_NONE;
  requestLength = -1;

  // — attempts —
  readonly attempt: Attempt = new Attempt();
  attemptCount = 0;
  cluster: UpstreamCluster | undefined = undefined;
  endpoint: UpstreamEndpoint | undefined = undefined;
  upstream: UpstreamStream | undefined = undefined;
  /** Body that may be kept so that it can be sent again. */
  maxReplayBytes = 0;
  #scheme: 'http' | 'https' | undefined = undefined;
  #replay: ReplayBuffer | undefined = undefined;

  // — response —
  readonly responseHead: ResponseHead = new ResponseHead();
  #localFields: FieldTable | undefined = undefined;
  /** Fields of the response under way: the endpoint's or the local reply's. */
  responseFields: FieldTable = NO_FIELDS;
  /** 0 until there is a response. */
  status = 0;
  reason = '';
  responseBodyKind: BodyKind = BODY_NONE;
  responseLength = -1;

  // — result —
  /** Triples (site, reason, operand), 32-bit integers, in `[0, noteCount * 3)`; what lies behind is an earlier stream's. */
  notes: number[] = NO_NOTES;
  noteCount = 0;
  startMs = 0;
  /** The request was received whole; -1 before. */
  requestEndMs = -1;
  firstByteMs = -1;
  upstreamServiceMs = -1;
  bytesReceived = 0;
  bytesSent = 0;

  // — timers: made when they are armed first, then kept —
  requestTimer: WheelTimer | undefined = undefined;
  idleTimer: WheelTimer | undefined = undefined;
  /** When the route's timeout is over; 0 while it does not run. */
  limitEndMs = 0;
  idleTimeoutMs = 0;
  /** When a byte moved last; the idle timer looks at it when it fires, so that moving bytes arms nothing. */
  movedMs = 0;

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
    this.movedMs = nowMs;
    this.engine.streams.active++;
    chain.retain();
  }

  /** Puts every field back. The order of what must happen at the end is `chain/complete.ts`. */
  reset(): void {
    this.resetFlags();
    this.resetExtras();
    this.phase = AT_REQUEST;
    this.table = EMPTY_TABLE;
    this.route = undefined;
    this.target = undefined;
    this.slot = -1;
    this.view = undefined;
    this.method = '';
    this.path = '';
    this.query = undefined;
    this.authority = '';
    this.#scheme = undefined;
    this.requestId = '';
    this.originalPath = '';
    this.originalQuery = undefined;
    this.requestBodyKind = BODY_NONE;
    this.requestLength = -1;
    this.limitEndMs = 0;
    this.attempt.reset();
    this.attemptCount = 0;
    this.cluster = undefined;
    this.endpoint = undefined;
    this.upstream = undefined;
    this.#replay?.reset();
    this.#localFields?.reset();
    this.responseFields = NO_FIELDS;
    this.status = 0;
    this.reason = '';
    this.responseBodyKind = BODY_NONE;
    this.responseLength = -1;
    this.noteCount = 0;
    this.requestEndMs = -1;
    this.firstByteMs = -1;
    this.upstreamServiceMs = -1;
    this.bytesReceived = 0;
    this.bytesSent = 0;
    this.requestTimer?.cancel();
    this.idleTimer?.cancel();
    this.idleTimeoutMs = 0;
  }

  /** By which the caller came: as a proxy before this one says where that is believed, else as its connection did. */
  get scheme(): 'http' | 'https' {
    return this.#scheme ?? (this.downstream.connection.tls ? 'https' : 'http');
  }

  set scheme(scheme: 'http' | 'https') {
    this.#scheme = scheme;
  }

  /** Whether the caller proved who it is. */
  get provenPeer(): boolean {
    return this.downstream.connection.peerIdentity !== undefined;
  }

  /** Uniform in [0, 1), one for the whole request. */
  draw(): number {
    if (this.drawn < 0) this.drawn = this.engine.random();
    return this.drawn;
  }

  /** Writes a decision note (D10). */
  note(site: number, reason: number, operand: number): void {
    if (this.noteCount >= MAX_NOTES) {
      this.notesDropped++;
      return;
    }
    let { notes } = this;
    const at = this.noteCount++ * 3;
    if (at === notes.length) notes = this.#moreNotes();
    notes[at] = site | 0;
    notes[at + 1] = reason | 0;
    notes[at + 2] = operand | 0;
  }

  /** Room for two more: of exactly that size, since it lives as long as the stream. */
  #moreNotes(): number[] {
    const before = this.notes;
    return (this.notes = Array.from({ length: before.length + 6 }, (_, i) => before[i] ?? 0));
  }

  // — what is made when it is needed —

  /** Fields of a reply of our own. */
  get localFields(): FieldTable {
    return (this.#localFields ??= new FieldTable());
  }

  armRequestTimer(delayMs: number, nowMs?: number): void {
    const { engine } = this;
    (this.requestTimer ??= engine.wheel.timer(engine.doors.onRequestTimeout, this)).arm(delayMs, nowMs);
  }

  armPerTryTimer(delayMs: number): void {
    const { engine } = this;
    (this.perTryTimer ??= engine.wheel.timer(engine.doors.onPerTryTimeout, this)).arm(delayMs);
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
