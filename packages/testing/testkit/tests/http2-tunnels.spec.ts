import type { ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { setImmediate as aWhile } from 'node:timers/promises';
import { cluster, httpListener, route } from '@tulle/proxy';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { fakeClock, Http2Client, http2Upstream, memoryNetwork, type TestProxy } from '../src/index.ts';
import { duplexOf } from '../src/memory-duplex.ts';
import { started } from './support.ts';

const clients: Http2Client[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

type Version = 'http1' | 'http2';

interface Tunnel {
  readonly test: TestProxy;
  /** The caller's end. */
  readonly near: Duplex;
  /** The endpoint's end. */
  readonly far: Duplex;
}

/** CONNECT through a proxy, whoever speaks what. */
async function tunnel(caller: Version, endpoint: Version): Promise<Tunnel> {
  const clock = fakeClock();
  const network = memoryNetwork(clock);
  const opened = Promise.withResolvers<Duplex>();
  if (endpoint === 'http2') {
    const upstream = http2Upstream(network, '10.0.0.1:80');
    upstream.onStream = (stream: ServerHttp2Stream, headers) => {
      if (headers[':method'] !== 'CONNECT' || headers[':authority'] !== 'db.example:5432') return;
      stream.respond({ ':status': 200 });
      opened.resolve(stream);
    };
  } else
    network.listen('10.0.0.1:80', (connection) => {
      connection.onBytes = () => {
        if (!/^CONNECT db\.example:5432 HTTP\/1\.1\r\n[^]*\r\n\r\n$/.test(connection.received)) return;
        connection.received = '';
        connection.onBytes = undefined;
        connection.send('HTTP/1.1 200 OK\r\n\r\n');
        opened.resolve(duplexOf(connection));
      };
    });
  const test = await started({
    clock,
    network,
    listeners: [
      httpListener({ host: '127.0.0.1', port: 8080, allowConnect: true, routes: [route('/', 'db')] }),
    ],
    clusters: [cluster('db', ['10.0.0.1:80'], { pool: { protocol: endpoint } })],
  });
  let near: Duplex;
  if (caller === 'http2') {
    const client = new Http2Client(test.connect());
    clients.push(client);
    const stream = client.session.request({ ':method': 'CONNECT', ':authority': 'db.example:5432' });
    await new Promise((resolve) => stream.once('response', resolve));
    near = stream;
  } else {
    const connection = test.connect();
    connection.send('CONNECT db.example:5432 HTTP/1.1\r\nHost: db.example:5432\r\n\r\n');
    await connection.take('\r\n\r\n');
    near = duplexOf(connection);
  }
  near.on('error', () => {});
  const far = await opened.promise;
  far.on('error', () => {});
  return { test, near, far };
}

/** Everything that arrives up to the end. */
function all(stream: Duplex): Promise<Buffer> {
  const pieces: Buffer[] = [];
  stream.on('data', (piece: Buffer) => pieces.push(piece));
  return new Promise((resolve) => stream.on('end', () => resolve(Buffer.concat(pieces))));
}

const PAIRINGS: readonly (readonly [Version, Version])[] = [
  ['http1', 'http1'],
  ['http1', 'http2'],
  ['http2', 'http1'],
  ['http2', 'http2'],
];

describe.each(PAIRINGS)('CONNECT from %s to %s', (caller, endpoint) => {
  it('carries bytes both ways, each until its own end', async () => {
    const { test, near, far } = await tunnel(caller, endpoint);
    const body = Buffer.alloc(600_000);
    for (let at = 0; at < body.length; at++) body[at] = (at * 31) & 0xff;
    const heard = all(far);
    near.write('hello ');
    near.end(body);
    expect((await heard).equals(Buffer.concat([Buffer.from('hello '), body]))).toBe(true);
    // The caller has ended; it is still told.
    const answered = all(near);
    far.end(body);
    expect((await answered).equals(body)).toBe(true);
    await vi.waitFor(() => expect(test.proxy.stats.streams).toBe(0));
    expect(test.records[0]).toMatchObject({
      method: 'CONNECT',
      status: 200,
      code: '',
      bytesReceived: body.length + 6,
      bytesSent: body.length,
    });
  });

  it.each(['caller', 'endpoint'] as const)('goes on when the %s reads again', async (slow) => {
    const { near, far } = await tunnel(caller, endpoint);
    const [from, to] = slow === 'endpoint' ? [near, far] : [far, near];
    const body = Buffer.alloc(8 * 1024 * 1024, 3);
    to.pause();
    from.end(body);
    // Everything between the two is full, and reading has stopped.
    for (let round = 0; round < 50; round++) await new Promise((resolve) => setImmediate(resolve));
    const heard = all(to);
    to.resume();
    expect((await heard).equals(body)).toBe(true);
  });

  it('ends for both when one goes away', async () => {
    const { test, near, far } = await tunnel(caller, endpoint);
    const gone = new Promise((resolve) => far.once('close', resolve));
    far.resume();
    near.destroy(new Error('away'));
    await gone;
    await vi.waitFor(() => expect(test.proxy.stats.streams).toBe(0));
  });
});

it('leaves nothing behind that would serve two streams at once, however tunnels end', async () => {
  const endings: ((near: Duplex, far: Duplex) => void)[] = [
    (near, far) => void (near.end(), far.end()),
    (near, far) => void (far.end(), near.end()),
    (near) => void near.destroy(),
    (_near, far) => void far.destroy(),
    (near, far) => void (near.destroy(), far.destroy()),
  ];
  for (const [caller, endpoint] of PAIRINGS) {
    for (const end of endings) {
      const { test, near, far } = await tunnel(caller, endpoint);
      near.resume();
      far.resume();
      end(near, far);
      for (let turns = 0; turns < 10; turns++) await aWhile();
      await test.stop();
    }
    const clock = fakeClock();
    const network = memoryNetwork(clock);
    http2Upstream(network, '10.0.0.1:80', ({ target, body }) => ({ body: `${target} ${body}` }));
    const test = await started({
      clock,
      network,
      listeners: [httpListener({ host: '127.0.0.1', port: 8080, routes: [route('/', 'api')] })],
      clusters: [cluster('api', ['10.0.0.1:80'], { pool: { protocol: 'http2' } })],
    });
    const client = new Http2Client(test.connect());
    clients.push(client);
    const answers = Array.from({ length: 40 }, async (_, i) => {
      const { body } = await client.request({ path: `/${i}`, method: 'POST', chunks: ['a', `${i}`] });
      return body;
    });
    expect(await Promise.all(answers)).toEqual(Array.from({ length: 40 }, (_, i) => `/${i} a${i}`));
  }
});
