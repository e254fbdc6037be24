import { RequestHead } from '@tulle/http1';
import {
  H2_NO_ERROR,
  ServerSession,
  type Http2Events,
  type Http2Fault,
  type Http2Stream,
} from '@tulle/http2';
import type { CompiledHbone } from '../compile/compiled-hbone.ts';
import type { Engine } from '../engine.ts';
import { GoingAway, type GoingAwayOwner } from '../http2/going-away.ts';
import { Liveness, type LivenessOwner } from '../http2/liveness.ts';
import { Http2Wire, type WireOwner } from '../http2/wire.ts';
import { LeaveTaking } from '../leave-taking.ts';
import type { Socket, SocketFault } from '../ports.ts';
import type { TurnTask } from '../turn.ts';
import type { ListenerConnection, ServingListener } from '../listener/serving.ts';
import { hostPortOf } from '../upstream/host-port.ts';
import { readForwardedFor } from './forwarded.ts';
import type { HboneMetrics } from './hbone-metrics.ts';
import { KEEPALIVE, SILENCE_MS } from './keepalive.ts';
import { ServerTunnel, type ServerTunnelHost } from './server-tunnel.ts';
import type { IncomingTunnel } from './tunnel-facts.ts';
import { TunnelPeer } from './tunnel-peer.ts';

/** What a connection that carries tunnels needs of its listener. */
export interface TunnelListener extends ServingListener {
  /** What comes through a tunnel is a connection of the listener's. */
  tunnelled(tunnel: IncomingTunnel): void;
}

/** One connection of a peer that proved who it is: each of its streams asks for a tunnel. */
export class HboneServerConnection
  implements
    WireOwner,
    Http2Events<ServerTunnel>,
    ServerTunnelHost,
    ListenerConnection,
    LivenessOwner,
    GoingAwayOwner,
    TurnTask
{
  /** TLS came first. */
  readonly plain: undefined = undefined;
  readonly engine: Engine;
  readonly socket: Socket;
  readonly session: ServerSession<ServerTunnel>;
  readonly metrics: HboneMetrics;
  readonly peer: TunnelPeer | undefined;
  readonly #listener: TunnelListener;
  readonly #hbone: CompiledHbone;
  readonly #wire: Http2Wire;
  readonly #liveness: Liveness;
  readonly #goingAway: GoingAway;
  readonly #goodbye: LeaveTaking;
  /** Read to its end before the next one begins. */
  readonly #head: RequestHead = new RequestHead();
  #tunnels = 0;
  #scheduled = false;
  #peerEnded = false;
  /** All is said; what still comes is not heard. */
  #lingering = false;
  #closed = false;

  constructor(engine: Engine, listener: TunnelListener, hbone: CompiledHbone, socket: Socket) {
    this.engine = engine;
    this.socket = socket;
    this.metrics = engine.hbone.inbound;
    this.peer = socket.tls === undefined ? undefined : new TunnelPeer(socket.tls);
    this.#listener = listener;
    this.#hbone = hbone;
    this.#wire = new Http2Wire(engine, socket, this);
    this.session = new ServerSession<ServerTunnel>(this, this.#wire.outbox, hbone.session);
    this.#liveness = new Liveness(engine, this, hbone.keepalive ?? KEEPALIVE);
    this.#goodbye = new LeaveTaking(this, engine, socket, this.#wire.outbox, SILENCE_MS);
    this.#goingAway = new GoingAway(this, this.#wire);
    this.metrics.connections.add();
    this.metrics.activeConnections++;
    this.session.start();
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
    this.#goingAway.peerOver();
  }

  taken(): void {
    if (this.#lingering) this.#goodbye.linger(this.#peerEnded);
  }

  gone(fault: SocketFault | undefined): void {
    if (fault !== undefined) this.#listener.metrics.connectionFault(fault.kind);
    this.#end();
  }

  defect(defect: unknown): void {
    this.engine.logDefect(defect);
    this.destroy();
  }

  // — Http2Events —

  requestHead(h2: Http2Stream<ServerTunnel>): RequestHead {
    h2.user = new ServerTunnel(this, h2);
    this.#tunnels++;
    this.metrics.activeTunnels++;
    return this.#head;
  }

  onHead({ user, protocol }: Http2Stream<ServerTunnel>, endStream: boolean): void {
    const { method, authority, fields } = this.#head;
    user.peerEnded = endStream;
    const target = method === 'CONNECT' && protocol === undefined ? hostPortOf(authority, 0) : undefined;
    if (target === undefined || endStream) {
      user.refuse(method === 'CONNECT' ? 400 : 405);
      return user.leaveIfOver();
    }
    if (!this.#goingAway.began && this.#listener.asksToClose()) this.#goAway();
    const identity = this.peer?.identity;
    this.#listener.tunnelled({
      socket: user.open(),
      authority: target,
      forwardedFor:
        identity !== undefined && this.#hbone.trustedForwarders?.has(identity) === true
          ? readForwardedFor(fields)
          : undefined,
    });
  }

  onHeadFault({ user }: Http2Stream<ServerTunnel>, fault: Http2Fault, endStream: boolean): void {
    user.peerEnded = endStream;
    user.refuse(fault.status);
    user.leaveIfOver();
  }

  onInformational(): void {}

  onData(
    { user }: Http2Stream<ServerTunnel>,
    chunk: Buffer,
    start: number,
    end: number,
    endStream: boolean,
  ): void {
    this.#wire.bodyBytes += end - start;
    user.received(chunk, start, end, endStream);
  }

  onEnd({ user }: Http2Stream<ServerTunnel>): void {
    user.ended(undefined);
  }

  onReset({ user }: Http2Stream<ServerTunnel>): void {
    user.wasReset();
  }

  onClosed({ user }: Http2Stream<ServerTunnel>): void {
    user.wasClosed();
  }

  onDrain({ user }: Http2Stream<ServerTunnel>): void {
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
    this.#listener.metrics.protocolError(fault.rule);
  }

  onFault(fault: Http2Fault): void {
    if (fault.rule !== 'closed') this.#listener.metrics.protocolError(fault.rule);
    this.#goingAway.peerOver();
  }

  // — of its tunnels —

  tunnelOver(): void {
    this.metrics.activeTunnels--;
    if (--this.#tunnels === 0) this.#look();
  }

  // — the listener's wishes —

  closeIfIdle(): void {
    if (this.#closed || this.#lingering) return;
    if (this.#tunnels > 0) return this.#goAway();
    this.session.goaway(H2_NO_ERROR, false);
    this.#leave();
  }

  destroy(): void {
    if (this.#closed) return;
    this.socket.destroy();
    this.#end();
  }

  // — going away —

  /** Says that it will end, and ends with the last tunnel that the peer had asked for by then. */
  #goAway(): void {
    if (this.#goingAway.begin(this.engine.limits.lingerMs)) this.#listener.metrics.goawaysSent.add();
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
    if (this.session.failed) {
      this.session.abort();
      return this.#leave();
    }
    if (this.#tunnels > 0) return;
    if (this.#goingAway.began ? this.#goingAway.lastStreamKnown : this.#listener.drainEnded) this.#leave();
  }

  /** The last bytes of the last tunnel still reach the peer. */
  #leave(): void {
    this.#lingering = true;
    this.#liveness.stop();
    this.#goingAway.stop();
    this.#goodbye.leave(this.#peerEnded);
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.metrics.activeConnections--;
    this.#liveness.stop();
    this.#goingAway.stop();
    this.#goodbye.stop();
    this.session.abort();
    this.#listener.connectionOver(this);
  }

  peerSilent(): void {
    this.metrics.keepaliveTimeouts.add();
    this.destroy();
  }
}
