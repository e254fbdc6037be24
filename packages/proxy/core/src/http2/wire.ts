import type { Http2Session } from '@tulle/http2';
import type { Engine } from '../engine.ts';
import { Outbox } from '../outbox.ts';
import type { Socket, SocketEvents, SocketFault } from '../ports.ts';

/** A read with so many body bytes tells that bodies stream: they go into buffers of their own, and pass uncopied. */
const LARGE_READ_BYTES = 8192;

/** The connection whose socket it is. */
export interface WireOwner {
  readonly session: Pick<Http2Session<never>, 'receive' | 'pump'>;
  /** What still comes is thrown away: the connection says goodbye, or is over. */
  readonly deaf: boolean;
  /** A read was passed on. */
  readDone(nowMs: number): void;
  /** The peer sends nothing more. */
  peerEnded(): void;
  /** The peer took all that waited. */
  taken(): void;
  /** The socket is gone. */
  gone(fault: SocketFault | undefined): void;
  defect(defect: unknown): void;
}

/** The socket of an HTTP/2 connection, in whichever role. */
export class Http2Wire implements SocketEvents {
  readonly socket: Socket;
  readonly outbox: Outbox;
  /** Body bytes of the read under way; whoever gets some adds them. */
  bodyBytes = 0;
  readonly #engine: Engine;
  readonly #owner: WireOwner;

  constructor(engine: Engine, socket: Socket, owner: WireOwner) {
    this.#engine = engine;
    this.socket = socket;
    this.#owner = owner;
    this.outbox = new Outbox(socket, engine.turn);
    socket.events = this;
  }

  onOpen(): void {}

  onRead(chunk: Buffer, start: number, end: number): void {
    const { turn } = this.#engine;
    const owner = this.#owner;
    turn.begin();
    try {
      if (owner.deaf) return;
      const { nowMs } = turn;
      this.bodyBytes = 0;
      owner.session.receive(chunk, start, end, nowMs);
      this.socket.setOwnedReads(this.bodyBytes >= LARGE_READ_BYTES);
      owner.readDone(nowMs);
    } catch (defect) {
      owner.defect(defect);
    } finally {
      turn.end();
    }
  }

  onEnd(): void {
    this.inTurn(() => this.#owner.peerEnded());
  }

  onDrain(): void {
    this.outbox.drained();
    this.inTurn(() => {
      if (!this.#owner.deaf) this.#owner.session.pump();
      this.#owner.taken();
    });
  }

  onClose(fault: SocketFault | undefined): void {
    this.inTurn(() => {
      this.outbox.close();
      this.#owner.gone(fault);
    });
  }

  inTurn(run: () => void): void {
    const { turn } = this.#engine;
    turn.begin();
    try {
      run();
    } catch (defect) {
      this.#owner.defect(defect);
    } finally {
      turn.end();
    }
  }
}
