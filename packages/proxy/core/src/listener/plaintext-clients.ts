/** A peer that connected in plain text where mutual TLS is taken too. */
export interface PlaintextClient {
  readonly address: string;
  readonly connections: number;
  /** Milliseconds since 1970. */
  readonly lastSeenMs: number;
}

/**
 * Who still comes in plain text to a listener that takes both: what an operator wants to know before it is made strict.
 * Peers are told apart by address, since they prove nothing.
 */
export class PlaintextClients {
  /** Past this the one that was not seen for the longest goes; with that many, whom to move next is no question of memory. */
  static readonly MAX_CLIENTS = 1_000;
  /** The longest not seen first. */
  readonly #clients: Map<string, { connections: number; lastSeenMs: number }> = new Map();
  /** Connections of clients that were forgotten. */
  forgotten = 0;

  note(address: string, epochMs: number): void {
    const known = this.#clients.get(address);
    this.#clients.delete(address);
    this.#clients.set(address, { connections: (known?.connections ?? 0) + 1, lastSeenMs: epochMs });
    if (this.#clients.size <= PlaintextClients.MAX_CLIENTS) return;
    const [oldest, { connections }] = this.#clients.entries().next().value as [
      string,
      { connections: number },
    ];
    this.#clients.delete(oldest);
    this.forgotten += connections;
  }

  /** The latest seen first. */
  list(): PlaintextClient[] {
    return [...this.#clients].map(([address, client]) => ({ address, ...client })).toReversed();
  }
}
