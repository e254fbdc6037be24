import { NEUTRAL, type Outcome } from '@tulle/balance';
import { DYNAMIC_METADATA, type ErrorCode } from '@tulle/filter';
import type { FieldTable } from '@tulle/fields';
import { BODY_CHUNKED, BODY_NONE, TARGET_ABSOLUTE } from '@tulle/http1';
import { releaseEndpoint } from '../attempts/attempts.ts';
import { completeStream } from '../chain/complete.ts';
import { editFields } from '../chain/edits.ts';
import { requestEnd } from '../chain/request-body.ts';
import { EMPTY_TABLE } from '../chain/tables.ts';
import type { CompiledTunnel, TcpChain, TcpShare } from '../compile/compiled-tcp.ts';
import type { Engine } from '../engine.ts';
import { StreamSocket } from '../http2/stream-socket.ts';
import type { Socket } from '../ports.ts';
import {
  PAUSE_FLOW,
  type Downstream,
  type PauseReason,
  type UpstreamEndpoint,
  type UpstreamStream,
} from '../sides.ts';
import type { Stream } from '../stream/stream.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import { drawShare, hashOf, waitToDial, type Dial, type DialOwner } from './dial.ts';
import { type KeptAnswer, withAnswer } from './kept-answer.ts';
import { PostedSocket } from './posted-socket.ts';

const NOBODY = { onOpen() {}, onRead() {}, onEnd() {}, onDrain() {}, onClose() {} };

/**
 * An endpoint that is asked to connect on, for a connection of bytes (model `TcpTunnel`): a request of the proxy's own, which goes
 * the way of all requests to a connection of its cluster's pools. One that is not answered as it should be is an attempt that failed.
 */
export class TunnelDial implements Dial, Downstream {
  owner: DialOwner;
  readonly connection: ConnectionFacts;
  readonly open = true;
  endpoint: UpstreamEndpoint | undefined;
  identity: string | undefined;
  heard: Buffer | undefined;
  readonly heardEnd = false;
  connected = false;
  exhausted = false;
  kept: KeptAnswer | undefined;
  readonly #engine: Engine;
  readonly #chain: TcpChain;
  readonly #tunnel: CompiledTunnel;
  readonly #hash: number;
  readonly #tried: UpstreamEndpoint[] = [];
  #share: TcpShare | undefined;
  #attempts = 0;
  #stream: Stream | undefined;
  /** CONNECT was taken, and its connection is a relay's. */
  #upstream: UpstreamStream | undefined;
  #socket: Socket | undefined;
  /** Of a POST that was taken. */
  #posted: PostedSocket | undefined;
  /** Why the endpoint that was asked last gave no tunnel. */
  #code: ErrorCode = 'TULLE_UPSTREAM_CONNECT';
  #cancelWait: (() => void) | undefined;
  #taken = false;
  #over = false;

  constructor(engine: Engine, chain: TcpChain, facts: ConnectionFacts, owner: DialOwner) {
    this.#engine = engine;
    this.#chain = chain;
    this.#tunnel = chain.tunnel as CompiledTunnel;
    this.connection = facts;
    this.owner = owner;
    this.#hash = hashOf(chain, facts);
  }

  get cluster(): Dial['cluster'] {
    return this.#share?.ref.current;
  }

  begin(): void {
    this.#share = drawShare(this.#chain, this.#engine);
    if (this.#share === undefined) return this.owner.notDialled('TULLE_CLUSTER_NOT_FOUND');
    this.#ask(this.#share);
  }

  #ask({ target }: TcpShare): void {
    const engine = this.#engine;
    const { chain, authority, postPath, edits } = this.#tunnel;
    this.#attempts++;
    const stream = (this.#stream = engine.streams.take());
    stream.requestHead.reset();
    stream.requestHead.targetForm = TARGET_ABSOLUTE;
    stream.begin(this, chain, engine.turn.nowMs);
    stream.table = EMPTY_TABLE;
    stream.target = target;
    stream.isConnect = postPath === undefined;
    stream.method = stream.isConnect ? 'CONNECT' : 'POST';
    stream.path = stream.originalPath = postPath ?? '/';
    stream.requestBodyKind = stream.isConnect ? BODY_NONE : BODY_CHUNKED;
    stream.requestId = engine.requestId();
    stream.hash = this.#hash;
    stream.tried = [...this.#tried];
    const metadata = this.connection.state?.get(DYNAMIC_METADATA);
    if (metadata !== undefined) stream.setSlot(DYNAMIC_METADATA, metadata);
    stream.authority = engine.recorder.describe(stream, authority);
    editFields(stream, stream.headers, edits);
    const { generation } = stream;
    // Nobody else bounds the wait for an answer, or for a connection by which to ask.
    if (this.#chain.idleTimeoutMs > 0) stream.armPerTryTimer(this.#chain.idleTimeoutMs);
    engine.doors.beginAttempts(stream);
    if (stream.isConnect && stream.live && stream.generation === generation) requestEnd(stream, undefined);
  }

  take(): Socket {
    this.#taken = true;
    return (this.#posted ?? this.#socket) as Socket;
  }

  end(outcome: Outcome = NEUTRAL): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelWait?.();
    const socket = this.#socket;
    if (socket !== undefined && !this.#taken) {
      socket.events = NOBODY;
      socket.destroy();
    }
    const stream = this.#stream;
    const upstream = this.#upstream;
    this.#upstream = undefined;
    upstream?.tunnelOver();
    if (stream === undefined) return;
    if (this.connected) releaseEndpoint(stream, outcome);
    completeStream(stream);
  }

  #dialled(stream: Stream): void {
    const { attempt } = stream;
    this.endpoint = stream.endpoint;
    this.identity = attempt.identity;
    this.#engine.turn.later({ endOfTurn: () => this.#inTurn(() => this.#tellDialled()) });
  }

  #tellDialled(): void {
    if (this.#over) return;
    // What came behind the head of the answer.
    const heard = this.#upstream?.takeHeld();
    if (heard !== undefined && heard.length > 0) this.heard = heard;
    this.connected = true;
    this.owner.dialled();
    (this.#posted ?? this.#socket)?.resume();
  }

  /** The attempt is over, and there is no tunnel. */
  #failed(): void {
    if (this.#over) return;
    const { endpoint } = this;
    if (endpoint !== undefined && !this.#tried.includes(endpoint)) this.#tried.push(endpoint);
    const share = this.#share as TcpShare;
    const again = this.#attempts < this.#chain.maxConnectAttempts && endpoint !== undefined;
    if (again) {
      this.#cancelWait = waitToDial(this.#engine, this.#chain, this.#attempts, () =>
        this.#inTurn(() => this.#ask(share)),
      );
      if (this.#cancelWait === undefined) this.#ask(share);
      return;
    }
    this.exhausted = endpoint !== undefined;
    if (this.exhausted) share.ref.current?.metrics.connectAttemptsExceeded.add();
    this.owner.notDialled(this.#code);
  }

  #keepTrailers(trailers: FieldTable): void {
    this.kept = withAnswer(this.kept, 'trailers', trailers);
  }

  #inTurn(run: () => void): void {
    this.#engine.inTurn(run, () => this.owner.notDialled('TULLE_INTERNAL'));
  }

  // — Downstream: the answer —

  /** Whether what reads the tunnel has enough for now. */
  get full(): boolean {
    return this.#posted?.paused === true;
  }

  takesOn(): boolean {
    return false;
  }

  writeHead(stream: Stream): boolean {
    const { status, responseHead, isConnect } = stream;
    this.endpoint = stream.endpoint ?? this.endpoint;
    if (stream.responseLocal) {
      if (stream.code === 'TULLE_PER_TRY_TIMEOUT') this.#code = 'TULLE_STREAM_IDLE';
      else if (this.#attempts === 1 || stream.code !== 'TULLE_UPSTREAM_NO_ENDPOINT')
        this.#code = stream.code as ErrorCode;
      return true;
    }
    if (this.#tunnel.keepsHead) this.kept = withAnswer(this.kept, 'head', stream.responseFields, status);
    // Over HTTP/2 as Envoy has it, though RFC 9113 §8.5 says 2xx too.
    const http2 = stream.attempt.line?.protocol === 'HTTP/2';
    const stands = http2 ? status === 200 : status >= 200 && status < 300;
    if (stands && responseHead.tunnel === isConnect) {
      if (!isConnect) {
        this.#posted = new PostedSocket(this.#engine, stream);
        this.#dialled(stream);
      }
      return true;
    }
    this.#code = 'TULLE_UPSTREAM_CONNECT';
    this.#engine.log.debug(`${stream.method} ${stream.authority} was answered with ${status}`);
    // What it says beyond that is for nobody.
    const { generation } = stream;
    this.#engine.turn.later({
      endOfTurn: () => {
        if (stream.live && stream.generation === generation) completeStream(stream);
      },
    });
    return true;
  }

  tunnel(stream: Stream, upstream: UpstreamStream): void {
    stream.upstream = undefined;
    this.#upstream = upstream;
    const socket = (this.#socket = upstream.handOver());
    if (this.#tunnel.keepsTrailers && socket instanceof StreamSocket)
      socket.onTrailers = (trailers) => this.#keepTrailers(trailers);
    this.#dialled(stream);
  }

  writeData(_stream: Stream, chunk: Buffer, start: number, end: number): boolean {
    this.#posted?.read(chunk, start, end);
    return false;
  }

  writeEnd(_stream: Stream, trailers: FieldTable | undefined): void {
    if (this.#tunnel.keepsTrailers && trailers !== undefined) this.#keepTrailers(trailers);
    this.#posted?.ended();
  }

  abort(): void {
    this.#posted?.broken();
  }

  streamDone(stream: Stream): void {
    if (this.#stream !== stream) return;
    this.#stream = undefined;
    if (this.#posted !== undefined) return this.#posted.over();
    if (this.#over || this.#socket !== undefined) return;
    this.#engine.turn.later({ endOfTurn: () => this.#inTurn(() => this.#failed()) });
  }

  pauseRequest(_stream: Stream, reason: PauseReason): void {
    if (reason === PAUSE_FLOW) this.#posted?.fill();
  }

  resumeRequest(_stream: Stream, reason: PauseReason): void {
    if (reason === PAUSE_FLOW) this.#posted?.drain();
  }

  abandonRequest(stream: Stream): void {
    completeStream(stream);
  }

  writeInterim(): void {}
  writeContinue(): void {}
}
