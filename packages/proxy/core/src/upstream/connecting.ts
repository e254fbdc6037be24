import type { WheelTimer } from '@tulle/time';
import type { Engine } from '../engine.ts';
import type { Socket, SocketEvents, SocketFault } from '../ports.ts';

/** Who wants the connection. */
export interface ConnectOwner {
  readonly cluster: { readonly engine: Engine; readonly connectTimeoutMs: number };
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
export class ConnectingSocket implements SocketEvents {
  readonly #owner: ConnectOwner;
  readonly #socket: Socket;
  readonly #timer: WheelTimer;
  #timedOut = false;
  #over = false;

  constructor(owner: ConnectOwner, socket: Socket) {
    const { engine, connectTimeoutMs } = owner.cluster;
    this.#owner = owner;
    this.#socket = socket;
    this.#timer = engine.wheel.timer(connectTimedOut, this);
    this.#timer.arm(connectTimeoutMs);
    socket.events = this;
    engine.connections.add(this);
  }

  /** connectTimeoutMs is over. */
  timeOut(): void {
    this.#timedOut = true;
    this.#socket.destroy();
  }

  /** It is not wanted any more. */
  close(): void {
    if (!this.#leave()) return;
    this.#socket.destroy();
    this.#owner.notConnected(undefined);
  }

  #leave(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#timer.cancel();
    this.#owner.cluster.engine.connections.delete(this);
    return true;
  }

  onOpen(): void {
    if (this.#leave()) this.#inTurn(() => this.#owner.connected(this.#socket));
  }

  onClose(fault: SocketFault | undefined): void {
    if (this.#leave())
      this.#inTurn(() => this.#owner.notConnected(this.#timedOut ? TIMED_OUT : (fault ?? CLOSED)));
  }

  onRead(): void {}
  /** The close follows, or a fault that says more. */
  onEnd(): void {
    this.#socket.destroy();
  }
  onDrain(): void {}

  #inTurn(run: () => void): void {
    this.#owner.cluster.engine.inTurn(run, () => this.#socket.destroy());
  }
}

function connectTimedOut(connecting: ConnectingSocket): void {
  connecting.timeOut();
}
