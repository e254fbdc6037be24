import type { CompiledHbone } from '../compile/compiled-hbone.ts';
import type { Engine } from '../engine.ts';
import type { Socket, SocketEvents, SocketFault } from '../ports.ts';
import type { ListenerConnection } from '../listener/serving.ts';
import { HboneServerConnection, type TunnelListener } from './server-connection.ts';

/** What an accepted connection that is to carry tunnels needs of its listener. */
export interface HandshakeListener extends TunnelListener {
  /** The peer is who it says. */
  secured(from: ListenerConnection, to: ListenerConnection): void;
  /** The peer did not prove who it is. */
  refused(socket: Socket, fault: SocketFault): void;
}

/** An accepted connection until its peer has proved who it is: only then it may ask for tunnels. */
export class HboneHandshake implements SocketEvents, ListenerConnection {
  /** Nothing is served before the handshake. */
  readonly plain: undefined = undefined;
  readonly #engine: Engine;
  readonly #listener: HandshakeListener;
  readonly #hbone: CompiledHbone;
  readonly #socket: Socket;
  readonly #cancelTimer: () => void;
  #over = false;

  constructor(engine: Engine, listener: HandshakeListener, hbone: CompiledHbone, socket: Socket) {
    this.#engine = engine;
    this.#listener = listener;
    this.#hbone = hbone;
    this.#cancelTimer = engine.clock.setTimer(engine.limits.handshakeTimeoutMs, () => this.#late());
    this.#socket = engine.transport.secure(socket, hbone.tls.tls, undefined);
    this.#socket.events = this;
  }

  onOpen(): void {
    this.#inTurn(() => {
      if (!this.#leave()) return;
      this.#listener.metrics.tlsConnections.add();
      const { tls } = this.#socket;
      if (tls?.alpn !== undefined && tls.alpn !== 'h2') {
        this.#socket.destroy();
        return this.#listener.connectionOver(this);
      }
      this.#listener.secured(
        this,
        new HboneServerConnection(this.#engine, this.#listener, this.#hbone, this.#socket),
      );
    });
  }

  onRead(): void {}
  onEnd(): void {}
  onDrain(): void {}

  onClose(fault: SocketFault | undefined): void {
    this.#inTurn(() => {
      if (!this.#leave()) return;
      if (fault !== undefined && (fault.kind === 'tls' || fault.kind === 'identity'))
        this.#listener.refused(this.#socket, fault);
      this.#listener.connectionOver(this);
    });
  }

  closeIfIdle(): void {
    this.destroy();
  }

  destroy(): void {
    if (!this.#leave()) return;
    this.#socket.destroy();
    this.#listener.connectionOver(this);
  }

  #late(): void {
    this.#inTurn(() => {
      if (!this.#over) this.#listener.metrics.handshakeTimeouts.add();
      this.destroy();
    });
  }

  #leave(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#cancelTimer();
    return true;
  }

  #inTurn(run: () => void): void {
    this.#engine.inTurn(run, () => this.#socket.destroy());
  }
}
