import { FIELD_TE, type FieldTable } from '@tulle/fields';
import { TulleError, type ConnectionInfo, type ErrorCode } from '@tulle/filter';
import { TARGET_ABSOLUTE } from '@tulle/http1';
import { completeStream } from '../chain/complete.ts';
import { EMPTY_TABLE } from '../chain/tables.ts';
import type { ForwardTarget, HttpChain } from '../compile/compiled.ts';
import type { Engine } from '../engine.ts';
import { isGrpcCall } from '../grpc/grpc-call.ts';
import { rescue } from '../rescue.ts';
import type { Downstream, PauseReason } from '../sides.ts';
import type { Stream } from '../stream/stream.ts';

/** A filter's request, checked. */
export interface OutgoingHead {
  readonly method: string;
  readonly path: string;
  readonly query: string | undefined;
  readonly authority: string;
  readonly fields: FieldTable;
}

/** The proxy's own calls come on no connection. */
export const NO_CONNECTION: ConnectionInfo = Object.freeze({
  remoteAddress: '',
  directAddress: '',
  remotePort: 0,
  localAddress: '',
  localPort: 0,
  listener: '',
  direction: 'outbound',
  tls: false,
  peerIdentity: undefined,
  serverName: undefined,
  alpn: undefined,
});

/**
 * The caller's side of a stream whose caller is a filter. The stream has no chain of its own to pass and no record;
 * everything from the choice of an endpoint on is a request's way.
 */
export abstract class OwnCall implements Downstream {
  readonly connection: ConnectionInfo = NO_CONNECTION;
  readonly open = true;
  readonly full = false;
  readonly takesOn = (): boolean => false;
  protected readonly engine: Engine;
  protected readonly head: OutgoingHead;
  protected stream: Stream | undefined;
  protected failure: TulleError | undefined;

  constructor(engine: Engine, head: OutgoingHead) {
    this.engine = engine;
    this.head = head;
  }

  /** The stream, with what the head says; an endpoint is not asked yet. */
  protected beginStream(chain: HttpChain, target: ForwardTarget): Stream {
    const { engine } = this;
    const { method, path, query, authority, fields } = this.head;
    const stream = (this.stream = engine.streams.take());
    stream.requestHead.reset();
    // Whatever the pooled head was, the target is put together from its parts.
    stream.requestHead.targetForm = TARGET_ABSOLUTE;
    stream.begin(this, chain, engine.turn.nowMs);
    stream.table = EMPTY_TABLE;
    stream.target = target;
    stream.method = method;
    stream.path = stream.originalPath = path;
    stream.query = stream.originalQuery = query;
    stream.authority = authority;
    stream.requestId = engine.requestId();
    stream.headers.copyFrom(fields);
    stream.grpc = isGrpcCall(stream);
    // Some of gRPC's servers insist on it (RFC 9110 §10.1.4).
    if (stream.grpc && stream.headers.indexOfId(FIELD_TE) < 0) stream.headers.add('te', 'trailers');
    return stream;
  }

  /** The filter is gone. */
  cancel(): void {
    this.failure ??= new TulleError('TULLE_DRAINING', 'the filter that made this call is disposed');
    const { stream } = this;
    if (stream === undefined) return this.settle();
    this.inTurn(() => completeStream(stream));
  }

  protected inTurn(run: () => void): void {
    const { turn } = this.engine;
    turn.begin();
    try {
      run();
    } catch (defect) {
      if (this.stream === undefined) this.engine.logDefect(defect);
      else this.engine.defect(this.stream, defect);
    } finally {
      turn.end();
    }
  }

  /** The stream is over: what came of it is told. */
  protected abstract settle(): void;
  /** An endpoint answered. */
  protected abstract answered(stream: Stream): void;
  /** A piece of its answer's body. */
  protected abstract received(stream: Stream, chunk: Buffer, start: number, end: number): void;

  protected failed(stream: Stream): void {
    const { code, details } = stream;
    this.failure ??= new TulleError(code as ErrorCode, details, {
      context: { url: `${this.head.authority}${this.head.path}`, cluster: stream.target?.cluster ?? '' },
    });
  }

  // — Downstream —

  writeHead(stream: Stream): boolean {
    if (stream.responseLocal) this.failed(stream);
    else this.answered(stream);
    return true;
  }

  writeData(stream: Stream, chunk: Buffer, start: number, end: number, _owned: boolean): boolean {
    if (this.failure === undefined) this.received(stream, chunk, start, end);
    return false;
  }

  abort(stream: Stream): void {
    this.failed(stream);
  }

  streamDone(_stream: Stream): void {
    this.stream = undefined;
    this.settle();
  }

  abstract writeEnd(stream: Stream, trailers: FieldTable | undefined): void;
  abstract pauseRequest(stream: Stream, reason: PauseReason): void;
  abstract resumeRequest(stream: Stream, reason: PauseReason): void;

  writeInterim(): void {}
  writeContinue(): void {}
  abandonRequest(stream: Stream): void {
    completeStream(stream);
  }
  /** No upgrade is ever asked for. */
  tunnel(stream: Stream): void {
    rescue(stream, 'TULLE_UPSTREAM_PROTOCOL');
  }
}
