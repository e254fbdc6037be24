import { NO_PIECES } from '../attempts/replay.ts';
import { FieldTable } from '@tulle/fields';
import { BODY_CHUNKED, BODY_NONE, TARGET_ABSOLUTE } from '@tulle/http1';
import type { Bytes } from '../bytes.ts';
import { completeStream } from '../chain/complete.ts';
import { editFields } from '../chain/edits.ts';
import { requestData, requestEnd } from '../chain/request-body.ts';
import { transformsRequest } from '../chain/body-steps.ts';
import { EMPTY_TABLE } from '../chain/tables.ts';
import type { CompiledEdits, ForwardTarget, HttpChain } from '../compile/compiled.ts';
import type { Engine } from '../engine.ts';
import { NO_CONNECTION } from '../fetch/own-call.ts';
import type { Downstream } from '../sides.ts';
import type { MirrorFeed } from '../stream/mirror-feed.ts';
import type { Stream } from '../stream/stream.ts';
import type { TurnTask } from '../turn.ts';
import type { MirrorMetrics } from './mirror-metrics.ts';

/** Of what the proxy may hold of bodies copies take a part, so that requests keep their retries. */
const MOST_OF_REPLAY = 0.5;

/** What a copy is made of, beside the request. */
export interface MirrorPlan {
  readonly target: ForwardTarget;
  readonly authority: string;
  readonly edits: readonly CompiledEdits[] | null;
  readonly timeoutMs: number;
}

/**
 * The caller's side of a copy of a request: nobody waits for its answer, so it is over with the answer's head. It never
 * makes the request that it was copied from wait: a body that its endpoint does not take as it comes is cut.
 */
export class MirrorCall implements Downstream, MirrorFeed, TurnTask {
  readonly connection: Downstream['connection'] = NO_CONNECTION;
  readonly open = true;
  readonly full = false;
  readonly takesOn = (): boolean => false;
  readonly #engine: Engine;
  readonly #metrics: MirrorMetrics;
  readonly #over: (call: MirrorCall) => void;
  #stream: Stream | undefined;
  #whole = false;

  constructor(engine: Engine, metrics: MirrorMetrics, over: (call: MirrorCall) => void) {
    this.#engine = engine;
    this.#metrics = metrics;
    this.#over = over;
  }

  /** Sends the head of a copy of `original`, which is about to be sent itself. */
  start(original: Stream, chain: HttpChain, { target, authority, edits, timeoutMs }: MirrorPlan): void {
    const engine = this.#engine;
    const stream = (this.#stream = engine.streams.take());
    this.#guard(() => {
      stream.requestHead.reset();
      // Whatever the pooled head was, the target is put together from its parts.
      stream.requestHead.targetForm = TARGET_ABSOLUTE;
      stream.begin(this, chain, engine.turn.nowMs);
      stream.table = EMPTY_TABLE;
      stream.target = target;
      stream.method = original.method;
      stream.path = stream.originalPath = original.path;
      stream.query = stream.originalQuery = original.query;
      stream.authority = authority;
      stream.requestId = original.requestId;
      stream.grpc = original.grpc;
      stream.headers.copyFrom(original.headers);
      stream.headers.drop('expect');
      // What values are made of is the request's.
      if (edits !== null) editFields(original, stream.headers, edits);
      stream.requestBodyKind = original.requestBodyKind;
      stream.requestLength = original.requestLength;
      if (transformsRequest(original) && original.requestBodyKind !== BODY_NONE) {
        // Filters changed the body: how long it is shows at its end.
        stream.requestBodyKind = BODY_CHUNKED;
        stream.requestLength = -1;
      }
      stream.maxReplayBytes = engine.limits.maxMirrorBytes;
      // Not even for a kept-alive connection that had gone: a copy is sent once.
      stream.staleReplays = 1;
      stream.armRequestTimer(timeoutMs);
      engine.doors.beginAttempts(stream);
    });
    const pieces = original.keptReplay?.pieces ?? NO_PIECES;
    for (let i = 0; i < pieces.length; i++) this.data(pieces[i] as Bytes, 0, (pieces[i] as Bytes).length);
    if (original.requestEnded) this.end(original.requestTrailers);
  }

  // — MirrorFeed —

  data(chunk: Bytes, start: number, end: number): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    const { upstream, replay } = stream;
    const waits = upstream === undefined;
    if (waits ? !replay.fits(end - start, MOST_OF_REPLAY) : upstream.full) {
      this.#metrics.tooSlow.add();
      return this.#end();
    }
    // It is sent once, so what went out need not be kept.
    if (!waits && replay.complete) replay.drop();
    this.#guard(() => requestData(stream, chunk, start, end, false));
  }

  end(trailers: FieldTable | undefined): void {
    const stream = this.#stream;
    this.#whole = true;
    if (stream === undefined) return;
    let copy: FieldTable | undefined;
    if (trailers !== undefined) (copy = new FieldTable()).copyFrom(trailers);
    this.#guard(() => requestEnd(stream, copy));
  }

  leave(): void {
    if (this.#whole || this.#stream === undefined) return;
    this.#metrics.unfinished.add();
    this.#end();
  }

  // — Downstream —

  /** Also of a failure, which is a local answer: there is nothing more to wait for. */
  writeHead(): boolean {
    this.#engine.turn.later(this);
    return true;
  }

  endOfTurn(): void {
    this.#end();
  }

  abort(): void {
    this.#engine.turn.later(this);
  }

  streamDone(): void {
    this.#stream = undefined;
    this.#over(this);
  }

  writeInterim(): void {}
  writeContinue(): void {}
  writeData(): boolean {
    return false;
  }
  writeEnd(): void {}
  pauseRequest(): void {}
  resumeRequest(): void {}
  abandonRequest(stream: Stream): void {
    completeStream(stream);
  }
  /** No upgrade is ever mirrored. */
  tunnel(): void {
    this.#engine.turn.later(this);
  }

  #end(): void {
    const stream = this.#stream;
    if (stream !== undefined) this.#guard(() => completeStream(stream));
  }

  /** A defect here is none of the request that was copied. */
  #guard(run: () => void): void {
    try {
      run();
    } catch (defect) {
      this.#engine.logDefect(defect);
      const stream = this.#stream;
      this.#stream = undefined;
      if (stream !== undefined) this.#over(this);
    }
  }
}
