import { FieldTable } from '@tulle/fields';
import { ResponseHead } from '@tulle/http1';
import { once } from 'node:events';
import * as http2 from 'node:http2';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { ClientSession, type Http2Options, type Http2Stream, type ServerSession } from '../src/index.ts';
import { bodyOf, newLog, recorder, type Log, type Seen, tableOf } from './carrier.ts';
import { type Answer, echo, type Exchange, listen, serveConnection } from './origin.ts';
import { SocketOutput } from './socket-output.ts';

const closing: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

const pattern = (size: number, seed: number): Buffer =>
  Buffer.from(Uint8Array.from({ length: size }, (_, i) => (i * 31 + (i >> 8) + seed) & 255));

/** A `node:http2` client of a server of ours. */
async function nodeClient(
  options: Partial<Http2Options>,
  settings: http2.Settings,
  answer: Answer = echo,
): Promise<http2.ClientHttp2Session> {
  const server = await listen((socket) => {
    serveConnection(socket, answer, options);
    closing.push(() => void socket.destroy());
  });
  closing.push(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const session = http2.connect(`http://127.0.0.1:${port}`, { settings });
  closing.push(() => session.destroy());
  await once(session, 'remoteSettings');
  return session;
}

interface Reply {
  readonly status: number;
  readonly headers: http2.IncomingHttpHeaders;
  readonly body: Buffer;
  readonly trailers: http2.IncomingHttpHeaders;
}

async function ask(
  session: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders,
  body?: Buffer,
): Promise<Reply> {
  const stream = session.request(headers, { endStream: body === undefined });
  let reply: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader = {};
  let trailers: http2.IncomingHttpHeaders = {};
  stream.on('response', (it) => (reply = it));
  stream.on('trailers', (it: http2.IncomingHttpHeaders) => (trailers = it));
  if (body !== undefined) stream.end(body);
  const parts: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => parts.push(chunk));
  await once(stream, 'end');
  return { status: Number(reply[':status']), headers: reply, body: Buffer.concat(parts), trailers };
}

describe('node:http2 as client', () => {
  it('gets answers, many at once, with compression on both sides', async () => {
    const session = await nodeClient({}, {});
    for (let round = 0; round < 5; round++) {
      const replies = await Promise.all(
        Array.from({ length: 40 }, (_, i) =>
          ask(session, { ':path': `/${round}/${i}`, 'x-round': String(round) }),
        ),
      );
      expect(
        replies.every((reply) => reply.status === 200 && reply.headers['content-type'] === 'text/plain'),
      ).toBe(true);
    }
    const head = await ask(session, { ':path': '/', ':method': 'HEAD' });
    expect([head.status, head.body.length, head.headers['content-length']]).toEqual([200, 0, '45']);
  });

  it('gets large bodies back through small windows', async () => {
    const session = await nodeClient(
      { streamWindowBytes: 20_000, connectionWindowBytes: 70_000 },
      { initialWindowSize: 10_000 },
    );
    const bodies = [1, 300_000, 1_000_000].map((size) => pattern(size, size));
    const replies = await Promise.all(
      bodies.map((body) => ask(session, { ':path': '/', ':method': 'POST' }, body)),
    );
    expect(replies.map((reply, i) => reply.body.equals(bodies[i] as Buffer))).toEqual([true, true, true]);
  });

  it('sees interim responses, trailers, resets and the last GOAWAY', async () => {
    let ours: ServerSession<Exchange> | undefined;
    const session = await nodeClient({}, {}, (server, stream, { head }) => {
      ours = server;
      if (head.path === '/reset') return server.reset(stream, 11);
      server.writeInterim(stream, 103, tableOf('link:</style.css>'));
      server.writeHead(stream, 200, tableOf(), -1, false);
      server.writeData(stream, Buffer.from('content'), 0, 7, true);
      server.writeEnd(stream, tableOf('grpc-status:0'));
    });
    const stream = session.request({ ':path': '/' });
    const [interim] = (await once(stream, 'headers')) as [http2.IncomingHttpHeaders];
    expect(interim['link']).toBe('</style.css>');
    stream.resume();
    const [trailers] = (await once(stream, 'trailers')) as [http2.IncomingHttpHeaders];
    expect(trailers['grpc-status']).toBe('0');
    const broken = session.request({ ':path': '/reset' });
    const [error] = (await once(broken, 'error')) as [Error];
    expect(error.message).toMatch(/ENHANCE_YOUR_CALM/);
    ours?.goaway(0, false);
    ours?.ping(7);
    const [code, last] = (await once(session, 'goaway')) as [number, number];
    expect([code, last]).toEqual([0, 3]);
  });
});

interface NodeOrigin {
  readonly session: ClientSession<Seen>;
  readonly log: Log;
  readonly socket: Socket;
  /** Asks, and waits for the end of the stream. */
  ask(method: string, path: string, fields?: FieldTable, body?: Buffer, trailers?: FieldTable): Promise<Seen>;
}

/** A client of ours at a `node:http2` server. */
async function nodeServer(
  options: Partial<Http2Options>,
  settings: http2.Settings,
  serve: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void,
): Promise<NodeOrigin> {
  const server = http2.createServer({ settings });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {}); // resets, which the tests ask for
    serve(stream, headers);
  });
  server.on('session', (session) => closing.push(() => session.destroy()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  closing.push(() => void socket.destroy());
  await once(socket, 'connect');
  const log = newLog();
  const output = new SocketOutput(socket);
  const over = new Map<number, () => void>();
  const end = (stream: Http2Stream<Seen>): void => over.get(stream.id)?.();
  const session = new ClientSession<Seen>(
    recorder(log, {
      onData: (stream, _chunk, start, to) => session.consume(stream, to - start),
      onClosed: end,
      onReset: end,
    }),
    output,
    options,
  );
  session.start();
  socket.on('data', (chunk: Buffer) => session.receive(chunk, 0, chunk.length, performance.now()));
  socket.on('drain', () => session.pump());
  socket.on('close', () => session.abort());
  return {
    session,
    log,
    socket,
    ask: (method, path, fields = new FieldTable(), body, trailers) =>
      new Promise((resolve) => {
        const seen: Seen = {
          head: new ResponseHead(),
          body: [],
          trailers: undefined,
          ended: false,
          end: undefined,
        };
        const stream = session.open(seen, seen.head as ResponseHead);
        over.set(stream.id, () => resolve(seen));
        const whole = body === undefined && trailers === undefined;
        session.writeRequestHead(stream, method, 'http', 'a.example', path, fields, -1, whole);
        if (whole) return;
        if (body !== undefined) session.writeData(stream, body, 0, body.length, true);
        session.writeEnd(stream, trailers);
      }),
  };
}

const status = (seen: Seen): number => (seen.head as ResponseHead).status;

describe('node:http2 as server', () => {
  it('answers, many at once, with compression on both sides', async () => {
    const origin = await nodeServer({}, {}, (stream, headers) => {
      stream.respond({ ':status': 200, 'x-path': headers[':path'], 'x-same': 'same' });
      stream.end(headers[':path']);
    });
    for (let round = 0; round < 5; round++) {
      const all = await Promise.all(
        Array.from({ length: 40 }, (_, i) =>
          origin.ask('GET', `/${round}/${i}`, tableOf('x-a:1', `x-b:${i}`)),
        ),
      );
      expect(all.map(bodyOf)).toEqual(Array.from({ length: 40 }, (_, i) => `/${round}/${i}`));
      expect(all.every((seen) => status(seen) === 200 && seen.end === 'closed')).toBe(true);
    }
    expect(origin.session.openStreams).toBe(0);
  });

  it('gets large bodies and sends them back through small windows', async () => {
    const origin = await nodeServer(
      { streamWindowBytes: 20_000, connectionWindowBytes: 70_000 },
      { initialWindowSize: 10_000 },
      (stream) => {
        stream.respond({ ':status': 200 });
        stream.pipe(stream);
      },
    );
    const bodies = [1, 300_000, 1_000_000].map((size) => pattern(size, size));
    const all = await Promise.all(bodies.map((body) => origin.ask('POST', '/', undefined, body)));
    expect(all.map((seen, i) => Buffer.concat(seen.body).equals(bodies[i] as Buffer))).toEqual([
      true,
      true,
      true,
    ]);
  });

  it('sends interim responses, trailers, resets, HEAD and 204', async () => {
    const origin = await nodeServer({}, {}, (stream, headers) => {
      if (headers[':path'] === '/reset') return stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
      if (headers[':path'] === '/204') return stream.respond({ ':status': 204 }, { endStream: true });
      if (headers[':method'] === 'HEAD')
        return stream.respond({ ':status': 200, 'content-length': 9 }, { endStream: true });
      stream.additionalHeaders({ ':status': 103, link: '</a>' });
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-checksum': 'abc' }));
      stream.pipe(stream);
    });
    const plain = await origin.ask('POST', '/', undefined, Buffer.from('hello'), tableOf('x-sent:1'));
    expect([bodyOf(plain), plain.trailers, plain.end]).toEqual(['hello', ['x-checksum: abc'], 'closed']);
    expect(origin.log.lines).toContain('1 interim 103');
    expect((await origin.ask('GET', '/reset')).end).toBe('reset 7 peer');
    const [head, none] = await Promise.all([origin.ask('HEAD', '/'), origin.ask('GET', '/204')]);
    expect([head.head.contentLength, head.end, status(none), none.end]).toEqual([9, 'closed', 204, 'closed']);
  });

  it('may be reset in the middle, and serves on', async () => {
    const origin = await nodeServer({}, {}, (stream) => {
      stream.respond({ ':status': 200 });
      stream.write(Buffer.alloc(500_000));
    });
    const head = new ResponseHead();
    const seen: Seen = { head, body: [], trailers: undefined, ended: false, end: undefined };
    const stream = origin.session.open(seen, head);
    origin.session.writeRequestHead(stream, 'GET', 'http', 'a.example', '/', tableOf(), -1, true);
    while (seen.body.length === 0) await once(origin.socket, 'data');
    origin.session.reset(stream, 8);
    origin.session.ping(5);
    while (!origin.log.lines.includes('pong 5')) await once(origin.socket, 'data');
    expect([origin.session.failed, origin.session.openStreams]).toEqual([false, 0]);
  });
});
