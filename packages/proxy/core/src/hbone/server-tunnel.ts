import type { FieldTable } from '@tulle/fields';
import { H2_NO_ERROR, type Http2Stream, type ServerSession } from '@tulle/http2';
import type { Engine } from '../engine.ts';
import { StreamSide } from '../http2/stream-side.ts';
import { StreamSocket } from '../http2/stream-socket.ts';
import type { Socket, TlsPeer, TunnelRequest } from '../ports.ts';
import type { HboneMetrics } from './hbone-metrics.ts';
import type { TunnelPeer } from './tunnel-peer.ts';

/** The connection that carries the tunnel. */
export interface ServerTunnelHost {
  readonly engine: Engine;
  readonly socket: Socket;
  readonly session: ServerSession<ServerTunnel>;
  readonly metrics: HboneMetrics;
  /** Who proved to be at its other end. */
  readonly peer: TunnelPeer | undefined;
  /** The tunnel is over, for its user and on the wire. */
  tunnelOver(): void;
}

/** One CONNECT that a peer sent, until both sides of the tunnel are over. */
export class ServerTunnel extends StreamSide<ServerTunnel> {
  declare host: ServerTunnelHost;
  #over = false;

  constructor(host: ServerTunnelHost, h2: Http2Stream<ServerTunnel>) {
    super();
    this.takeIntoUse();
    this.host = host;
    this.h2 = h2;
  }

  /** As a socket, to be answered by {@link Socket.tunnel}; it reads when it is resumed. */
  open(): AcceptedTunnel {
    const socket = new AcceptedTunnel(this.host, this);
    this.openTunnel(socket);
    return socket;
  }

  /** An answer without a tunnel. */
  refuse(status: number): void {
    const { h2, host } = this;
    if (h2 === undefined) return;
    host.metrics.refused(status);
    host.session.writeHead(h2, status, host.engine.newTable(), 0, true);
    // The peer may have said more already, which nobody reads (RFC 9113 §8.1). Where it is done, the stream is over.
    if (this.h2 !== undefined && !this.peerEnded) {
      this.h2 = undefined;
      host.session.reset(h2, H2_NO_ERROR);
    }
  }

  protected deliver(): boolean {
    return false;
  }

  protected finish(_trailers: FieldTable | undefined): void {}

  drained(): void {
    this.tunnelSocket?.drained();
  }

  wasReset(): void {
    this.h2 = undefined;
    this.tunnelSocket?.streamOver(true);
    this.leaveIfOver();
  }

  wasClosed(): void {
    this.h2 = undefined;
    this.tunnelSocket?.streamOver(false);
    this.leaveIfOver();
  }

  tunnelClosed(): void {
    this.tunnelSocket = undefined;
    this.leaveIfOver();
  }

  leaveIfOver(): void {
    if (this.#over || this.h2 !== undefined || this.tunnelSocket !== undefined) return;
    this.#over = true;
    this.resetSide();
    this.host.tunnelOver();
  }
}

/** A tunnel as an accepted connection. */
export class AcceptedTunnel extends StreamSocket<ServerTunnel> implements TunnelRequest {
  readonly #host: ServerTunnelHost;
  readonly #side: ServerTunnel;
  #answered = false;

  constructor(host: ServerTunnelHost, side: ServerTunnel) {
    super(host.session, side, host.socket, host.engine.turn);
    this.#host = host;
    this.#side = side;
  }

  override get tls(): TlsPeer | undefined {
    return this.#host.peer;
  }

  get tunnel(): TunnelRequest {
    return this;
  }

  accept(): void {
    const { h2 } = this.#side;
    if (this.#answered || h2 === undefined) return;
    this.#answered = true;
    this.#host.metrics.tunnels.add();
    this.#host.session.writeHead(h2, 200, this.#host.engine.newTable(), -1, false);
  }

  refuse(status: number): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#side.refuse(status);
  }

  override destroy(reset = false): void {
    this.refuse(503);
    super.destroy(reset);
  }
}
