import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { H2Connection } from '../wire/h2-connection.ts';
import { saysOk, type Fields } from '../wire/header-encoder.ts';
import { perItem, withMemoryProxy } from './memory-proxy.ts';
import type { Study } from './study.ts';

const CONNECTIONS = 100;
const STREAMS_EACH = 99;
/** As many streams again come and go before, so that V8 has compiled what serves them: its code is no stream's memory. */
const WARM_UP_CONNECTIONS = 100;
const CALL: Fields = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/shop.Orders/Watch'],
  [':authority', 'shop.example'],
  ['content-type', 'application/grpc'],
  ['te', 'trailers'],
  ['user-agent', 'bench/1.0'],
];

/** Memory of a stream that is open on both sides of the proxy, heads exchanged, and on which nothing moves. */
export const idleStreams: Study = {
  name: 'idle-streams',
  about: `memory of an idle HTTP/2 stream through the proxy, heads exchanged both ways, of ${CONNECTIONS * STREAMS_EACH} on ${CONNECTIONS} connections`,
  async run({ directory, progress }) {
    const figures = [];
    for (const mesh of [false, true]) {
      const name = mesh ? 'mesh set' : 'bare';
      progress(`idle-streams: ${name}`);
      const found = await withMemoryProxy(
        {
          directory: join(directory, `idle-streams-${mesh}`),
          origin: { bodyBytes: 64, http2: 'grpc-echo' },
          http2: true,
          mesh,
        },
        async (proxy) => {
          for (let i = 0; i < WARM_UP_CONNECTIONS; i++) {
            const early = await Caller.connect(proxy.port);
            await early.open(STREAMS_EACH);
            early.close();
          }
          await sleep(500);
          const callers = await Promise.all(
            Array.from({ length: CONNECTIONS }, () => Caller.connect(proxy.port)),
          );
          // One stream on each first (a listener takes 100), so that connections and what is there once do not count; they
          // take the objects that the last of the others left.
          await Promise.all(callers.map((caller) => caller.open(1)));
          const before = await proxy.memory();
          // One connection after the other: all at once would be more than the loop has time for, and some refused.
          for (const caller of callers) await caller.open(STREAMS_EACH);
          const after = await proxy.memory();
          for (const caller of callers) caller.close();
          await sleep(500);
          const empty = await proxy.memory();
          return {
            ...perItem(before, after, CONNECTIONS * STREAMS_EACH),
            leftBytes: perItem(before, empty, CONNECTIONS * STREAMS_EACH).liveBytes,
          };
        },
      );
      figures.push({ variant: name, ...found });
    }
    const lines = figures.map(
      ({ variant, rssBytes, liveBytes, leftBytes }) =>
        `  ${variant.padEnd(14)}${String(rssBytes).padStart(16)}${String(liveBytes).padStart(22)}${String(leftBytes).padStart(22)}`,
    );
    return {
      figures,
      text: `                RSS bytes each  heap and owned bytes     left when all ended\n${lines.join('\n')}\n`,
    };
  },
};

class Caller {
  readonly #connection: H2Connection;
  readonly #socket: net.Socket;
  #nextId = 1;
  #waiting = 0;
  #answered: (() => void) | undefined;
  #failed: ((error: Error) => void) | undefined;

  static connect(port: number): Promise<Caller> {
    return new Promise((resolve, reject) => {
      const socket = net.connect(port, '127.0.0.1');
      socket.once('error', reject);
      socket.once('connect', () => resolve(new Caller(socket)));
    });
  }

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.once('close', () => this.#failed?.(new Error('a connection was closed')));
    this.#connection = new H2Connection(
      socket,
      {
        headers: (_stream, endStream, block) => {
          if (endStream || !saysOk(block)) this.#failed?.(new Error('a stream was not accepted'));
          else if (--this.#waiting === 0) this.#answered?.();
        },
        data() {},
        reset: (_stream, code) => this.#failed?.(new Error(`a stream was reset with ${code}`)),
      },
      { role: 'client' },
    );
  }

  /** Opens streams and waits for the heads of their responses. */
  open(streams: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting = streams;
      this.#answered = resolve;
      this.#failed = reject;
      for (let i = 0; i < streams; i++) {
        this.#connection.sendHeaders(this.#nextId, CALL, false);
        this.#nextId += 2;
      }
      this.#connection.flush();
    });
  }

  close(): void {
    this.#failed = undefined;
    this.#socket.destroy();
  }
}
