import net from 'node:net';
import tls from 'node:tls';
import { Tally, type Http1Round, type RoundResult } from './round.ts';

/** One round of HTTP/1.1. Connections are the round's own. */
export function http1Load(round: Http1Round): Promise<RoundResult> {
  const tally = new Tally();
  const endAt = performance.now() + round.durationMs;
  const requests = requestsOf(round);
  let turn = 0;
  const nextRequest = (): Buffer => requests[turn++ % requests.length] as Buffer;
  return new Promise((resolve) => {
    let open = round.connections;
    const ended = (): void => {
      if (--open > 0) return;
      pacer?.stop();
      resolve(tally.result());
    };
    const pacer = round.ratePerSecond === undefined ? undefined : new Pacer(round.ratePerSecond, endAt);
    for (let i = 0; i < round.connections; i++) {
      const caller = new Caller(round, tally, endAt, nextRequest, ended, pacer);
      caller.connect();
    }
  });
}

function requestsOf({ newConnections, spread }: Http1Round): Buffer[] {
  return Array.from({ length: spread?.count ?? 1 }, (_, i) => {
    const path = spread?.by === 'path' ? `/svc-${i}/items/42?color=blue` : '/items/42?color=blue';
    const host = spread?.by === 'host' ? `svc-${i}.example` : 'shop.example';
    return Buffer.from(
      [
        `GET ${path} HTTP/1.1`,
        `Host: ${host}`,
        'User-Agent: bench/1.0',
        'Accept: application/json',
        'Accept-Encoding: identity',
        'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00',
        'X-Request-Id: 5f2c1f0e-9c1d-4d6e-8f57-0f6c2d3b4a59',
        'Cookie: session=0123456789abcdef',
        ...(newConnections ? ['Connection: close'] : []),
        '',
        '',
      ].join('\r\n'),
    );
  });
}

/** Gives out turns at a steady rate. A turn that finds nobody idle waits for the next, and its wait counts. */
class Pacer {
  readonly #idle: ((dueAt: number) => void)[] = [];
  readonly #due: number[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #endAt: number;
  #given = 0;

  constructor(ratePerSecond: number, endAt: number) {
    this.#endAt = endAt;
    const started = performance.now();
    this.#timer = setInterval(() => {
      const now = performance.now();
      const wanted = Math.floor(((Math.min(now, endAt) - started) * ratePerSecond) / 1000);
      for (; this.#given < wanted; this.#given++) this.#due.push(now);
      this.#match();
    }, 1);
  }

  wait(begin: (dueAt: number) => void): void {
    this.#idle.push(begin);
    this.#match();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #match(): void {
    while (this.#idle.length > 0 && this.#due.length > 0)
      (this.#idle.shift() as (dueAt: number) => void)(this.#due.shift() as number);
    if (performance.now() >= this.#endAt && this.#due.length === 0)
      for (const begin of this.#idle.splice(0)) begin(Number.POSITIVE_INFINITY);
  }
}

/** One connection's worth of load: a request, its response, the next request. */
class Caller {
  readonly #round: Http1Round;
  readonly #tally: Tally;
  readonly #endAt: number;
  readonly #nextRequest: () => Buffer;
  readonly #ended: () => void;
  readonly #pacer: Pacer | undefined;
  #done = false;
  /** However short the round, there is one. */
  #first = true;

  constructor(
    round: Http1Round,
    tally: Tally,
    endAt: number,
    nextRequest: () => Buffer,
    ended: () => void,
    pacer: Pacer | undefined,
  ) {
    this.#round = round;
    this.#tally = tally;
    this.#endAt = endAt;
    this.#nextRequest = nextRequest;
    this.#ended = ended;
    this.#pacer = pacer;
  }

  connect(): void {
    let begun = performance.now();
    const { host = '127.0.0.1', port, newConnections } = this.#round;
    const socket =
      this.#round.tls === undefined
        ? net.connect(port, host)
        : tls.connect({ port, host, minVersion: 'TLSv1.3', ...this.#round.tls });
    socket.setNoDelay(true);
    let left = -1;
    let head = '';
    let closed = false;
    const over = (error?: string): void => {
      if (closed) return;
      closed = true;
      socket.destroy();
      if (error !== undefined) this.#tally.failed(error);
      if (error === undefined && newConnections && performance.now() < this.#endAt) this.connect();
      else this.#finish();
    };
    const next = (): void => {
      if (performance.now() >= this.#endAt && this.#pacer === undefined && !this.#first) {
        over();
        return;
      }
      this.#first = false;
      const send = (dueAt: number): void => {
        if (dueAt === Number.POSITIVE_INFINITY) {
          over();
          return;
        }
        if (!newConnections) begun = dueAt;
        socket.write(this.#nextRequest());
      };
      if (this.#pacer === undefined) send(performance.now());
      else this.#pacer.wait(send);
    };
    const opened = (): void => {
      if (socket instanceof tls.TLSSocket && socket.isSessionReused()) over('a TLS session was resumed');
      else next();
    };
    socket.on(this.#round.tls === undefined ? 'connect' : 'secureConnect', opened);
    socket.on('error', (error: Error) => over(error.message));
    socket.on('close', () => over('the connection was closed before its response'));
    socket.on('data', (piece: Buffer) => {
      let bytes = piece.length;
      if (left < 0) {
        head += piece.toString('latin1');
        const end = head.indexOf('\r\n\r\n');
        if (end < 0) return;
        const length = /\r\ncontent-length: (\d+)/i.exec(head);
        if (!head.startsWith('HTTP/1.1 200') || length === null) {
          over(`a response that was not wanted: ${head.slice(0, 200)}`);
          return;
        }
        left = Number(length[1]);
        bytes = head.length - end - 4;
        head = '';
      }
      left -= bytes;
      if (left > 0) return;
      left = -1;
      this.#tally.latencies.push(performance.now() - begun);
      if (newConnections) over();
      else next();
    });
  }

  #finish(): void {
    if (this.#done) return;
    this.#done = true;
    this.#ended();
  }
}
