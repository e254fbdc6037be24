import type { Address } from '@tulle/model';
import type { SharedUse } from '../compile/shared-use.ts';
import type { Engine } from '../engine.ts';
import type { ClientTls, ConnectOptions, Socket, SocketFault } from '../ports.ts';
import { ConnectingSocket, type ConnectOwner } from '../upstream/connecting.ts';
import { HboneClientConnection, type CarrierOwner } from './client-connection.ts';
import type { TunnelSocket, TunnelSource } from './tunnel-socket.ts';

/** TLS of connections that carry tunnels, shared by all destinations of one identity. */
export interface CarrierTls extends SharedUse {
  readonly tls: ClientTls;
}

/** Where connections of a pool go, and as whom. */
export interface CarrierTarget {
  readonly address: Address;
  readonly tls: CarrierTls;
  readonly connectTimeoutMs: number;
  readonly options: ConnectOptions;
}

const NEVER_SPOKE: SocketFault = {
  kind: 'other',
  reason: 'hbone-closed',
  message: 'the peer closed the connection before it spoke HTTP/2',
};

/** Tunnels that a connection is taken to bear before the peer has said so (RFC 9113 §6.5.2 recommends no fewer). */
const ASSUMED_TUNNELS = 100;

/**
 * The connections of one identity to one peer, and the tunnels that wait for one: as few connections as can be, another only
 * where those at hand are full or leave.
 */
export class CarrierPool implements ConnectOwner, CarrierOwner, TunnelSource {
  readonly engine: Engine;
  /** What connecting needs to know. */
  readonly cluster: { readonly engine: Engine; readonly connectTimeoutMs: number };
  readonly #target: CarrierTarget;
  readonly #onUnused: () => void;
  readonly #connections: Set<HboneClientConnection> = new Set<HboneClientConnection>();
  /** Those that go count until they are gone. */
  #open = 0;
  #connecting = 0;
  #tunnelsEach = ASSUMED_TUNNELS;
  readonly #waiting: Set<TunnelSocket> = new Set<TunnelSocket>();

  constructor(engine: Engine, target: CarrierTarget, onUnused: () => void) {
    this.engine = engine;
    this.cluster = { engine, connectTimeoutMs: target.connectTimeoutMs };
    this.#target = target;
    this.#onUnused = onUnused;
    target.tls.retain();
  }

  /** The tunnel gets its connection now, or when there is one. */
  take(socket: TunnelSocket): void {
    if (!socket.mayAsk()) return this.#look();
    for (const connection of this.#connections) if (connection.hasRoom) return connection.open(socket);
    this.#waiting.add(socket);
    this.#grow();
  }

  forget(socket: TunnelSocket): void {
    this.#waiting.delete(socket);
    this.#look();
  }

  again(socket: TunnelSocket): void {
    this.take(socket);
  }

  connected(socket: Socket): void {
    this.#connecting--;
    this.#open++;
    const connection = new HboneClientConnection(this, socket);
    this.#connections.add(connection);
    this.roomMade(connection);
  }

  notConnected(fault: SocketFault | undefined): void {
    this.#connecting--;
    this.#failWaiting(fault ?? NEVER_SPOKE);
    this.#look();
  }

  roomMade(connection: HboneClientConnection): void {
    if (connection.maxTunnels > 0) this.#tunnelsEach = connection.maxTunnels;
    for (const socket of this.#waiting) {
      if (!connection.hasRoom) return this.#grow();
      this.#waiting.delete(socket);
      connection.open(socket);
    }
  }

  leaves(connection: HboneClientConnection): void {
    this.#connections.delete(connection);
    this.#grow();
  }

  carrierGone(connection: HboneClientConnection, settled: boolean): void {
    this.#connections.delete(connection);
    this.#open--;
    // Where the peer never said a word of HTTP/2, another connection would go the same way.
    if (!settled) this.#failWaiting(NEVER_SPOKE);
    this.#grow();
    this.#look();
  }

  /** As many as the connection would have carried, those that waited longest. */
  #failWaiting(fault: SocketFault): void {
    let left = this.#tunnelsEach;
    for (const socket of this.#waiting) {
      if (left-- === 0) return;
      this.#waiting.delete(socket);
      socket.fail(fault);
    }
  }

  #grow(): void {
    const { address, options, tls } = this.#target;
    while (this.#connecting * this.#tunnelsEach < this.#waiting.size) {
      this.#connecting++;
      new ConnectingSocket(this, () => this.engine.transport.connect(address, { ...options, tls: tls.tls }));
    }
  }

  #look(): void {
    if (this.#open + this.#connecting + this.#waiting.size > 0) return;
    this.#target.tls.release();
    this.#onUnused();
  }
}
