import { FieldTable } from '@tulle/fields';
import { TulleError, type Exchange, type ExchangeEvents } from '@tulle/filter';
import { BODY_CHUNKED, BODY_NONE } from '@tulle/http1';
import { requestData, requestEnd } from '../chain/request-body.ts';
import type { ForwardTarget, HttpChain } from '../compile/compiled.ts';
import type { Engine } from '../engine.ts';
import type { PauseReason } from '../sides.ts';
import type { Stream } from '../stream/stream.ts';
import type { TurnTask } from '../turn.ts';
import { OwnCall, type OutgoingHead } from './own-call.ts';

/** Kept until a connection has taken it, so that one which had gone costs nothing: first messages are small. */
const MAX_KEPT_BYTES = 65_536;

/** A call that a filter talks on: what it sends goes out as it comes, what is answered goes to it likewise. */
export class ExchangeCall extends OwnCall implements TurnTask {
  readonly #chain: HttpChain;
  readonly #target: ForwardTarget;
  readonly #events: ExchangeEvents;
  readonly #done: (call: ExchangeCall) => void;
  #begun = false;
  #sentAll = false;
  /** Nothing more is told. */
  #silent = false;
  #trailers: FieldTable | undefined;
  #whole = false;
  #paused = 0;

  /** @param done called once, when it is over */
  constructor(
    engine: Engine,
    head: OutgoingHead,
    { chain, target }: { readonly chain: HttpChain; readonly target: ForwardTarget },
    events: ExchangeEvents,
    done: (call: ExchangeCall) => void,
  ) {
    super(engine, head);
    this.#chain = chain;
    this.#target = target;
    this.#events = events;
    this.#done = done;
  }

  /** What the filter holds of it. */
  readonly handle: Exchange = handleOf(this);

  get waits(): boolean {
    return this.#paused !== 0;
  }

  send(bytes: Uint8Array): void {
    if (this.#sentAll || this.#silent || bytes.length === 0) return;
    const copy = Buffer.from(bytes);
    this.#asking(false, (stream) => void requestData(stream, copy, 0, copy.length, true));
  }

  end(): void {
    if (this.#sentAll || this.#silent) return;
    this.#sentAll = true;
    this.#asking(true, (stream) => requestEnd(stream, undefined));
  }

  /** The filter lets it go: nothing is told, not even that. */
  leave(): void {
    this.#silent = true;
    if (this.#begun) this.cancel();
    else this.#done(this);
  }

  #asking(ends: boolean, say: (stream: Stream) => void): void {
    this.inTurn(() => {
      if (!this.#begun) {
        this.#begun = true;
        const stream = this.beginStream(this.#chain, this.#target);
        stream.requestBodyKind = ends ? BODY_NONE : BODY_CHUNKED;
        stream.maxReplayBytes = MAX_KEPT_BYTES;
        this.engine.doors.beginAttempts(stream);
      }
      if (this.stream !== undefined) say(this.stream);
    });
  }

  protected settle(): void {
    this.#done(this);
    if (this.#silent) return;
    this.#silent = true;
    if (this.#whole && this.failure === undefined) this.#events.end(this.#trailers ?? new FieldTable());
    else
      this.#events.failed(
        this.failure ?? new TulleError('TULLE_UPSTREAM_RESET', 'the call ended without a whole reply'),
      );
  }

  protected answered(stream: Stream): void {
    if (this.#silent) return;
    const fields = new FieldTable();
    fields.copyFrom(stream.responseFields);
    this.#events.head(stream.status, fields);
  }

  protected received(_stream: Stream, chunk: Buffer, start: number, end: number): void {
    if (!this.#silent) this.#events.data(chunk.subarray(start, end));
  }

  // — Downstream —

  /** The service has said all it will: what would still be sent is nobody's. */
  writeEnd(stream: Stream, trailers: FieldTable | undefined): void {
    this.#whole = true;
    this.#sentAll = true;
    if (trailers !== undefined) (this.#trailers = new FieldTable()).copyFrom(trailers);
    // Else the stream would wait for a rest that does not come.
    if (!stream.requestReceived) this.engine.turn.later(this);
  }

  endOfTurn(): void {
    const { stream } = this;
    if (stream !== undefined && !stream.requestReceived) this.inTurn(() => requestEnd(stream, undefined));
  }

  pauseRequest(_stream: Stream, reason: PauseReason): void {
    this.#paused |= reason;
  }
  resumeRequest(_stream: Stream, reason: PauseReason): void {
    this.#paused &= ~reason;
  }
}

function handleOf(call: ExchangeCall): Exchange {
  return {
    send: (bytes) => call.send(bytes),
    get full() {
      return call.waits;
    },
    end: () => call.end(),
    cancel: () => call.leave(),
  };
}
