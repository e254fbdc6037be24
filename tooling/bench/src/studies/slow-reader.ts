import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { rssMb } from '../cpu.ts';
import { percentile } from '../load/round.ts';
import { H2Connection } from '../wire/h2-connection.ts';
import type { Fields } from '../wire/header-encoder.ts';
import { withMemoryProxy } from './memory-proxy.ts';
import type { Study } from './study.ts';

/** What the reader allows of the long stream at once, and how often it allows what it has read: 200 MB a second at most. */
const WINDOW_BYTES = 1_048_576;
const GRANT_MS = 5;
/** How long it reads nothing at all first. */
const STALL_MS = 2000;
/** Short requests under way on the same connection all the while. */
const SHORT_STREAMS = 8;

const PLACE: Fields = [
  [':scheme', 'http'],
  [':path', '/items/42'],
  [':authority', 'shop.example'],
];
const SHORT: Fields = [[':method', 'GET'], ...PLACE];
const LONG: Fields = [[':method', 'POST'], ...PLACE];

/** A long response to somebody who first reads nothing and then slowly, beside short ones on the same connection. */
export const slowReader: Study = {
  name: 'slow-reader',
  about:
    'HTTP/2: a long response that is not read for 2 s, then at most at 200 MB/s, beside 8 short requests at a time on the same connection',
  async run({ options, directory, progress }) {
    const bytes = options.streamBytes;
    const found = await withMemoryProxy(
      {
        directory: join(directory, 'slow-reader'),
        origin: { bodyBytes: 64, http2: 'long-or-response', longBytes: bytes },
        http2: true,
        mesh: false,
      },
      async ({ port, pid }) => {
        const reader = await Reader.connect(port);
        reader.beginShort();
        await sleep(1000);
        const rssBeforeMb = rssMb(pid);
        let rssPeakMb = rssBeforeMb;
        const watch = setInterval(() => (rssPeakMb = Math.max(rssPeakMb, rssMb(pid))), 20);
        try {
          reader.latencies.length = 0;
          reader.beginLong();
          await sleep(STALL_MS);
          const stalled = reader.phase();
          const rssStalledMb = rssPeakMb;
          const started = performance.now();
          await reader.finish(bytes, (read) =>
            progress(`slow-reader: ${Math.floor((read / bytes) * 100)} %`),
          );
          const seconds = (performance.now() - started) / 1000;
          const flowing = reader.phase();
          if (stalled.requests === 0 || flowing.requests === 0)
            throw new Error('no short request was answered beside the long one');
          return { bytes, seconds, rssBeforeMb, rssStalledMb, rssPeakMb, stalled, flowing };
        } finally {
          clearInterval(watch);
          reader.close();
        }
      },
    );
    const phase = ({ requests, p99Ms }: { requests: number; p99Ms: number }): string =>
      `${requests} short requests answered, p99 ${p99Ms.toFixed(1)} ms`;
    return {
      figures: found,
      text: `  RSS before ${found.rssBeforeMb.toFixed(0)} MiB, highest while nothing was read ${found.rssStalledMb.toFixed(0)} MiB, highest at all ${found.rssPeakMb.toFixed(0)} MiB
  while nothing was read: ${phase(found.stalled)}
  while ${bytes} bytes were read in ${found.seconds.toFixed(1)} s: ${phase(found.flowing)}
`,
    };
  },
};

class Reader {
  readonly latencies: number[] = [];
  readonly #connection: H2Connection;
  readonly #socket: net.Socket;
  readonly #begun = new Map<number, number>();
  #nextId = 1;
  #long = 0;
  #read = 0;
  #granted = 0;
  #longEnded = false;
  #error: Error | undefined;

  static connect(port: number): Promise<Reader> {
    return new Promise((resolve, reject) => {
      const socket = net.connect(port, '127.0.0.1');
      socket.once('error', reject);
      socket.once('connect', () => resolve(new Reader(socket)));
    });
  }

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.on('close', () => (this.#error ??= new Error('the connection was closed')));
    this.#connection = new H2Connection(
      socket,
      {
        headers() {},
        data: (stream, { length }, endStream) => {
          if (stream === this.#long) {
            this.#read += length;
            this.#longEnded ||= endStream;
          } else if (endStream) {
            this.latencies.push(performance.now() - (this.#begun.get(stream) ?? 0));
            this.#begun.delete(stream);
            this.#short();
          }
        },
        reset: (stream, code) => (this.#error ??= new Error(`stream ${stream} was reset with ${code}`)),
      },
      { role: 'client', streamWindowBytes: WINDOW_BYTES },
    );
  }

  beginShort(): void {
    for (let i = 0; i < SHORT_STREAMS; i++) this.#short();
    this.#connection.flush();
  }

  beginLong(): void {
    this.#long = this.#id();
    this.#connection.sendHeaders(this.#long, LONG, false);
    this.#connection.sendData(this.#long, Buffer.from('all of it'), true);
    this.#connection.flush();
  }

  /** Reads the long response to its end. @throws Error when it is not `bytes` long */
  async finish(bytes: number, progress: (read: number) => void): Promise<void> {
    while (!this.#longEnded) {
      if (this.#error !== undefined) throw this.#error;
      const owed = this.#read - this.#granted;
      if (owed > 0) {
        this.#granted = this.#read;
        this.#connection.grant(this.#long, owed);
        this.#connection.flush();
      }
      progress(this.#read);
      await sleep(GRANT_MS);
    }
    if (this.#read !== bytes) throw new Error(`${this.#read} of ${bytes} bytes came`);
  }

  /** What happened since the last call. */
  phase(): { requests: number; p99Ms: number } {
    if (this.#error !== undefined) throw this.#error;
    const found = { requests: this.latencies.length, p99Ms: percentile(this.latencies, 0.99) };
    this.latencies.length = 0;
    return found;
  }

  close(): void {
    this.#socket.destroy();
  }

  #short(): void {
    const stream = this.#id();
    this.#begun.set(stream, performance.now());
    this.#connection.sendHeaders(stream, SHORT, true);
  }

  #id(): number {
    const id = this.#nextId;
    this.#nextId += 2;
    return id;
  }
}
