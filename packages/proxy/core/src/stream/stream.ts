import { FieldTable } from '@tulle/fields';
import type { HttpStream, ResponseFlag, Slot } from '@tulle/filter';
import { BODY_NONE, RequestHead, ResponseHead, type BodyKind } from '@tulle/http1';
import type { WheelTimer } from '@tulle/time';
import { EMPTY_TABLE, type DataStep, type FilterInstance, type PhaseTable } from '../chain/tables.ts';
import type { Bytes } from '../bytes.ts';
import type { CompiledRoute, ForwardTarget, HttpChain } from '../compile/compiled.ts';
import type { Services } from '../services.ts';
import type { Downstream, UpstreamCluster, UpstreamEndpoint, UpstreamStream } from '../sides.ts';
import { Attempt } from './attempt.ts';
import { MessageCounter } from '../grpc/message-counter.ts';
import { ReplayBuffer } from '../attempts/replay.ts';
import type { MirrorFeed } from './mirror-feed.ts';
import { StreamTrace } from './stream-trace.ts';

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
const NO_TRACE: StreamTrace = new StreamTrace();
const NO_SLOTS: readonly number[] = [];
const NO_ENDPOINTS: readonly UpstreamEndpoint[] = [];
const NO_FLAGS: readonly ResponseFlag[] = [];
const NONE_RETIRED: readonly RetiredFilter[] = [];

/** A filter that ran and is not in force any more after a rematch. */
export interface RetiredFilter {
  readonly filter: FilterInstance;
  readonly config: unknown;
}

/** The stream as filters see it; `views.ts` makes it. */
export interface LentStream extends HttpStream {
  /** The stream is over: whatever is read of it throws. */
  revoke(): void;
}

/** The data hooks of one direction; `chain/body.ts` makes them. */
export interface BodyHooks {
  /** A hook put other bytes in the place of those that came. */
  readonly changed: boolean;
  /** A piece of body. @returns whether `chunk` is kept (D1) */
  push(chunk: Bytes, start: number, end: number, owned: boolean): boolean;
  /** No more body. */
  end(): void;
  revoke(): void;
}

/**
 * One HTTP request with its response while it is walked through the chain: pooled (decision D2), plain fields, no
 * logic but being reset. Filters see it through `views.ts` only.
 *
 * A stream may live for hours and do nothing, ten thousand of them in a process. So what only some streams need (timers,
 * lists, the fields of a reply) is made when it is first needed; a pooled object keeps what is needed often.
 */
export class Stream {
  readonly engine: Services;
  /** Grows each time that the object is used again: a continuation of an earlier use compares and gives up. */
  generation = 0;
  /** Between begin and complete. */
  live = false;
  phase: typeof AT_REQUEST | typeof AT_ATTEMPTS | typeof AT_RESPONSE | typeof AT_END = AT_REQUEST;
  /** Hook promises under way; the object is not pooled again while one is. */
  pendingHooks = 0;

  // — where it came from, and what is in force —
  downstream!: Downstream;
  chain!: HttpChain;
  table: PhaseTable = EMPTY_TABLE;
  route: CompiledRoute | undefined = undefined;
  /** A route was looked for, found or not. */
  routed = false;
  target: ForwardTarget | undefined = undefined;
  /** Slot of the hook that runs or ran last in the request head phase; `rematch` goes on after it. */
  slot = -1;
  rematched = false;
  /** Filters that ran and are not in force any more after a rematch; they complete too. */
  retired: readonly RetiredFilter[] = NONE_RETIRED;
  /** Of the filters, by slot; made for the first that has one. */
  states: unknown[] | undefined = undefined;
  view: LentStream | undefined = undefined;
  #slots: Map<string, unknown> | undefined = undefined;

  // — request (also what route matching reads) —
  /** The caller speaks HTTP/2. */
  http2 = false;
  readonly requestHead: RequestHead = new RequestHead();
  method = '';
  path = '';
  query: string | undefined = undefined;
  authority = '';
  readonly headers: FieldTable;
  requestTrailers: FieldTable | undefined = undefined;
  requestId = '';
  /** Written by {@link ownTrace} only. */
  trace: StreamTrace = NO_TRACE;
  #ownTrace: StreamTrace | undefined = undefined;
  originalPath = '';
  originalQuery: string | undefined = undefined;
  requestBodyKind: BodyKind = BODY_NONE;
  requestLength = -1;
  /** The caller sent the end of its request. */
  requestReceived = false;
  /** Request body passed all data hooks up to the end. */
  requestEnded = false;
  /** What still comes of the request is thrown away. */
  discardRequest = false;
  /** Expect: 100-continue, and nobody has said 100 or anything final. */
  expectsContinue = false;
  requestPipe: BodyHooks | undefined = undefined;
  /** Slots of the filters that let the request's body pass untouched. */
  requestPassing: readonly number[] = NO_SLOTS;
  /** The data hooks of the request that are left then, and of which table. */
  requestSteps: readonly DataStep[] | null = null;
  requestStepsOf: PhaseTable | undefined = undefined;
  /** Upgrade protocols asked for, when the route lets them pass. */
  upgrade: string | undefined = undefined;
  isConnect = false;
  /** A gRPC call, by its content type. */
  grpc = false;
  /** What it says, counted where it is gRPC: behind the request's hooks, before the response's. */
  readonly requestMessages: MessageCounter = new MessageCounter();
  readonly responseMessages: MessageCounter = new MessageCounter();
  /** When the caller of a gRPC call stops waiting, on the clock of `startMs`; 0: it does not say. */
  deadlineMs = 0;

  /** By which it falls into the shares that routes take; below 0: it was not asked for yet. */
  drawn = -1;

  // — attempts —
  readonly attempt: Attempt = new Attempt();
  attemptCount = 0;
  tried: readonly UpstreamEndpoint[] = NO_ENDPOINTS;
  cluster: UpstreamCluster | undefined = undefined;
  endpoint: UpstreamEndpoint | undefined = undefined;
  upstream: UpstreamStream | undefined = undefined;
  /** Linked list of a pool's waiters. */
  waiting = false;
  readonly replay: ReplayBuffer;
  /** Something of the request went to an endpoint, in this attempt or an earlier one. */
  sent = false;
  /** The end of the request went to the current attempt. */
  attemptRequestEnded = false;
  retryRefused = '';
  staleReplays = 0;
  /** Copies of the request that are sent elsewhere. */
  mirrors: MirrorFeed | undefined = undefined;
  /** Of what it has in common with others, where its cluster goes by that; below 0: nothing. */
  hash = -1;
  /** `Set-Cookie` by which the caller's next request has the same hash. */
  hashCookie = '';
  /** Whether the cluster counts this stream as an active request. */
  admitted = false;
  /** Request fields before attempt filters touched them; made only where there are such filters. */
  savedFields: FieldTable | undefined = undefined;
  /** Response trailers, copied from the decoder that goes on to other streams. */
  savedTrailers: FieldTable | undefined = undefined;

  // — response —
  readonly responseHead: ResponseHead = new ResponseHead();
  #localFields: FieldTable | undefined = undefined;
  /** Fields of the response under way: the endpoint's or the local reply's. */
  responseFields: FieldTable = NO_FIELDS;
  responseTrailers: FieldTable | undefined = undefined;
  /** 0 until there is a response. */
  status = 0;
  reason = '';
  responseLocal = false;
  responseBodyKind: BodyKind = BODY_NONE;
  responseLength = -1;
  /** The head went to the caller: nothing can be answered otherwise any more. */
  responseStarted = false;
  responseEnded = false;
  /** Head hooks of the response are done; body may pass. */
  responseHeadDone = false;
  /** The head is held until buffered body hooks are done. */
  responseHeadHeld = false;
  responsePipe: BodyHooks | undefined = undefined;
  /** Slots of the filters that let the response's body pass untouched. */
  passing: readonly number[] = NO_SLOTS;
  replyBody: Bytes | undefined = undefined;
  /** `reply()` was called and is not carried out yet. */
  replyPending = false;

  // — result —
  code = '';
  details = '';
  flags: readonly ResponseFlag[] = NO_FLAGS;
  /** Triples (site, reason, operand), 32-bit integers, in `[0, noteCount * 3)`; what lies behind is an earlier stream's. */
  readonly notes: number[] = [];
  noteCount = 0;
  notesDropped = 0;
  /** Path and authority that routes were matched by, where a rewrite changed them; else `''`. */
  matchedPath = '';
  matchedAuthority = '';
  startMs = 0;
  startEpochMs = 0;
  firstByteMs = -1;
  upstreamServiceMs = -1;
  bytesReceived = 0;
  bytesSent = 0;

  // — timers: made when they are armed first, then kept —
  requestTimer: WheelTimer | undefined = undefined;
  perTryTimer: WheelTimer | undefined = undefined;
  idleTimer: WheelTimer | undefined = undefined;
  retryTimer: WheelTimer | undefined = undefined;
  /** When the route's timeout is over; 0 while it does not run. */
  limitEndMs = 0;
  idleTimeoutMs = 0;
  /** When a byte moved last; the idle timer looks at it when it fires, so that moving bytes arms nothing. */
  movedMs = 0;

  constructor(engine: Services) {
    this.engine = engine;
    this.headers = this.requestHead.fields;
    this.replay = new ReplayBuffer(engine.replayAccount);
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
    this.live = false;
    this.http2 = false;
    this.phase = AT_REQUEST;
    this.table = EMPTY_TABLE;
    this.route = undefined;
    this.routed = false;
    this.target = undefined;
    this.slot = -1;
    this.rematched = false;
    this.retired = NONE_RETIRED;
    if (this.#slots !== undefined && this.#slots.size > 0) this.#slots.clear();
    this.view = undefined;
    this.method = '';
    this.path = '';
    this.query = undefined;
    this.authority = '';
    this.requestTrailers = undefined;
    this.requestId = '';
    if (this.trace !== NO_TRACE) {
      this.trace.reset();
      this.trace = NO_TRACE;
    }
    this.originalPath = '';
    this.originalQuery = undefined;
    this.requestBodyKind = BODY_NONE;
    this.requestLength = -1;
    this.requestReceived = false;
    this.requestEnded = false;
    this.discardRequest = false;
    this.expectsContinue = false;
    this.requestPipe = undefined;
    this.requestPassing = NO_SLOTS;
    this.requestSteps = null;
    this.requestStepsOf = undefined;
    this.upgrade = undefined;
    this.isConnect = false;
    this.drawn = -1;
    this.grpc = false;
    this.requestMessages.reset();
    this.responseMessages.reset();
    this.deadlineMs = 0;
    this.limitEndMs = 0;
    this.attempt.reset();
    this.attemptCount = 0;
    this.tried = NO_ENDPOINTS;
    this.cluster = undefined;
    this.endpoint = undefined;
    this.upstream = undefined;
    this.waiting = false;
    this.replay.reset();
    this.sent = false;
    this.attemptRequestEnded = false;
    this.retryRefused = '';
    this.staleReplays = 0;
    this.mirrors = undefined;
    this.hash = -1;
    if (this.hashCookie !== '') this.hashCookie = '';
    this.admitted = false;
    this.#localFields?.reset();
    this.responseFields = NO_FIELDS;
    this.responseTrailers = undefined;
    this.status = 0;
    this.reason = '';
    this.responseLocal = false;
    this.responseBodyKind = BODY_NONE;
    this.responseLength = -1;
    this.responseStarted = false;
    this.responseEnded = false;
    this.responseHeadDone = false;
    this.responseHeadHeld = false;
    this.responsePipe = undefined;
    this.passing = NO_SLOTS;
    this.replyBody = undefined;
    this.replyPending = false;
    this.code = '';
    this.details = '';
    this.flags = NO_FLAGS;
    this.noteCount = 0;
    this.notesDropped = 0;
    this.matchedPath = '';
    this.matchedAuthority = '';
    this.firstByteMs = -1;
    this.upstreamServiceMs = -1;
    this.bytesReceived = 0;
    this.bytesSent = 0;
    this.requestTimer?.cancel();
    this.perTryTimer?.cancel();
    this.idleTimer?.cancel();
    this.retryTimer?.cancel();
    this.idleTimeoutMs = 0;
  }

  get scheme(): string {
    return this.downstream.connection.tls ? 'https' : 'http';
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
    const { notes } = this;
    const at = this.noteCount++ * 3;
    if (at === notes.length) {
      notes.push(site | 0, reason | 0, operand | 0);
      return;
    }
    notes[at] = site | 0;
    notes[at + 1] = reason | 0;
    notes[at + 2] = operand | 0;
  }

  // — what is made when it is needed —

  /** Fields of a reply of our own. */
  get localFields(): FieldTable {
    return (this.#localFields ??= new FieldTable());
  }

  /** Where the trace is written down. */
  ownTrace(): StreamTrace {
    return (this.trace = this.#ownTrace ??= new StreamTrace());
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

  armRetryTimer(delayMs: number): void {
    const { engine } = this;
    (this.retryTimer ??= engine.wheel.timer(engine.doors.onRetryDelay, this)).arm(delayMs);
  }

  /** Adds a response flag, once. */
  flag(flag: ResponseFlag): void {
    if (flag !== '-' && !this.flags.includes(flag)) this.flags = [...this.flags, flag];
  }

  /** The slot value of a filter, for the view. */
  getSlot<T>(slot: Slot<T>): T | undefined {
    return this.#slots?.get(slot.name) as T | undefined;
  }

  setSlot<T>(slot: Slot<T>, value: T): void {
    (this.#slots ??= new Map<string, unknown>()).set(slot.name, value);
  }
}

/** What the caller speaks, as records and filters say it. */
export function protocolOf({ http2, requestHead }: Stream): 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2' {
  return http2 ? 'HTTP/2' : requestHead.minorVersion === 0 ? 'HTTP/1.0' : 'HTTP/1.1';
}
