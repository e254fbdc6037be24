import type { FieldTable } from '@tulle/fields';
import { BODY_LENGTH, BODY_NONE, type EncodeFault, type ResponseHead } from '@tulle/http1';
import {
  errorCodeName,
  H2_CANCEL,
  H2_REFUSED_STREAM,
  type ClientSession,
  type Http2Stream,
  type ResetCause,
} from '@tulle/http2';
import { attemptAnswered, attemptFailed, responseBroken, responseWhole } from '../attempts/attempts.ts';
import { upstreamDrained } from '../chain/request-body.ts';
import { responseData, responseEnd } from '../chain/response.ts';
import { StreamSide, type SideHost } from '../http2/stream-side.ts';
import { COPY_BYTES } from '../outbox.ts';
import { acceptWebsocket } from '../http2/websocket.ts';
import type { Socket } from '../ports.ts';
import { PAUSE_FLOW, type PauseReason, type UpstreamLine, type UpstreamStream } from '../sides.ts';
import { Stack } from '../stack.ts';
import type { Stream } from '../stream/stream.ts';
import type { ClusterMetrics } from './cluster-metrics.ts';
import { requestKind, requestTarget } from './request-form.ts';

/** The connection of an {@link Http2ClientStream}. */
export interface ClientStreamHost extends SideHost<Http2ClientStream>, UpstreamLine {
  readonly session: ClientSession<Http2ClientStream>;
  readonly metrics: ClusterMetrics;
  /** Rule of the connection's fault; `''` when it just ended. */
  readonly faultRule: string;
  /** A stream was given up before its response came: perhaps the endpoint is gone. */
  gaveUp(sinceMs: number): void;
  /** The stream is over, for the engine and on the wire. */
  streamOver(): void;
}

/** Kept for reuse; more are left to the garbage collector. */
const MAX_SPARE = 1024;
const spare: Stack<Http2ClientStream> = new Stack<Http2ClientStream>();

/** One stream of a connection to an endpoint: the upstream side of one attempt. Pooled. */
export class Http2ClientStream extends StreamSide<Http2ClientStream> implements UpstreamStream {
  declare host: ClientStreamHost;
  /** Until the engine is done with it. */
  #stream: Stream | undefined = undefined;

  begin(host: ClientStreamHost, stream: Stream, reused: boolean): void {
    this.takeIntoUse();
    this.host = host;
    this.#stream = stream;
    this.reused = reused;
  }

  // — UpstreamStream —

  get line(): UpstreamLine {
    return this.host;
  }

  get provesUnsent(): boolean {
    return true;
  }

  get identity(): string | undefined {
    return this.host.socket.tls?.identity;
  }

  get ownedReads(): boolean {
    return this.host.socket.ownedReads;
  }

  keepRead(): void {
    this.host.socket.keepRead();
  }

  sendHead(stream: Stream): EncodeFault | undefined {
    const { session, socket } = this.host;
    const kind = requestKind(stream);
    if (stream.requestHead.expectContinue && !stream.expectsContinue) stream.headers.drop('expect');
    // Servers take a call without it for one through something that loses trailers (grpc/doc/PROTOCOL-HTTP2.md).
    if (stream.grpc) stream.headers.put('te', 'trailers');
    const { upgrade } = stream;
    const tunnel = upgrade !== undefined || stream.isConnect;
    const ends = kind === BODY_NONE && !tunnel;
    const h2 = (this.h2 = session.open(this, stream.responseHead));
    const fault = session.writeRequestHead(
      h2,
      upgrade === undefined ? stream.method : 'CONNECT',
      socket.tls === undefined || socket.tls.tunnelled === true ? 'http' : 'https',
      stream.authority,
      requestTarget(stream),
      stream.headers,
      kind === BODY_LENGTH ? stream.requestLength : -1,
      ends,
      upgrade,
    );
    if (fault !== undefined) {
      this.h2 = undefined;
      return fault;
    }
    this.localEnded = ends;
    if (tunnel) this.awaitTunnel();
    return undefined;
  }

  sendData(chunk: Buffer, start: number, end: number, owned: boolean): boolean {
    if (this.h2 === undefined || this.localEnded || start === end) return false;
    // A small piece that waits would keep the whole read that it stands in.
    return this.host.session.writeData(this.h2, chunk, start, end, owned && end - start > COPY_BYTES);
  }

  sendEnd(trailers: FieldTable | undefined): void {
    if (this.localEnded || this.h2 === undefined) return;
    const stream = this.#stream;
    // A tunnel's own end comes later.
    if (stream !== undefined && (stream.isConnect || stream.upgrade !== undefined)) return;
    this.localEnded = true;
    this.sendLast(this.h2, trailers, stream?.requestId ?? '');
  }

  get full(): boolean {
    return this.h2 !== undefined && !this.h2.writable;
  }

  pauseResponse(reason: PauseReason): void {
    if (this.#stream === undefined) return;
    if (this.pause(reason) && reason === PAUSE_FLOW) this.host.metrics.flowPaused.add();
  }

  resumeResponse(reason: PauseReason): void {
    this.resume(reason);
  }

  abandon(): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    this.#stream = undefined;
    if (!this.headSeen && this.h2 !== undefined) this.host.gaveUp(stream.attemptStartMs);
    this.resetWire(H2_CANCEL);
    this.leaveIfOver();
  }

  handOver(): Socket {
    this.#stream = undefined;
    return this.openTunnel();
  }

  tunnelOver(): void {}

  tunnelClosed(): void {
    this.tunnelSocket = undefined;
    this.leaveIfOver();
  }

  // — what the session tells —

  informational(h2: Http2Stream<Http2ClientStream>): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    const head = h2.head as ResponseHead;
    if (head.status === 100) stream.expectsContinue = false;
    stream.downstream.writeInterim(stream, head);
  }

  head(h2: Http2Stream<Http2ClientStream>, endStream: boolean): void {
    const stream = this.#stream;
    this.headSeen = true;
    if (endStream) this.peerEnded = true;
    if (stream === undefined) return;
    const head = h2.head as ResponseHead;
    if (head.status >= 200 && head.status < 300) {
      if (stream.isConnect) head.tunnel = true;
      else if (h2.protocol !== undefined) {
        // RFC 8441 §5: what HTTP/1.1 calls 101.
        head.status = 101;
        head.reason = 'Switching Protocols';
        head.upgrade = h2.protocol;
        if (!stream.http2) acceptWebsocket(stream);
        head.tunnel = true;
      }
      if (head.tunnel) head.bodyKind = BODY_NONE;
    }
    const { generation } = this;
    attemptAnswered(stream);
    if (this.generation !== generation) return;
    // No tunnel, so what comes is content after all.
    if (this.tunnelSocket === undefined && !head.tunnel) this.resumeTunnel();
    if (endStream) this.ended(undefined);
  }

  protected deliver(chunk: Buffer, start: number, end: number, owned: boolean): boolean {
    const stream = this.#stream;
    return stream !== undefined && responseData(stream, chunk, start, end, owned);
  }

  protected finish(trailers: FieldTable | undefined): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    this.#stream = undefined;
    if (trailers !== undefined) (stream.savedTrailers ??= stream.engine.newTable()).copyFrom(trailers);
    stream.upstream = undefined;
    responseWhole(stream, trailers);
    // The endpoint answered whole before it had the whole request: the rest is nobody's.
    if (!stream.attemptRequestEnded) stream.discardRequest = true;
    if (!this.localEnded || (this.h2?.queuedBytes ?? 0) > 0) this.resetWire(H2_CANCEL);
    const { savedTrailers } = stream;
    this.leaveIfOver();
    responseEnd(stream, trailers === undefined ? undefined : savedTrailers);
  }

  drained(): void {
    if (this.tunnelSocket !== undefined) this.tunnelSocket.drained();
    else if (this.#stream !== undefined) upstreamDrained(this.#stream);
  }

  /** The stream ended out of order. */
  wasReset(code: number, cause: ResetCause, rule: string): void {
    this.h2 = undefined;
    this.tunnelSocket?.streamOver(true);
    const stream = this.#stream;
    if (stream === undefined || this.tunnelSocket !== undefined) return this.leaveIfOver();
    // The response is whole, and only waits to be taken.
    if (this.peerEnded) return;
    if (cause !== 'connection') return this.breakOff(stream, code, cause, rule);
    // It may have ended in the middle of what is written for this stream: that comes to its end first.
    this.lost = true;
    stream.engine.turn.later(this);
  }

  override endOfTurn(): void {
    if (this.lost) {
      this.lost = false;
      if (this.#stream !== undefined) return this.breakOff(this.#stream, H2_CANCEL, 'connection', '');
    }
    super.endOfTurn();
  }

  private breakOff(stream: Stream, code: number, cause: ResetCause, rule: string): void {
    this.#stream = undefined;
    const headSeen = this.headSeen;
    const { metrics, faultRule } = this.host;
    this.leaveIfOver();
    stream.upstream = undefined;
    metrics.resets.add();
    // Provably not looked at (D5); who says so of what it had begun to answer says nothing.
    if (!headSeen && (cause === 'goaway' || (cause === 'peer' && code === H2_REFUSED_STREAM)))
      return attemptFailed(stream, 'TULLE_UPSTREAM_RESET', true, undefined, true);
    const broken = cause === 'protocol' ? rule : cause === 'connection' ? faultRule : '';
    if (broken !== '') {
      const details = `upstream_reset_${headSeen ? 'after' : 'before'}_response_started{protocol_error,${broken}}`;
      if (headSeen) responseBroken(stream, 'TULLE_UPSTREAM_PROTOCOL', details);
      else attemptFailed(stream, 'TULLE_UPSTREAM_PROTOCOL', false, details);
      return;
    }
    const remote = cause === 'peer' ? `remote_reset,${errorCodeName(code)}` : '';
    if (headSeen)
      responseBroken(
        stream,
        'TULLE_UPSTREAM_RESET_AFTER_START',
        remote === '' ? undefined : `upstream_reset_after_response_started{${remote}}`,
      );
    // That a kept-alive connection had gone is no refusal; a reset is.
    else if (cause === 'peer')
      attemptFailed(
        stream,
        'TULLE_UPSTREAM_RESET',
        false,
        `upstream_reset_before_response_started{${remote}}`,
        false,
      );
    else attemptFailed(stream, 'TULLE_UPSTREAM_RESET', false, undefined);
  }

  wasClosed(): void {
    this.h2 = undefined;
    this.tunnelSocket?.streamOver(false);
    this.leaveIfOver();
  }

  private resetWire(code: number): void {
    const { h2 } = this;
    if (h2 === undefined) return;
    this.h2 = undefined;
    this.host.metrics.resetsSent.add();
    this.host.session.reset(h2, code);
  }

  /** Back to the pool, when neither the engine nor the session knows it any more. */
  private leaveIfOver(): void {
    if (this.#stream !== undefined || this.h2 !== undefined || this.tunnelSocket !== undefined) return;
    const { host } = this;
    if (!this.resetSide()) return;
    if (spare.size < MAX_SPARE) spare.push(this);
    host.streamOver();
  }
}

/** The object for an attempt. */
export function takeClientStream(host: ClientStreamHost, stream: Stream, reused: boolean): Http2ClientStream {
  const side = spare.pop() ?? new Http2ClientStream();
  side.begin(host, stream, reused);
  return side;
}
