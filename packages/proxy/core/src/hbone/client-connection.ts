import { ResponseHead } from '@tulle/http1';
import {
  ClientSession,
  H2_NO_ERROR,
  type Http2Events,
  type Http2Stream,
  type ResetCause,
} from '@tulle/http2';
import type { WheelTimer } from '@tulle/time';
import type { Engine } from '../engine.ts';
import { Liveness, type LivenessOwner } from '../http2/liveness.ts';
import { Http2Wire, type WireOwner } from '../http2/wire.ts';
import { LeaveTaking } from '../leave-taking.ts';
import type { Socket } from '../ports.ts';
import type { TurnTask } from '../turn.ts';
import { ClientTunnel, type ClientTunnelHost } from './client-tunnel.ts';
import type { HboneMetrics } from './hbone-metrics.ts';
import { KEEPALIVE, SILENCE_MS } from './keepalive.ts';
import { TunnelPeer } from './tunnel-peer.ts';
import type { TunnelSocket } from './tunnel-socket.ts';

/** The pool that a connection belongs to. */
export interface CarrierOwner {
  readonly engine: Engine;
  /** A tunnel ended, or the peer allows more: there may be room for who waits. */
  roomMade(connection: HboneClientConnection): void;
  /** It takes no new tunnel any more; those that it has may go on. */
  leaves(connection: HboneClientConnection): void;
  /** It is gone. @param settled the peer had spoken HTTP/2 */
  carrierGone(connection: HboneClientConnection, settled: boolean): void;
}

/** One open connection to a peer that proved who it is: each of its streams is a tunnel. */
export class HboneClientConnection
  implements WireOwner, Http2Events<ClientTunnel>, ClientTunnelHost, LivenessOwner, TurnTask
{
  readonly engine: Engine;
  readonly socket: Socket;
  readonly session: ClientSession<ClientTunnel>;
  readonly metrics: HboneMetrics;
  readonly peer: TunnelPeer | undefined;
  readonly #owner: CarrierOwner;
  readonly #wire: Http2Wire;
  readonly #liveness: Liveness;
  readonly #goodbye: LeaveTaking;
  readonly #idleTimer: WheelTimer;
  /** Each answer is read to its end before another begins. */
  readonly #head: ResponseHead = new ResponseHead();
  #tunnels = 0;
  #idleSinceMs: number;
  #settled = false;
  #leaving = false;
  #scheduled = false;
  #peerEnded = false;
  /** All is said; what still comes is not heard. */
  #lingering = false;
  #closed = false;

  constructor(owner: CarrierOwner, socket: Socket) {
    const { engine } = owner;
    const { hboneTunnelsPerConnection: maxConcurrentStreams, hboneIdleTimeoutMs } = engine.limits;
    this.#owner = owner;
    this.engine = engine;
    this.socket = socket;
    this.metrics = engine.hbone.outbound;
    this.peer = socket.tls === undefined ? undefined : new TunnelPeer(socket.tls);
    this.#wire = new Http2Wire(engine, socket, this);
    this.session = new ClientSession<ClientTunnel>(this, this.#wire.outbox, { maxConcurrentStreams });
    this.#liveness = new Liveness(engine, this, KEEPALIVE);
    this.#goodbye = new LeaveTaking(this, engine, socket, this.#wire.outbox, SILENCE_MS);
    this.#idleTimer = engine.wheel.timer(idleDue, this);
    this.#idleSinceMs = engine.turn.nowMs;
    this.#idleTimer.arm(hboneIdleTimeoutMs, this.#idleSinceMs);
    this.metrics.connections.add();
    this.metrics.activeConnections++;
    engine.connections.add(this);
    this.session.start();
  }

  /** Tunnels that it bears at most, as far as is known. */
  get maxTunnels(): number {
    return this.session.maxConcurrentStreams;
  }

  /** Whether it takes another tunnel now. */
  get hasRoom(): boolean {
    return !this.#leaving && this.session.canOpen;
  }

  /** Ask {@link hasRoom} first. */
  open(asker: TunnelSocket): void {
    this.#tunnels++;
    this.metrics.activeTunnels++;
    asker.ask(new ClientTunnel(this, asker, this.#head));
  }

  // — its socket —

  get deaf(): boolean {
    return this.#lingering || this.#closed;
  }

  readDone(nowMs: number): void {
    this.#liveness.heardMs = nowMs;
  }

  peerEnded(): void {
    this.#peerEnded = true;
    if (this.#lingering) return this.#goodbye.linger(true);
    this.session.peerEnded();
    this.leave();
  }

  taken(): void {
    if (this.#lingering) this.#goodbye.linger(this.#peerEnded);
  }

  gone(): void {
    this.#end();
  }

  defect(defect: unknown): void {
    this.engine.logDefect(defect);
    this.close();
  }

  // — Http2Events —

  requestHead(): undefined {}
  onHeadFault(): void {}
  onInformational(): void {}

  onHead(h2: Http2Stream<ClientTunnel>, endStream: boolean): void {
    h2.user.head(h2, endStream);
  }

  onData(
    { user }: Http2Stream<ClientTunnel>,
    chunk: Buffer,
    start: number,
    end: number,
    endStream: boolean,
  ): void {
    this.#wire.bodyBytes += end - start;
    user.received(chunk, start, end, endStream);
  }

  onEnd({ user }: Http2Stream<ClientTunnel>): void {
    user.ended(undefined);
  }

  onReset({ user }: Http2Stream<ClientTunnel>, code: number, cause: ResetCause): void {
    user.wasReset(code, cause);
  }

  onClosed({ user }: Http2Stream<ClientTunnel>): void {
    user.wasClosed();
  }

  onDrain({ user }: Http2Stream<ClientTunnel>): void {
    user.drained();
  }

  onSettings(): void {
    this.#settled = true;
    this.#look();
  }

  onSettingsAck(): void {
    this.#liveness.settled();
  }

  onGoaway(): void {
    this.leave();
  }

  onPong(): void {}
  onStreamFault(): void {}

  onFault(): void {
    this.leave();
  }

  // — of its tunnels —

  tunnelOver(): void {
    this.metrics.activeTunnels--;
    if (--this.#tunnels === 0) this.#idleSinceMs = this.engine.turn.nowMs;
    this.#look();
  }

  peerSilent(): void {
    this.metrics.keepaliveTimeouts.add();
    this.close();
  }

  // — going —

  /** Takes no new tunnel; closes behind the last of those that it has. */
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
    if (this.#closed || this.#lingering) return;
    if (!this.#leaving) this.#owner.roomMade(this);
    if (this.session.failed) this.close();
    else if (this.#leaving && this.#tunnels === 0) this.#part();
  }

  /** The last bytes of the last tunnel still reach the peer. */
  #part(): void {
    this.#lingering = true;
    this.#idleTimer.cancel();
    this.#liveness.stop();
    this.session.goaway(H2_NO_ERROR, false);
    this.#goodbye.leave(this.#peerEnded);
  }

  destroy(): void {
    this.close();
  }

  idleDue(): void {
    if (this.#closed) return;
    const { hboneIdleTimeoutMs: limitMs } = this.engine.limits;
    const { nowMs } = this.engine.turn;
    const leftMs = this.#tunnels > 0 ? limitMs : this.#idleSinceMs + limitMs - nowMs;
    if (leftMs > 0) return this.#idleTimer.arm(leftMs, nowMs);
    this.#wire.inTurn(() => this.close());
  }

  /** Closes the connection, whatever it carries. */
  close(): void {
    if (this.#closed) return;
    if (!this.session.failed && !this.#lingering) this.session.goaway(H2_NO_ERROR, false);
    this.#wire.outbox.flush();
    this.socket.destroy();
    this.#end();
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#leaving = true;
    this.metrics.activeConnections--;
    this.#idleTimer.cancel();
    this.#liveness.stop();
    this.#goodbye.stop();
    this.engine.connections.delete(this);
    this.#owner.carrierGone(this, this.#settled);
    this.session.abort();
  }
}

function idleDue(connection: HboneClientConnection): void {
  connection.idleDue();
}
