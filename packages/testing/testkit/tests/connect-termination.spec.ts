import type { Duplex } from 'node:stream';
import type { ForwardAction } from '@tulle/model';
import { cluster, httpListener, route } from '@tulle/proxy';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  fakeClock,
  Http2Client,
  memoryNetwork,
  type MemoryNetwork,
  type TestConnection,
  type TestProxy,
} from '../src/index.ts';
import { duplexOf } from '../src/memory-duplex.ts';
import { started } from './support.ts';

type Version = 'http1' | 'http2';
const AUTHORITY = 'db.example:5432';
const HEAD = `CONNECT ${AUTHORITY} HTTP/1.1\r\nHost: ${AUTHORITY}\r\n\r\n`;

const clients: Http2Client[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

interface World {
  readonly test: TestProxy;
  readonly network: MemoryNetwork;
  /** Connections that the endpoint got, in order. */
  readonly far: TestConnection[];
}

async function world(
  action: Partial<ForwardAction> = { connect: {} },
  more: { readonly limits?: object; readonly listener?: object } = {},
): Promise<World> {
  const clock = fakeClock();
  const network = memoryNetwork(clock);
  const far: TestConnection[] = [];
  network.listen('10.0.0.1:80', (connection) => void far.push(connection));
  const test = await started({
    clock,
    network,
    listeners: [
      httpListener({ host: '127.0.0.1', port: 8080, routes: [route('/', 'db', action)], ...more.listener }),
    ],
    clusters: [cluster('db', ['10.0.0.1:80'], more.limits === undefined ? {} : { limits: more.limits })],
  });
  return { test, network, far };
}

/** The caller's end of a CONNECT that was answered. @returns the status where there is no tunnel */
async function connected(test: TestProxy, version: Version): Promise<Duplex | number> {
  if (version === 'http2') {
    const client = new Http2Client(test.connect());
    clients.push(client);
    const stream = client.session.request({ ':method': 'CONNECT', ':authority': AUTHORITY });
    const status = await new Promise<number>((resolve) =>
      stream.once('response', (fields) => resolve(Number(fields[':status']))),
    );
    return status === 200 ? stream : status;
  }
  const connection = test.connect();
  connection.send(HEAD);
  const head = await connection.take('\r\n\r\n');
  const status = Number(head.slice(9, 12));
  if (status !== 200) return status;
  expect(head).not.toMatch(/content-length|transfer-encoding/i);
  return duplexOf(connection);
}

/** Everything that arrives up to the end. */
async function all(stream: Duplex): Promise<Buffer> {
  const pieces: Buffer[] = [];
  stream.on('data', (piece: Buffer) => pieces.push(piece));
  await new Promise((resolve) => stream.on('end', resolve));
  return Buffer.concat(pieces);
}

const VERSIONS: readonly Version[] = ['http1', 'http2'];

describe.each(VERSIONS)('CONNECT over %s that ends here', (version) => {
  it('leads to bytes of the endpoint, and to nothing else', async () => {
    const { test, far } = await world();
    const near = (await connected(test, version)) as Duplex;
    const [service] = far as [TestConnection];
    const body = Buffer.alloc(300_000, 'tulle ');
    const answered = all(near);
    near.write('hello ');
    near.end(body);
    await service.until(
      () => service.ended,
      () => 'the end',
    );
    expect(service.received === `hello ${body.toString('latin1')}`).toBe(true);
    // The caller has ended; it is still told.
    service.send(body).end();
    expect((await answered).equals(body)).toBe(true);
    await vi.waitFor(() => expect(test.proxy.stats.streams).toBe(0));
    expect(test.records[0]).toMatchObject({
      method: 'CONNECT',
      status: 200,
      code: '',
      upstreamAddress: '10.0.0.1:80',
      bytesReceived: body.length + 6,
      bytesSent: body.length,
    });
  });

  it('is 503 where no endpoint can be connected', async () => {
    const { test, network } = await world();
    network.refuse('10.0.0.1:80', {});
    expect(await connected(test, version)).toBe(503);
  });

  it('ends for both when the endpoint breaks off', async () => {
    const { test, far } = await world();
    const near = (await connected(test, version)) as Duplex;
    near.on('error', () => {});
    near.resume();
    const gone = new Promise((resolve) => near.once('close', resolve));
    (far[0] as TestConnection).close(true);
    await gone;
    await vi.waitFor(() => expect(test.proxy.stats.streams).toBe(0));
  });

  it('carries a POST where that is asked for', async () => {
    const { test, far } = await world({ connect: { post: true } });
    const client = version === 'http1' ? test.client() : new Http2Client(test.connect());
    if (client instanceof Http2Client) clients.push(client);
    const answered = client.request({ method: 'POST', path: '/x', chunks: ['one ', 'two'] });
    await vi.waitFor(() => expect(far[0]?.ended).toBe(true));
    const [service] = far as [TestConnection];
    expect(service.received).toBe('one two');
    service.send('three').end();
    expect(await answered).toMatchObject({ status: 200, body: 'three' });
    await vi.waitFor(() => expect(test.proxy.stats.streams).toBe(0));
    // What is no POST is a request for the endpoint, over a connection of its own.
    const other = client.request({ method: 'PUT', path: '/x', body: 'y' });
    await vi.waitFor(() => expect(far[1]?.received).toMatch(/^PUT \/x HTTP\/1\.1\r\n/));
    (far[1] as TestConnection).send('HTTP/1.1 204 No Content\r\n\r\n');
    expect((await other).status).toBe(204);
  });
});

describe('CONNECT that ends here', () => {
  it.each([
    [1, 'PROXY TCP4 192.0.2.7 127.0.0.1 4242 8080\r\n'],
    [2, '\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\x7f\0\0\x01\x10\x92\x1f\x90'],
  ] as const)(
    'tells the endpoint by version %i who called, before the first byte',
    async (version, header) => {
      const { test, far } = await world({ connect: { proxyProtocol: version } });
      const caller = test.connect({ host: '192.0.2.7', port: 4242 });
      // More than is gathered with what leaves at the end of a turn.
      const early = 'early '.repeat(2_000);
      caller.send(`${HEAD}${early}`);
      await caller.take('\r\n\r\n');
      const [service] = far as [TestConnection];
      expect((await service.takeBytes(header.length + early.length)) === header + early).toBe(true);
    },
  );

  it('holds a connection of its cluster until its end, and gives it back', async () => {
    const { test, far } = await world({ connect: {} }, { limits: { maxConnections: 1 } });
    const first = test.connect().send(HEAD);
    await first.take('200 OK');
    const second = test.connect().send(HEAD);
    await vi.waitFor(() => expect(test.proxy.stats.streams).toBe(2));
    expect([far.length, second.received]).toEqual([1, '']);
    (far[0] as TestConnection).end();
    first.end();
    await second.take('200 OK');
    expect(far.length).toBe(2);
  });

  it('closes the connection of an endpoint that does not take the rest of a POST', async () => {
    const { test, far } = await world({ connect: { post: true } });
    const body = 'x'.repeat(300_000);
    const caller = test.connect();
    caller.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`);
    await vi.waitFor(() => expect(far.length).toBe(1));
    const [service] = far as [TestConnection];
    service.pause();
    caller.send(body);
    // The request is whole, and waits for the endpoint.
    await vi.waitFor(() => expect(caller.socket.queuedBytes).toBe(0));
    await vi.waitFor(() => expect(service.socket.peer.queuedBytes).toBeGreaterThan(0));
    service.end();
    await caller.take('0\r\n\r\n');
    await vi.waitFor(() => expect(service.closed).toBe(true));
    expect(service.fault?.kind).toBe('reset');
  });

  it.each([
    ['the route alone lets it pass', { connect: {} }, {}, 200],
    ['the route does not let it pass', { connect: {}, allowConnect: false }, { allowConnect: true }, 403],
    ['nobody lets it pass', {}, {}, 403],
  ] as const)('is refused or not: %s', async (_, action, listener, status) => {
    const { test } = await world(action, { listener });
    const got = await connected(test, 'http1');
    expect(typeof got === 'number' ? got : 200).toBe(status);
  });

  it('is passed on where the route says nothing of an end', async () => {
    const { test, far } = await world({ allowConnect: true });
    test.connect().send(HEAD);
    await vi.waitFor(() => expect(far[0]?.received).toMatch(/^CONNECT db\.example:5432 HTTP\/1\.1\r\n/));
  });
});
