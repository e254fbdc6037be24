import type { FieldTable } from '@tulle/fields';
import {
  ClientSession,
  H2_NO_ERROR,
  type Http2Events,
  type Http2Fault,
  type Http2Stream,
  type ResetCause,
} from '@tulle/http2';
import type { WheelTimer } from '@tulle/time';
import type { Engine } from '../engine.ts';
import { Liveness, type LivenessOwner } from '../http2/liveness.ts';
import { Http2Wire, type WireOwner } from '../http2/wire.ts';
import type { Socket } from '../ports.ts';
import { connectionNumber } from '../stream/connection-number.ts';
import type { Stream } from '../stream/stream.ts';
import type { TurnTask } from '../turn.ts';
import type { ClusterMetrics } from './cluster-metrics.ts';
import type { ClusterRuntime } from './cluster.ts';
import { takeClientStream, type ClientStreamHost, type Http2ClientStream } from './h2-stream.ts';

/** The pool that a shared connection belongs to. */
export interface SharedOwner {
  readonly cluster: ClusterRuntime;
  /** A stream ended, or the endpoint allows more: there may be room for who waits. */
  roomMade(connection: Http2ClientConnection): void;
  /** It takes no new stream any more; those that it has may go on. */
  leaves(connection: Http2ClientConnection): void;
  /** It is gone. */
  sharedGone(connection: Http2ClientConnection): void;
}

/** One open HTTP/2 connection to an endpoint: many streams at a time, each an {@link Http2ClientStream}. */
export class Http2ClientConnection
  implements WireOwner, Http2Events<Http2ClientStream>, ClientStreamHost, LivenessOwner, TurnTask
{
  readonly engine: Engine;
  readonly socket: Socket;
  readonly id: number = connectionNumber();
  readonly protocol = 'HTTP/2';
  readonly session: ClientSession<Http2ClientStream>;
  faultRule = '';
  readonly #owner: SharedOwner;
  readonly #wire: Http2Wire;
  readonly #liveness: Liveness;
  readonly #idleTimer: WheelTimer;
  /** Streams under way, and objects of those that the engine is not done with. */
  #streams = 0;
  #served = 0;
  #idleSinceMs: number;
  #settingsCame = false;
  #leaving = false;
  #scheduled = false;
  #streamRule = '';
  #closed = false;

  constructor(owner: SharedOwner, socket: Socket) {
    const { cluster } = owner;
    const { engine } = cluster;
    this.#owner = owner;
    this.engine = engine;
    this.socket = socket;
    this.#wire = new Http2Wire(engine, socket, this);
    this.session = new ClientSession<Http2ClientStream>(this, this.#wire.outbox, cluster.http2);
    this.#liveness = new Liveness(engine, this, cluster.config.pool?.http2?.keepalive);
    this.#idleTimer = engine.wheel.timer(idleDue, this);
    this.#idleSinceMs = engine.turn.nowMs;
    this.#idleTimer.arm(cluster.http2IdleTimeoutMs, this.#idleSinceMs);
    engine.connections.add(this);
    this.session.start();
  }

  get metrics(): ClusterMetrics {
    return this.#owner.cluster.metrics;
  }

  /** Streams under way. */
  get streams(): number {
    return this.#streams;
  }

  /** Most streams at a time, as far as is known. */
  get maxStreams(): number {
    return this.session.maxConcurrentStreams;
  }

  /** The endpoint's settings are known, among them whether it takes extended CONNECT. */
  get settled(): boolean {
    return this.#settingsCame;
  }

  get takesUpgrades(): boolean {
    return this.session.peerConnectProtocol;
  }

  /** Whether it takes another stream now. */
  get hasRoom(): boolean {
    return !this.#leaving && this.session.canOpen;
  }

  /** A stream for an attempt. Ask {@link hasRoom} first. */
  open(stream: Stream): Http2ClientStream {
    const { maxRequestsPerConnection } = this.#owner.cluster;
    const reused = this.#served > 0;
    this.#streams++;
    this.#liveness.used();
    if (++this.#served === maxRequestsPerConnection) this.leave();
    return takeClientStream(this, stream, reused);
  }

  // — its socket —

  get deaf(): boolean {
    return this.#closed;
  }

  readDone(nowMs: number): void {
    this.#liveness.heardMs = nowMs;
  }

  peerEnded(): void {
    this.session.peerEnded();
    this.leave();
  }

  taken(): void {}

  gone(): void {
    if (this.#closed) return;
    this.#end();
  }

  defect(defect: unknown): void {
    this.engine.logDefect(defect);
    this.close();
  }

  // — Http2Events —

  requestHead(): undefined {}
  onHeadFault(): void {}

  onHead(h2: Http2Stream<Http2ClientStream>, endStream: boolean): void {
    h2.user.head(h2, endStream);
  }

  onInformational(h2: Http2Stream<Http2ClientStream>): void {
    h2.user.informational(h2);
  }

  onData(
    { user }: Http2Stream<Http2ClientStream>,
    chunk: Buffer,
    start: number,
    end: number,
    endStream: boolean,
  ): void {
    this.#wire.bodyBytes += end - start;
    user.received(chunk, start, end, endStream);
  }

  onEnd({ user }: Http2Stream<Http2ClientStream>, trailers: FieldTable | undefined): void {
    user.ended(trailers);
  }

  onReset({ user }: Http2Stream<Http2ClientStream>, code: number, cause: ResetCause): void {
    user.wasReset(code, cause, this.#streamRule);
  }

  onClosed({ user }: Http2Stream<Http2ClientStream>): void {
    user.wasClosed();
  }

  onDrain({ user }: Http2Stream<Http2ClientStream>): void {
    user.drained();
  }

  onSettings(): void {
    this.#settingsCame = true;
    this.#look();
  }

  onSettingsAck(): void {
    this.#liveness.settled();
  }

  onGoaway(): void {
    this.metrics.goawaysReceived.add();
    this.leave();
  }

  onPong(): void {}

  onStreamFault(_streamId: number, fault: Http2Fault): void {
    this.#streamRule = fault.rule;
    this.metrics.protocolError(fault.rule);
  }

  onFault(fault: Http2Fault): void {
    if (fault.rule !== 'closed') {
      this.faultRule = fault.rule;
      this.metrics.protocolError(fault.rule);
    }
    this.leave();
  }

  // — of its streams —

  streamOver(): void {
    this.#streams--;
    if (this.#streams === 0) this.#idleSinceMs = this.engine.turn.nowMs;
    this.#look();
  }

  /**
   * An attempt was given up with no answer. Where the endpoint has said nothing at all for longer than connecting may
   * take, others should not wait for it on this connection too.
   */
  gaveUp(sinceMs: number): void {
    const { connectTimeoutMs } = this.#owner.cluster;
    const silentSinceMs = Math.max(sinceMs, this.#liveness.heardMs);
    if (this.engine.turn.nowMs - silentSinceMs >= connectTimeoutMs) this.leave();
  }

  peerSilent(): void {
    this.metrics.keepaliveTimeouts.add();
    this.close();
  }

  // — going —

  /** Takes no new stream; closes behind the last of those that it has. */
  leave(): void {
    if (this.#leaving) return;
    this.#leaving = true;
    this.#owner.leaves(this);
    this.#look();
  }

  #look(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.engine.turn.later(this);
  }

  endOfTurn(): void {
    this.#scheduled = false;
    if (this.#closed) return;
    if (!this.#leaving) this.#owner.roomMade(this);
    if (this.session.failed || (this.#leaving && this.#streams === 0)) this.close();
  }

  idleDue(): void {
    const { http2IdleTimeoutMs: limitMs } = this.#owner.cluster;
    if (this.#closed) return;
    const { nowMs } = this.engine.turn;
    const leftMs = this.#streams > 0 ? limitMs : this.#idleSinceMs + limitMs - nowMs;
    if (leftMs > 0) return this.#idleTimer.arm(leftMs, nowMs);
    this.metrics.idleRetired.add();
    this.#wire.inTurn(() => this.close());
  }

  /** Closes the connection, whatever it does. */
  close(): void {
    if (this.#closed) return;
    if (!this.session.failed) this.session.goaway(H2_NO_ERROR, false);
    this.#wire.outbox.flush();
    this.socket.destroy();
    this.#end();
  }

  #end(): void {
    this.#closed = true;
    this.#leaving = true;
    this.#idleTimer.cancel();
    this.#liveness.stop();
    this.engine.connections.delete(this);
    this.#owner.sharedGone(this);
    this.session.abort();
  }
}

function idleDue(connection: Http2ClientConnection): void {
  connection.idleDue();
}
