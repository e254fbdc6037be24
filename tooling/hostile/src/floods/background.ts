import { once } from 'node:events';
import http from 'node:http';
import * as http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Target } from '../client.ts';
import { sleep } from './attack.ts';

const BIG: Buffer = Buffer.alloc(1 << 20, 98);

/** A sound origin: 1 MiB for `/big`, a few octets else. */
export class SoundOrigin {
  readonly #server: http.Server = http.createServer((request, response) => {
    request.resume();
    request.on('error', () => {});
    // not before the body is whole
    request.on('end', () => response.end(request.url === '/big' ? BIG : 'sound'));
  });

  async start(): Promise<number> {
    this.#server.keepAliveTimeout = 60_000;
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** What the background saw while it was watched. */
export interface Seen {
  readonly requests: number;
  readonly errors: readonly string[];
  readonly p99Ms: number;
}

const HTTP1_LANES = 3;
const HTTP2_LANES = 2;
/** Between two requests of a lane: five lanes make some hundred requests a second, which leaves the cores to the attack. */
const PAUSE_MS = 20;

/** Callers of both versions who have nothing to do with an attack, one request after the other on kept connections. */
export class Background {
  readonly #target: Target;
  readonly #agent: http.Agent = new http.Agent({ keepAlive: true, maxSockets: HTTP1_LANES });
  #session: http2.ClientHttp2Session | undefined;
  #latencies: number[] = [];
  #errors: string[] = [];
  #running = true;
  #lanes: Promise<unknown> | undefined;

  constructor(target: Target) {
    this.#target = target;
  }

  start(): void {
    this.#lanes = Promise.all([
      ...Array.from({ length: HTTP1_LANES }, () => this.#lane(() => this.#http1())),
      ...Array.from({ length: HTTP2_LANES }, () => this.#lane(() => this.#http2())),
    ]);
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#lanes;
    this.#agent.destroy();
    this.#session?.destroy();
  }

  /** Forgets what was seen. */
  reset(): void {
    this.#latencies = [];
    this.#errors = [];
  }

  seen(): Seen {
    const sorted = this.#latencies.toSorted((a, b) => a - b);
    return {
      requests: sorted.length,
      errors: this.#errors.slice(),
      p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
    };
  }

  async #lane(once: () => Promise<void>): Promise<void> {
    while (this.#running) {
      const from = performance.now();
      try {
        await once();
        this.#latencies.push(performance.now() - from);
      } catch (error) {
        this.#errors.push(error instanceof Error ? error.message : String(error));
      }
      await sleep(PAUSE_MS);
    }
  }

  #http1(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const request = http.get({ ...this.#target, path: '/background', agent: this.#agent }, (response) => {
      let body = '';
      response.setEncoding('latin1');
      response.on('data', (text: string) => (body += text));
      response.on('end', () =>
        response.statusCode === 200 && body === 'sound'
          ? resolve()
          : reject(new Error(`HTTP/1 got ${response.statusCode} ${body.slice(0, 40)}`)),
      );
      response.on('error', reject);
    });
    request.on('error', reject);
    return promise;
  }

  #http2(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (this.#session === undefined || this.#session.destroyed || this.#session.closed) {
      this.#session = http2.connect(`http://${this.#target.host}:${this.#target.port}`);
      this.#session.on('error', () => {});
    }
    const stream = this.#session.request({ ':path': '/background' });
    let status: number | undefined;
    let body = '';
    stream.setEncoding('latin1');
    stream.on('response', (headers) => (status = headers[':status']));
    stream.on('data', (text: string) => (body += text));
    stream.on('error', reject);
    stream.on('close', () =>
      status === 200 && body === 'sound'
        ? resolve()
        : reject(
            new Error(`HTTP/2 got ${status ?? 'no answer'} ${body.slice(0, 40)}, code ${stream.rstCode}`),
          ),
    );
    return promise;
  }
}
