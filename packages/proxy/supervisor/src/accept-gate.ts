import type { SocketHandle } from './bound-socket.ts';

/** A connection that the kernel gave this process, as Node carries it until a server makes a socket of it. */
export interface ConnectionHandle {
  close(callback?: () => void): void;
  /** Ends it with RST; only TCP has it. */
  reset?(callback?: () => void): number;
}

type OnConnection = (this: unknown, status: number, connection: ConnectionHandle | undefined) => void;

interface ListeningHandle extends SocketHandle {
  onconnection?: OnConnection;
}

interface Gate {
  readonly handle: ListeningHandle;
  /** What the server on the handle does with a connection. */
  serve: OnConnection | undefined;
  closed: boolean;
}

/** Connections that are on their way to another process at a time; more are kept, so that none queues for long. */
const MAX_OFFERS = 64;
/**
 * Connections offered a second at most. Each costs time of the supervisor and of both processes, which short connections
 * are not worth: where more come, the kernel spreads them among busy processes.
 */
const MAX_OFFERS_PER_SECOND = 200;

/** What the gate needs of the rest of its process. */
export interface AcceptGateHost {
  /** Sends the connection to the supervisor. `done` says whether it has it. */
  offer(
    key: string,
    connections: number,
    connection: ConnectionHandle,
    done: (error: Error | null) => void,
  ): void;
  /** The number of connections is another. */
  changed(connections: number): void;
  /** Monotonic milliseconds. */
  nowMs(): number;
}

/**
 * Stands before the servers of an engine process. A listening socket that several processes share wakes all of them, and
 * the one that is quickest takes what comes: of few long-lived connections most end in one process. So a process that has
 * more than another gives new ones away (Envoy's exact connection balance).
 */
export class AcceptGate {
  readonly #host: AcceptGateHost;
  readonly #gates = new Map<string, Gate>();
  /** Connections of the other process that has least; `undefined`: there is none, or none that takes connections. */
  least: number | undefined;
  #connections = 0;
  #offers = 0;
  #secondMs = -Infinity;
  #offersThisSecond = 0;
  readonly #closeCounted: ConnectionHandle['close'];
  readonly #resetCounted: NonNullable<ConnectionHandle['reset']>;

  constructor(host: AcceptGateHost) {
    this.#host = host;
    const ended = (connection: object): void => {
      // What it had before is on its prototype.
      delete (connection as { close?: unknown }).close;
      delete (connection as { reset?: unknown }).reset;
      this.#connections -= 1;
      host.changed(this.#connections);
    };
    // One function for all connections: a closure each would cost more than the count is worth.
    this.#closeCounted = function (this: ConnectionHandle, callback): void {
      ended(this);
      this.close(callback);
    };
    this.#resetCounted = function (this: ConnectionHandle, callback): number {
      ended(this);
      return this.reset?.(callback) ?? 0;
    };
  }

  /** Connections that this process has. */
  get connections(): number {
    return this.#connections;
  }

  /** Puts itself before the server that will listen on the handle. @param key names the socket in every process */
  guard(key: string, handle: SocketHandle): void {
    const gate: Gate = { handle, serve: undefined, closed: false };
    this.#gates.set(key, gate);
    const accept: OnConnection = (status, connection) => {
      if (status !== 0 || connection === undefined) gate.serve?.call(handle, status, connection);
      else if (!this.#shouldOffer()) this.#serve(gate, connection);
      else this.#offer(key, gate, connection);
    };
    // The server sets this property of its handle, and libuv's wrapper calls what it finds there.
    Object.defineProperty(handle, 'onconnection', {
      configurable: true,
      enumerable: true,
      get: () => (gate.serve === undefined ? undefined : accept),
      set: (serve: OnConnection | undefined) => {
        gate.serve = serve;
      },
    });
    const close = handle.close.bind(handle);
    handle.close = (callback) => {
      gate.closed = true;
      if (this.#gates.get(key) === gate) this.#gates.delete(key);
      close(callback);
    };
  }

  /**
   * Takes a connection that another process accepted.
   * @returns false: nothing listens on that socket here, and the connection is left as it is
   */
  take(key: string, connection: ConnectionHandle): boolean {
    const gate = this.#gates.get(key);
    if (gate === undefined || gate.serve === undefined) return false;
    this.#serve(gate, connection);
    return true;
  }

  #serve(gate: Gate, connection: ConnectionHandle): void {
    this.#connections += 1;
    connection.close = this.#closeCounted;
    if (connection.reset !== undefined) connection.reset = this.#resetCounted;
    this.#host.changed(this.#connections);
    gate.serve?.call(gate.handle, 0, connection);
  }

  /** An eighth more than another has is even enough: with many connections the rest is chance, and each move costs. */
  #shouldOffer(): boolean {
    const { least } = this;
    if (least === undefined || this.#connections <= least + (this.#connections >> 3)) return false;
    if (this.#offers >= MAX_OFFERS) return false;
    const nowMs = this.#host.nowMs();
    if (nowMs - this.#secondMs >= 1_000) {
      this.#secondMs = nowMs;
      this.#offersThisSecond = 0;
    }
    if (this.#offersThisSecond >= MAX_OFFERS_PER_SECOND) return false;
    this.#offersThisSecond += 1;
    return true;
  }

  #offer(key: string, gate: Gate, connection: ConnectionHandle): void {
    this.#offers += 1;
    this.#host.offer(key, this.#connections, connection, (error) => {
      this.#offers -= 1;
      if (error === null) connection.close();
      else if (gate.closed) connection.close();
      else this.#serve(gate, connection);
    });
  }
}
