import type { StreamRecord } from '@tulle/telemetry';
import type { FieldTable } from '@tulle/fields';
import type { RequestHead } from '@tulle/http1';
import {
  H2_NO_ERROR,
  ServerSession,
  type Http2Events,
  type Http2Fault,
  type Http2Stream,
  type ResetCause,
} from '@tulle/http2';
import { jitteredMs } from '@tulle/time';
import type { HttpChain, HttpSettings } from '../compile/compiled.ts';
import type { Engine } from '../engine.ts';
import { GoingAway, type GoingAwayOwner } from '../http2/going-away.ts';
import { Liveness, type LivenessOwner } from '../http2/liveness.ts';
import { Http2Wire, type WireOwner } from '../http2/wire.ts';
import type { Socket, SocketFault } from '../ports.ts';
import type { TurnTask } from '../turn.ts';
import { CallerWaits, type WaitingConnection } from './caller-waits.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import { takeServerStream, type Http2ServerStream, type ServerStreamHost } from './h2-stream.ts';
import type { ChainSlot, ListenerConnection, ServingListener } from './serving.ts';
import type { Mutable } from '../stream/recorder.ts';

/** One HTTP/2 connection of a caller: many streams at a time, each an {@link Http2ServerStream}. */
export class Http2ServerConnection
  implements
    WireOwner,
    Http2Events<Http2ServerStream>,
    ServerStreamHost,
    ListenerConnection,
    WaitingConnection,
    LivenessOwner,
    GoingAwayOwner,
    TurnTask
{
  readonly engine: Engine;
  readonly socket: Socket;
  readonly session: ServerSession<Http2ServerStream>;
  readonly connection: ConnectionFacts;
  readonly listener: ServingListener;
  readonly #slot: ChainSlot;
  readonly #wire: Http2Wire;
  readonly #waits: CallerWaits;
  readonly #liveness: Liveness;
  readonly #goingAway: GoingAway;
  /** Streams, and objects of those that the engine is not done with. */
  #streams = 0;
  #tunnels = 0;
  #streamRule = '';
  #scheduled = false;
  #peerEnded = false;
  #lingering = false;
  #closed = false;

  constructor(
    engine: Engine,
    listener: ServingListener,
    slot: ChainSlot,
    chain: HttpChain,
    socket: Socket,
    facts: ConnectionFacts,
  ) {
    this.engine = engine;
    this.listener = listener;
    this.socket = socket;
    this.connection = facts;
    this.#slot = slot;
    this.#wire = new Http2Wire(engine, socket, this);
    this.session = new ServerSession<Http2ServerStream>(this, this.#wire.outbox, chain.settings.http2);
    this.#waits = new CallerWaits(this, engine, socket, this.#wire.outbox, listener.metrics);
    this.#liveness = new Liveness(engine, this, chain.settings.http2Keepalive);
    this.#goingAway = new GoingAway(this, this.#wire);
    listener.metrics.http2Connections.add();
    listener.metrics.http2Active++;
    this.session.start();
  }

  // — its socket —

  get deaf(): boolean {
    return this.#lingering || this.#closed;
  }

  readDone(nowMs: number): void {
    this.#liveness.heardMs = nowMs;
    if (this.session.awaitsRest) this.#waits.headBegan();
    else this.#waits.headCame();
  }

  peerEnded(): void {
    this.#peerEnded = true;
    if (this.#lingering) return this.#wire.outbox.queuedBytes === 0 ? this.destroy() : undefined;
    // The caller may half-close after its requests; it still gets every answer.
    this.session.peerEnded();
    this.#goingAway.peerOver();
  }

  taken(): void {
    if (this.#lingering) this.#waits.linger(this.#peerEnded);
  }

  /** The socket is gone. */
  gone(fault: SocketFault | undefined): void {
    if (fault !== undefined) this.listener.metrics.connectionFault(fault.kind);
    if (this.#closed) return;
    this.#closed = true;
    this.listener.metrics.http2Active--;
    this.#waits.stop();
    this.#liveness.stop();
    this.#goingAway.stop();
    this.session.abort();
    this.listener.connectionOver(this);
  }

  defect(defect: unknown): void {
    this.engine.logDefect(defect);
    this.destroy();
  }

  // — Http2Events —

  requestHead(h2: Http2Stream<Http2ServerStream>): RequestHead | undefined {
    // Its chain was taken away, or the connection ends: it was not looked at, so it may be sent elsewhere.
    if (this.#slot.current === undefined || this.#lingering) return undefined;
    const side = takeServerStream(this, h2, this.engine);
    h2.user = side;
    this.#streams++;
    this.listener.metrics.http2Streams++;
    return side.stream?.requestHead;
  }

  onHead({ user }: Http2Stream<Http2ServerStream>, endStream: boolean): void {
    this.listener.metrics.requests.add();
    if (this.#waits.isWornOut()) this.#goAway();
    user.head(this.#slot.current as HttpChain, endStream);
  }

  onHeadFault({ user }: Http2Stream<Http2ServerStream>, fault: Http2Fault, endStream: boolean): void {
    user.headFault(this.#slot.current as HttpChain, fault, endStream);
  }

  onInformational(): void {}

  onData(
    { user }: Http2Stream<Http2ServerStream>,
    chunk: Buffer,
    start: number,
    end: number,
    endStream: boolean,
  ): void {
    this.#wire.bodyBytes += end - start;
    user.received(chunk, start, end, endStream);
  }

  onEnd({ user }: Http2Stream<Http2ServerStream>, trailers: FieldTable | undefined): void {
    user.ended(trailers);
  }

  onReset({ user }: Http2Stream<Http2ServerStream>, code: number, cause: ResetCause): void {
    user.wasReset(code, cause, this.#streamRule);
  }

  onClosed({ user }: Http2Stream<Http2ServerStream>): void {
    user.wasClosed();
  }

  onDrain({ user }: Http2Stream<Http2ServerStream>): void {
    user.drained();
  }

  onSettings(): void {}

  onSettingsAck(): void {
    this.#liveness.settled();
  }

  onGoaway(): void {}

  onPong(token: number): void {
    this.#goingAway.ponged(token);
  }

  onStreamFault(_streamId: number, fault: Http2Fault): void {
    this.#streamRule = fault.rule;
    this.listener.metrics.protocolError(fault.rule);
  }

  onFault(fault: Http2Fault): void {
    if (fault.rule !== 'closed') this.listener.metrics.protocolError(fault.rule);
    this.#streamRule = fault.rule;
    this.#goingAway.peerOver();
  }

  // — of its streams —

  get unsentBytes(): number {
    return this.socket.unsentBytes;
  }

  responseBegins(): void {
    if (!this.#goingAway.began && this.listener.asksToClose()) this.#goAway();
  }

  tunnels(change: 1 | -1): void {
    this.#tunnels += change;
  }

  streamOver(): void {
    this.listener.metrics.http2Streams--;
    if (--this.#streams > 0) return;
    this.#waits.rests();
    if (this.#goingAway.began || this.listener.drainEnded || this.#slot.current === undefined) this.#look();
  }

  // — the listener's wishes —

  get plain(): 'requests' | 'bytes' | undefined {
    if (this.socket.tls !== undefined) return undefined;
    return this.#tunnels > 0 ? 'bytes' : 'requests';
  }

  describe(record: Mutable<StreamRecord>): void {
    record.protocol = 'HTTP/2';
  }

  closeIfIdle(): void {
    if (this.#closed || this.#lingering) return;
    if (this.#streams === 0) {
      this.session.goaway(H2_NO_ERROR, false);
      this.#closeNow();
    } else this.#goAway();
  }

  // — going away —

  /** Says that it will end, and ends with the last stream that the caller had begun by then. */
  #goAway(): void {
    const { drainTimeoutMs = this.engine.limits.lingerMs, drainJitterPercent = 0 } = this.settings ?? {};
    if (this.#goingAway.begin(jitteredMs(drainTimeoutMs, drainJitterPercent, this.engine.random)))
      this.listener.metrics.goawaysSent.add();
  }

  lastStreamKnown(): void {
    this.#look();
  }

  #look(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.engine.turn.later(this);
  }

  endOfTurn(): void {
    this.#scheduled = false;
    if (this.#closed || this.#lingering) return;
    if (this.session.failed) return this.#closeNow();
    if (this.#streams > 0) return;
    if (this.#goingAway.began) {
      if (this.#goingAway.lastStreamKnown) this.#closeNow();
    } else if (this.listener.drainEnded || this.#slot.current === undefined) this.closeIfIdle();
  }

  /** Says goodbye; what still comes is thrown away. */
  #closeNow(): void {
    if (this.#closed || this.#lingering) return;
    this.#lingering = true;
    this.#liveness.stop();
    this.#goingAway.stop();
    this.#waits.leave(this.#peerEnded);
  }

  destroy(): void {
    if (!this.#closed) this.socket.destroy();
  }

  // — what is waited for —

  get settings(): HttpSettings | undefined {
    return this.#slot.current?.settings;
  }

  get busy(): boolean {
    return this.#streams > 0;
  }

  get full(): boolean {
    return this.#wire.outbox.exceeds(this.listener.bufferLimitBytes);
  }

  restOver(): void {
    this.#wire.inTurn(() => this.closeIfIdle());
  }

  headLate(): void {
    if (this.#closed) return;
    this.#wire.inTurn(() => {
      this.listener.metrics.headTimeouts.add();
      this.session.goaway(H2_NO_ERROR, false);
      this.session.abort();
      this.#closeNow();
    });
  }

  peerSilent(): void {
    this.listener.metrics.keepaliveTimeouts.add();
    this.destroy();
  }
}
