import net from 'node:net';
import { percentile } from './round.ts';

/** Open-loop HTTP/1.1: requests are due evenly whatever became of those before, as those of many users are. */
export interface OpenRound {
  readonly port: number;
  readonly ratePerSecond: number;
  readonly durationMs: number;
  /** Whoever waits longer, from when the request was due, does not want the answer any more. */
  readonly patienceMs: number;
  /** Connections that are there before, as callers keep them. */
  readonly keptConnections: number;
  /** A request that finds no connection at rest opens one, up to this; past it it fails. */
  readonly maxConnections: number;
}

/** What became of the requests. */
export interface OpenResult {
  readonly due: number;
  /** Answered 200 in time. */
  readonly good: number;
  /** Answered 200 too late. */
  readonly late: number;
  /** Answered 503. */
  readonly refused: number;
  /** No answer, or another one. */
  readonly failed: number;
  /** Of what was answered 200. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly connections: number;
}

const REQUEST: Buffer = Buffer.from(
  'GET /items/42 HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: bench/1.0\r\n\r\n',
);

/** Sends a round and waits for its answers as long as somebody wants them. */
export async function openLoad(round: OpenRound): Promise<OpenResult> {
  const crowd = new Crowd(round);
  await crowd.prepare();
  const started = performance.now();
  let due = 0;
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const now = performance.now();
      const wanted = Math.floor((Math.min(now - started, round.durationMs) * round.ratePerSecond) / 1000);
      for (; due < wanted; due++) crowd.send(now);
      if (now - started < round.durationMs) return;
      clearInterval(timer);
      resolve();
    }, 1);
  });
  await new Promise<void>((resolve) => {
    setTimeout(resolve, round.patienceMs);
  });
  return crowd.leave(due);
}

class Crowd {
  readonly #round: OpenRound;
  readonly #idle: Connection[] = [];
  readonly #all = new Set<Connection>();
  readonly #latencies: number[] = [];
  #opened = 0;
  #late = 0;
  #refused = 0;
  #failed = 0;
  #over = false;
  #onIdle: (() => void) | undefined;

  constructor(round: OpenRound) {
    this.#round = round;
  }

  /** Opens the connections that are kept, each with a request, a few at a time. */
  async prepare(): Promise<void> {
    const { keptConnections } = this.#round;
    while (this.#all.size < keptConnections) {
      const before = this.#idle.splice(0);
      for (let i = 0; i < 16; i++) this.#open()?.send(performance.now());
      await new Promise<void>((resolve) => (this.#onIdle = () => this.#idle.length === 16 && resolve()));
      this.#idle.push(...before);
    }
    this.#onIdle = undefined;
    this.#latencies.length = 0;
    this.#late = this.#refused = this.#failed = 0;
  }

  send(dueAt: number): void {
    const connection = this.#idle.pop() ?? this.#open();
    if (connection === undefined) this.#failed++;
    else connection.send(dueAt);
  }

  #open(): Connection | undefined {
    if (this.#all.size >= this.#round.maxConnections) return undefined;
    this.#opened++;
    const connection = new Connection(this.#round.port, {
      answered: (status, dueAt) => {
        if (this.#over) return;
        const tookMs = performance.now() - dueAt;
        if (status === 200) {
          this.#latencies.push(tookMs);
          if (tookMs > this.#round.patienceMs) this.#late++;
        } else if (status === 503) this.#refused++;
        else this.#failed++;
        this.#idle.push(connection);
        this.#onIdle?.();
      },
      closed: (wasBusy) => {
        if (this.#over) return;
        if (wasBusy) this.#failed++;
        this.#all.delete(connection);
        const at = this.#idle.indexOf(connection);
        if (at >= 0) this.#idle.splice(at, 1);
      },
    });
    this.#all.add(connection);
    return connection;
  }

  /** What is not answered by now, nobody waits for. */
  leave(due: number): OpenResult {
    this.#over = true;
    for (const connection of this.#all) connection.destroy();
    const answered = this.#latencies.length + this.#refused + this.#failed;
    return {
      due,
      good: this.#latencies.length - this.#late,
      late: this.#late,
      refused: this.#refused,
      failed: this.#failed + (due - answered),
      p50Ms: percentile(this.#latencies, 0.5),
      p99Ms: percentile(this.#latencies, 0.99),
      connections: this.#opened,
    };
  }
}

interface ConnectionEvents {
  answered(status: number, dueAt: number): void;
  closed(wasBusy: boolean): void;
}

/** One request at a time. */
class Connection {
  readonly #socket: net.Socket;
  #dueAt = -1;

  constructor(port: number, events: ConnectionEvents) {
    this.#socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    let text = '';
    this.#socket.on('data', (piece: Buffer) => {
      text += piece.toString('latin1');
      const headEnd = text.indexOf('\r\n\r\n');
      if (headEnd < 0) return;
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? 0);
      if (text.length < headEnd + 4 + length) return;
      const status = Number(text.slice(9, 12));
      const dueAt = this.#dueAt;
      text = '';
      this.#dueAt = -1;
      events.answered(status, dueAt);
    });
    this.#socket.on('error', () => this.#socket.destroy());
    this.#socket.on('close', () => events.closed(this.#dueAt >= 0));
  }

  send(dueAt: number): void {
    this.#dueAt = dueAt;
    this.#socket.write(REQUEST);
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
