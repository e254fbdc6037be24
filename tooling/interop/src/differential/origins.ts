import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  createServer as createHttp2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Certificates } from './certificates.ts';
import { type Answer, type Field, PLAIN_ORIGINS } from './configuration.ts';
import { deadPort } from './loopback.ts';
import { tcpOrigins } from './tcp-origins.ts';

/** A request as an origin got it. */
export interface Seen {
  readonly origin: string;
  readonly version: string;
  readonly method: string;
  readonly path: string;
  readonly host: string;
  /** In the order of arrival, names in lower case; without the host. */
  readonly headers: readonly Field[];
  /** latin1 */
  readonly body: string;
  readonly trailers: readonly Field[];
  /** What was wrong, where it was no whole valid request. */
  readonly fault?: string;
  /** Of an origin that speaks TLS: the name that it was asked for, and whose certificate it was shown. */
  readonly tls?: string;
}

/**
 * What an origin answers without a trace in what was seen, over a connection that it then ends, so that what is asked next finds none that
 * is idle at either side. An area that asks frames has a route for it.
 */
export const SETTLED_PATH = '/settled';

/** The services behind one proxy. */
export interface Origins {
  readonly ports: ReadonlyMap<string, number>;
  /** What was seen since {@link expect}. */
  readonly seen: readonly Seen[];
  /** Forgets what was seen, and answers by these from now on. */
  expect(answers: Readonly<Record<string, readonly Answer[]>>): void;
  /** Connections of bytes that have not ended yet, of which nothing is seen before that. */
  readonly open: number;
  /** Runs at every arrival, until it is called off. */
  onSeen(listener: () => void): () => void;
  close(): Promise<void>;
}

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

/** Origins that speak TLS, by the holder of the certificate that they show; `tls-mutual` wants one itself. */
const TLS_ORIGINS: Readonly<Record<string, string>> = {
  tls: 'origin',
  'tls-stranger': 'stranger',
  'tls-late': 'late',
  'tls-mutual': 'both',
};

/** @param certificates of the origins that speak TLS */
export async function startOrigins({ ca, pair }: Certificates): Promise<Origins> {
  let seen: Seen[] = [];
  let answers: Readonly<Record<string, readonly Answer[]>> = {};
  let counts = new Map<string, number>();
  const listeners = new Set<() => void>();
  const sockets = new Set<Socket>();
  const servers: Server[] = [];
  const ports = new Map<string, number>();

  const arrived = (one: Seen): void => {
    seen.push(one);
    for (const listener of listeners) listener();
  };

  const serve =
    (origin: string) =>
    (request: Request, response: Response): void => {
      if (request.url === SETTLED_PATH)
        return reply(origin, request, response, {
          headers: 'stream' in request ? [] : [['connection', 'close']],
        });
      const asked = counts.get(origin) ?? 0;
      counts.set(origin, asked + 1);
      const mine = answers[origin] ?? [];
      const answer = mine[Math.min(asked, mine.length - 1)] ?? {};
      const body: Buffer[] = [];
      let whole = false;
      const record = (fault?: string): void => {
        const headers = fieldsOf(request.rawHeaders);
        const host = headers.find(([name]) => name === 'host' || name === ':authority')?.[1] ?? '';
        arrived({
          origin,
          version: request.httpVersion,
          method: request.method ?? '',
          path: request.url ?? '',
          host,
          headers: headers.filter(([name]) => name !== 'host' && !name.startsWith(':')),
          body: Buffer.concat(body).toString('latin1'),
          trailers: fieldsOf(request.rawTrailers),
          ...(fault === undefined ? {} : { fault }),
          ...(request.socket instanceof TLSSocket ? { tls: spokenOf(request.socket) } : {}),
        });
      };
      request.on('data', (piece: Buffer) => body.push(piece));
      request.on('end', () => {
        whole = true;
        record();
        const go = (): void => reply(origin, request, response, answer);
        if (answer.delayMs === undefined) go();
        else setTimeout(go, answer.delayMs).unref();
      });
      request.on('aborted', () => whole || record('aborted'));
      request.on('error', () => undefined);
      response.on('error', () => undefined);
    };

  const listen = async (origin: string, server: Server): Promise<void> => {
    servers.push(server);
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ports.set(origin, (server.address() as AddressInfo).port);
  };

  for (const origin of PLAIN_ORIGINS) {
    const server = createServer(
      // Longer heads than a proxy lets pass, so that it is the proxy that is asked.
      { keepAliveTimeout: 0, requestTimeout: 0, maxHeaderSize: 100_000 },
      serve(origin),
    );
    server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      response.writeContinue();
      serve(origin)(request, response);
    });
    server.on('clientError', (error: Error & { code?: string }, socket: Socket) => {
      if (error.code !== 'ECONNRESET')
        arrived({
          origin,
          version: '',
          method: '',
          path: '',
          host: '',
          headers: [],
          body: '',
          trailers: [],
          fault: error.message,
        });
      socket.destroy();
    });
    await listen(origin, server);
  }
  await listen('h2', createHttp2Server(serve('h2')));
  for (const [origin, holder] of Object.entries(TLS_ORIGINS)) {
    const isMutual = origin === 'tls-mutual';
    const options = { ...pair(holder), ca, requestCert: isMutual, rejectUnauthorized: isMutual };
    await listen(origin, createHttpsServer({ ...options, keepAliveTimeout: 0 }, serve(origin)));
  }
  let open = 0;
  const tcp = tcpOrigins(
    (one) => {
      open--;
      arrived(one);
    },
    () => open++,
  );
  for (const [origin, server] of tcp) await listen(origin, server);
  const gone = await deadPort();
  ports.set('gone', gone.port);

  return {
    ports,
    get seen() {
      return seen;
    },
    get open() {
      return open;
    },
    expect(next) {
      answers = next;
      seen = [];
      counts = new Map();
    },
    onSeen(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
      await gone.close();
    },
  };
}

function reply(origin: string, request: Request, response: Response, answer: Answer): void {
  const {
    status = 200,
    body = `${origin}\n`,
    headers = [],
    trailers,
    interim = [],
    fault,
    raw,
    stallMs,
  } = answer;
  if ('stream' in request) {
    const { stream } = request;
    if (stream.destroyed) return;
    if (fault === 'reset' || fault === 'end') return stream.close(fault === 'reset' ? 8 : 2);
    if (fault === 'silence') return;
    const bare = status === 204 || status === 304 || request.method === 'HEAD';
    stream.respond(
      { ':status': status, 'x-origin': origin, ...grouped(headers) },
      { endStream: bare, waitForTrailers: trailers !== undefined },
    );
    if (bare) return;
    // In the place of Node's own, which sends those of its response.
    stream.removeAllListeners('wantTrailers');
    stream.on('wantTrailers', () => stream.sendTrailers(grouped(trailers ?? [])));
    if (fault === 'cut') {
      stream.write(Buffer.from(body.slice(0, 1), 'latin1'), () => stream.close(2));
      return;
    }
    stalled(stream, Buffer.from(body, 'latin1'), stallMs, (rest) => stream.end(rest));
    return;
  }
  const { socket } = request;
  if (fault === 'reset') return void socket.resetAndDestroy();
  if (fault === 'end') return void socket.end();
  if (fault === 'silence') return;
  if (raw !== undefined) return void socket.end(Buffer.from(raw, 'latin1'));
  const to = response as ServerResponse;
  for (const code of interim) {
    if (code === 100) to.writeContinue();
    else if (code === 103) to.writeEarlyHints({ link: '</style.css>; rel=preload' });
    else to.writeProcessing();
  }
  const bytes = Buffer.from(body, 'latin1');
  const bare = status === 204 || status === 304;
  const framed =
    bare || trailers !== undefined || headers.some(([name]) => name.toLowerCase() === 'content-length')
      ? []
      : ['content-length', String(bytes.length)];
  to.writeHead(status, ['x-origin', origin, ...framed, ...headers.flat()]);
  if (fault === 'cut') {
    to.write(bytes.subarray(0, 1), () => socket.destroy());
    return;
  }
  if (bare) return void to.end();
  // Of an answer to HEAD Node sends nothing before its end.
  stalled(to, bytes, request.method === 'HEAD' ? undefined : stallMs, (rest) => {
    if (trailers !== undefined)
      to.addTrailers(trailers.map(([name, value]): [string, string] => [name, value]));
    to.end(rest);
  });
}

/** Writes a body, with a pause behind its first octet where one is wanted. @param end with what is left of it */
function stalled(
  to: { write(bytes: Uint8Array): boolean; readonly destroyed: boolean },
  bytes: Buffer,
  stallMs: number | undefined,
  end: (rest: Buffer) => void,
): void {
  if (stallMs === undefined) return end(bytes);
  to.write(bytes.subarray(0, 1));
  setTimeout(() => to.destroyed || end(bytes.subarray(1)), stallMs).unref();
}

function grouped(fields: readonly Field[]): Record<string, string | string[]> {
  const all: Record<string, string | string[]> = {};
  for (const [name, value] of fields) {
    const before = all[name.toLowerCase()];
    all[name.toLowerCase()] = before === undefined ? value : [before, value].flat();
  }
  return all;
}

function fieldsOf(raw: readonly string[]): Field[] {
  const fields: Field[] = [];
  for (let i = 0; i < raw.length; i += 2) fields.push([(raw[i] ?? '').toLowerCase(), raw[i + 1] ?? '']);
  return fields;
}

function spokenOf(socket: TLSSocket): string {
  const name: unknown = socket.servername;
  const { subject } = socket.getPeerCertificate();
  return `${typeof name === 'string' ? name : 'no name'}, ${String(subject?.CN ?? 'no certificate')}`;
}
