import type { WheelTimer } from '@tulle/time';
import type { Engine } from '../engine.ts';
import type { Socket, SocketFault } from '../ports.ts';
import { FirstToOpen, type Connect, type RaceOwner } from './first-to-open.ts';

/** Who wants the connection. */
export interface ConnectOwner {
  readonly cluster: { readonly engine: Engine; readonly connectTimeoutMs: number };
  /** One of the endpoint's addresses is tried. */
  trying?(): void;
  /** Connected, and where TLS is used the endpoint verified: the socket is the owner's. */
  connected(socket: Socket): void;
  /** It could not be made. @param fault `undefined`: it is not wanted any more */
  notConnected(fault: SocketFault | undefined): void;
}

const CLOSED: SocketFault = {
  kind: 'other',
  reason: 'closed',
  message: 'the endpoint closed the connection during the handshake',
};
const TIMED_OUT: SocketFault = {
  kind: 'timeout',
  reason: 'timeout',
  message: 'no connection within connectTimeoutMs',
};

/** A connection to an endpoint until it is open, whatever it will speak. */
export class ConnectingSocket implements RaceOwner {
  readonly #owner: ConnectOwner;
  readonly #race: FirstToOpen;
  readonly #timer: WheelTimer;
  #timedOut = false;
  #over = false;

  /** @param count of addresses that the endpoint has */
  constructor(owner: ConnectOwner, connect: Connect, count = 1) {
    const { engine, connectTimeoutMs } = owner.cluster;
    this.#owner = owner;
    this.#timer = engine.wheel.timer(connectTimedOut, this);
    this.#timer.arm(connectTimeoutMs);
    this.#race = new FirstToOpen(engine, connect, count, this);
    engine.connections.add(this);
  }

  /** connectTimeoutMs is over. */
  timeOut(): void {
    this.#timedOut = true;
    this.#race.destroy();
  }

  /** It is not wanted any more. */
  close(): void {
    if (!this.#leave()) return;
    this.#race.destroy();
    this.#owner.notConnected(undefined);
  }

  #leave(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#timer.cancel();
    this.#owner.cluster.engine.connections.delete(this);
    return true;
  }

  trying(): void {
    this.#owner.trying?.();
  }

  won(socket: Socket): void {
    if (!this.#leave()) return;
    this.#owner.cluster.engine.inTurn(
      () => this.#owner.connected(socket),
      () => socket.destroy(),
    );
  }

  lost(fault: SocketFault | undefined): void {
    if (!this.#leave()) return;
    this.#owner.cluster.engine.inTurn(
      () => this.#owner.notConnected(this.#timedOut ? TIMED_OUT : (fault ?? CLOSED)),
      () => {},
    );
  }
}

function connectTimedOut(connecting: ConnectingSocket): void {
  connecting.timeOut();
}
