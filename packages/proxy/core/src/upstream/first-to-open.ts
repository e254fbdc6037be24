import type { WheelTimer } from '@tulle/time';
import type { Engine } from '../engine.ts';
import type { Socket, SocketEvents, SocketFault } from '../ports.ts';

/** How long one address is waited for before the next is tried beside it (RFC 8305 §5, Connection Attempt Delay; Envoy's 300 ms). */
const ATTEMPT_DELAY_MS = 300;

/** Who wants one of the sockets. */
export interface RaceOwner {
  /** One of the addresses is tried. */
  trying?(): void;
  /** The first that is open, TLS and all: it is the owner's, who sets its events. */
  won(socket: Socket): void;
  /** None could be had. @param fault of that which failed last */
  lost(fault: SocketFault | undefined): void;
}

/** Makes a socket to one of an endpoint's addresses, the first being 0. */
export type Connect = (at: number) => Socket;

/**
 * Connects to one of several addresses: the next is tried as soon as one fails, and beside one that takes long. The first to
 * open is had, the others are closed.
 */
export class FirstToOpen {
  readonly #owner: RaceOwner;
  readonly #connect: Connect;
  readonly #count: number;
  /** Of nobody where there is one address. */
  readonly #timer: WheelTimer | undefined;
  readonly #under: Set<Attempt> = new Set<Attempt>();
  #next = 0;
  #over = false;

  /** @param count of addresses, at least 1 */
  constructor({ wheel }: Pick<Engine, 'wheel'>, connect: Connect, count: number, owner: RaceOwner) {
    this.#owner = owner;
    this.#connect = connect;
    this.#count = count;
    this.#timer = count > 1 ? wheel.timer(takesLong, this) : undefined;
    this.tryNext();
  }

  /** One address more, if there is one. */
  tryNext(): void {
    if (this.#over || this.#next === this.#count) return;
    this.#owner.trying?.();
    this.#under.add(new Attempt(this, this.#connect(this.#next++)));
    if (this.#next < this.#count) this.#timer?.arm(ATTEMPT_DELAY_MS);
  }

  /** None is wanted any more: `lost` follows as they close. */
  destroy(): void {
    this.#end();
    for (const { socket } of this.#under) socket.destroy();
  }

  opened(attempt: Attempt): void {
    if (this.#over) return;
    this.#end();
    this.#under.delete(attempt);
    const others = [...this.#under];
    this.#under.clear();
    for (const { socket } of others) socket.destroy();
    this.#owner.won(attempt.socket);
  }

  closed(attempt: Attempt, fault: SocketFault | undefined): void {
    // Whoever lost, or has won and is somebody's, is none of them.
    if (!this.#under.delete(attempt)) return;
    this.#timer?.cancel();
    this.tryNext();
    if (this.#under.size === 0) this.#owner.lost(fault);
  }

  #end(): void {
    this.#over = true;
    this.#timer?.cancel();
  }
}

function takesLong(race: FirstToOpen): void {
  race.tryNext();
}

/** One address. */
class Attempt implements SocketEvents {
  readonly #race: FirstToOpen;
  readonly socket: Socket;

  constructor(race: FirstToOpen, socket: Socket) {
    this.#race = race;
    this.socket = socket;
    socket.events = this;
  }

  onOpen(): void {
    this.#race.opened(this);
  }

  onClose(fault: SocketFault | undefined): void {
    this.#race.closed(this, fault);
  }

  /** The close follows, or a fault that says more. */
  onEnd(): void {
    this.socket.destroy();
  }

  onRead(): void {}
  onDrain(): void {}
}
