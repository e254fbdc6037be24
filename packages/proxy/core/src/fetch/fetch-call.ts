import { FieldTable } from '@tulle/fields';
import { TulleError, type ConnectionInfo, type ErrorCode, type FetchReply } from '@tulle/filter';
import { BODY_LENGTH, BODY_NONE, TARGET_ABSOLUTE } from '@tulle/http1';
import { completeStream } from '../chain/complete.ts';
import { requestData, requestEnd } from '../chain/request-body.ts';
import { EMPTY_TABLE } from '../chain/tables.ts';
import type { ForwardTarget, HttpChain } from '../compile/compiled.ts';
import type { Engine } from '../engine.ts';
import { isGrpcCall } from '../grpc/grpc-call.ts';
import { rescue } from '../rescue.ts';
import type { Downstream } from '../sides.ts';
import type { Stream } from '../stream/stream.ts';

/** A filter's request, checked. */
export interface OutgoingCall {
  readonly method: string;
  readonly path: string;
  readonly query: string | undefined;
  readonly authority: string;
  readonly fields: FieldTable;
  readonly body: Buffer | undefined;
  readonly maxBodyBytes: number;
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
 * The caller's side of a stream whose caller is a filter: the request is there whole, the response is collected. The
 * stream has no chain of its own to pass and no record; everything from the choice of an endpoint on is a request's way.
 */
export class FetchCall implements Downstream {
  readonly connection: ConnectionInfo = NO_CONNECTION;
  readonly open = true;
  readonly full = false;
  readonly takesOn = (): boolean => false;
  readonly #engine: Engine;
  readonly #call: OutgoingCall;
  readonly #resolve: (reply: FetchReply) => void;
  readonly #reject: (error: Error) => void;
  #stream: Stream | undefined;
  #failure: TulleError | undefined;
  #status = 0;
  #fields: FieldTable | undefined;
  #trailers: FieldTable | undefined;
  #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(
    engine: Engine,
    call: OutgoingCall,
    resolve: (reply: FetchReply) => void,
    reject: (error: Error) => void,
  ) {
    this.#engine = engine;
    this.#call = call;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Asks an endpoint. @param timeoutMs what is left of the caller's time, > 0 */
  start(chain: HttpChain, target: ForwardTarget, timeoutMs: number): void {
    const engine = this.#engine;
    const { method, path, query, authority, fields, body } = this.#call;
    this.#inTurn(() => {
      const stream = (this.#stream = engine.streams.take());
      const { generation } = stream;
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
      if (body !== undefined) {
        stream.requestBodyKind = BODY_LENGTH;
        stream.requestLength = body.length;
        stream.maxReplayBytes = body.length;
      } else stream.requestBodyKind = BODY_NONE;
      stream.armRequestTimer(timeoutMs);
      engine.doors.beginAttempts(stream);
      const under = (): boolean => stream.live && stream.generation === generation + 1;
      if (body !== undefined && body.length > 0 && under()) requestData(stream, body, 0, body.length, true);
      if (under()) requestEnd(stream, undefined);
    });
  }

  /** The filter is gone: nobody waits for the reply any more. */
  cancel(): void {
    this.#failure ??= new TulleError('TULLE_DRAINING', 'the filter that made this call is disposed');
    const stream = this.#stream;
    if (stream === undefined) return this.#settle();
    this.#inTurn(() => completeStream(stream));
  }

  #inTurn(run: () => void): void {
    const { turn } = this.#engine;
    turn.begin();
    try {
      run();
    } catch (defect) {
      if (this.#stream === undefined) this.#engine.logDefect(defect);
      else this.#engine.defect(this.#stream, defect);
    } finally {
      turn.end();
    }
  }

  #settle(): void {
    if (this.#failure !== undefined) return this.#reject(this.#failure);
    if (this.#fields === undefined)
      return this.#reject(new TulleError('TULLE_UPSTREAM_RESET', 'the call ended without a reply'));
    const [first] = this.#pieces;
    const body = this.#pieces.length === 1 && first !== undefined ? first : Buffer.concat(this.#pieces);
    this.#resolve({
      status: this.#status,
      headers: this.#fields,
      trailers: this.#trailers ?? new FieldTable(),
      body,
    });
  }

  #failed(stream: Stream): void {
    const { code, details } = stream;
    this.#failure ??= new TulleError(code as ErrorCode, details, {
      context: { url: `${this.#call.authority}${this.#call.path}`, cluster: stream.target?.cluster ?? '' },
    });
  }

  // — Downstream —

  writeHead(stream: Stream): boolean {
    if (stream.responseLocal) this.#failed(stream);
    else {
      this.#status = stream.status;
      (this.#fields = new FieldTable()).copyFrom(stream.responseFields);
    }
    return true;
  }

  writeData(stream: Stream, chunk: Buffer, start: number, end: number, _owned: boolean): boolean {
    if (this.#failure !== undefined) return false;
    this.#bytes += end - start;
    const { maxBodyBytes } = this.#call;
    if (this.#bytes > maxBodyBytes) {
      rescue(stream, 'TULLE_UPSTREAM_PROTOCOL', `response_payload_too_large{fetch,${maxBodyBytes}}`);
      return false;
    }
    this.#pieces.push(Buffer.from(chunk.subarray(start, end)));
    return false;
  }

  abort(stream: Stream): void {
    this.#failed(stream);
  }

  streamDone(_stream: Stream): void {
    this.#stream = undefined;
    this.#settle();
  }

  writeInterim(): void {}
  writeContinue(): void {}
  writeEnd(_stream: Stream, trailers: FieldTable | undefined): void {
    if (trailers !== undefined) (this.#trailers = new FieldTable()).copyFrom(trailers);
  }
  pauseRequest(): void {}
  resumeRequest(): void {}
  abandonRequest(stream: Stream): void {
    completeStream(stream);
  }
  /** No upgrade is ever asked for. */
  tunnel(stream: Stream): void {
    rescue(stream, 'TULLE_UPSTREAM_PROTOCOL');
  }
}
