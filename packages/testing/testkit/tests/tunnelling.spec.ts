import { once } from 'node:events';
import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { TcpTunnel } from '@tulle/model';
import { cluster, tcpListener } from '@tulle/proxy';
import { describe, expect, it, vi } from 'vitest';
import {
  duplexOf,
  fakeClock,
  http2Upstream,
  memoryNetwork,
  type Http2Upstream,
  type MemoryNetwork,
  type TestConnection,
  type TestProxy,
} from '../src/index.ts';
import { started } from './support.ts';

type Version = 'http1' | 'http2';
const VERSIONS: readonly Version[] = ['http1', 'http2'];
const AUTHORITY = 'db.example:5432';

/** A proxy to which TCP is led: the endpoints of its tunnels, and what it was asked. */
interface Far {
  readonly asked: string[];
  readonly tunnels: Duplex[];
}

interface World {
  readonly test: TestProxy;
  readonly network: MemoryNetwork;
  readonly far: Far;
  /** The proxies that speak HTTP/2. */
  readonly carriers: readonly Http2Upstream[];
}

/** @param statuses what the proxies answer, one after the other; default 200 @param early bytes behind the head of the answer */
async function world(
  version: Version,
  tunnel: Partial<TcpTunnel> = {},
  {
    statuses = [],
    early = '',
    ...more
  }: {
    statuses?: number[];
    early?: string;
    maxConnectAttempts?: number;
    idleTimeoutMs?: number;
    endpoints?: readonly string[];
    limits?: object;
  } = {},
): Promise<World> {
  const { endpoints = ['10.0.0.1:80'], limits, ...rest } = more;
  const clock = fakeClock();
  const network = memoryNetwork(clock);
  const far: Far = { asked: [], tunnels: [] };
  const carriers: Http2Upstream[] = [];
  for (const address of endpoints)
    if (version === 'http1') listenHttp1(network, address, far, statuses, early);
    else {
      const carrier = http2Upstream(network, address);
      carriers.push(carrier);
      carrier.onStream = (stream, headers) => takeHttp2(stream, headers, far, statuses.shift() ?? 200, early);
    }
  const test = await started({
    clock,
    network,
    listeners: [
      tcpListener({
        host: '127.0.0.1',
        port: 8080,
        cluster: 'proxies',
        tunnel: { authority: AUTHORITY, ...tunnel },
        ...rest,
      }),
    ],
    clusters: [cluster('proxies', endpoints, { pool: { protocol: version }, ...(limits && { limits }) })],
  });
  return { test, network, far, carriers };
}

function listenHttp1(
  network: MemoryNetwork,
  address: string,
  far: Far,
  statuses: number[],
  early: string,
): void {
  network.listen(address, (connection) => {
    connection.onBytes = () => {
      const end = connection.received.indexOf('\r\n\r\n');
      if (end < 0) return;
      const head = connection.received.slice(0, end);
      connection.received = connection.received.slice(end + 4);
      far.asked.push(head);
      const status = statuses.shift() ?? 200;
      // What refused once may be asked again.
      if (status === 200) connection.onBytes = undefined;
      const body = head.startsWith('POST') ? 'Transfer-Encoding: chunked\r\n' : '';
      connection.send(
        status === 200
          ? `HTTP/1.1 200 OK\r\n${body}\r\n${early}`
          : `HTTP/1.1 ${status} No\r\nContent-Length: 2\r\n\r\nno`,
      );
      if (status === 200) far.tunnels.push(duplexOf(connection));
    };
  });
}

function takeHttp2(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  far: Far,
  status: number,
  early: string,
): void {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}`);
  far.asked.push(lines.join('\r\n'));
  stream.respond({ ':status': status });
  if (status !== 200) return void stream.end('no');
  if (early !== '') stream.write(early);
  far.tunnels.push(stream);
}

async function tunnelOf(far: Far): Promise<Duplex> {
  await vi.waitFor(() => expect(far.tunnels.length).toBe(1));
  const [tunnel] = far.tunnels as [Duplex];
  tunnel.on('error', () => {});
  return tunnel;
}

async function all(stream: Duplex): Promise<string> {
  let text = '';
  stream.on('data', (piece: Buffer) => void (text += piece.toString('latin1')));
  await new Promise((resolve) => stream.on('end', resolve));
  return text;
}

const body = 'tulle '.repeat(100_000);

describe.each(VERSIONS)('bytes by CONNECT over %s', (version) => {
  it('go both ways, each until its own end', async () => {
    const { test, far } = await world(version);
    const near = duplexOf(test.connect());
    near.write('hello ');
    const tunnel = await tunnelOf(far);
    const heard = all(tunnel);
    near.end(body);
    expect((await heard) === `hello ${body}`).toBe(true);
    const answered = all(near);
    tunnel.end(body);
    expect((await answered) === body).toBe(true);
    await vi.waitFor(() => expect(test.records.length).toBe(1));
    expect(test.records[0]).toMatchObject({
      kind: 'tcp',
      code: '',
      cluster: 'proxies',
      upstreamAddress: '10.0.0.1:80',
      bytesReceived: body.length + 6,
      bytesSent: body.length,
    });
    expect(test.proxy.stats.streams).toBe(0);
  });

  it('are asked for by what is known of the caller, and what comes with the answer is theirs', async () => {
    const { test, far } = await world(
      version,
      {
        authority: 'port-%DOWNSTREAM_LOCAL_PORT%.example:443',
        headers: {
          set: [
            { name: 'x-from', value: '%DOWNSTREAM_REMOTE_ADDRESS%', format: true },
            { name: 'x-plain', value: '100%' },
          ],
        },
      },
      { early: 'welcome' },
    );
    const caller = test.connect({ host: '192.0.2.7', port: 4242 });
    await caller.take('welcome');
    expect(far.asked[0]).toMatch(/(?:CONNECT |:authority: )port-8080\.example:443/);
    expect(far.asked[0]?.toLowerCase()).toContain('x-from: 192.0.2.7:4242');
    expect(far.asked[0]?.toLowerCase()).toContain('x-plain: 100%');
    expect(far.asked[0]?.toLowerCase()).not.toContain('content-length');
  });

  it('ask the next endpoint where one refuses, as often as they may', async () => {
    const { test, far } = await world(
      version,
      {},
      { statuses: [403, 502], maxConnectAttempts: 3, endpoints: ['10.0.0.1:80', '10.0.0.2:80'] },
    );
    const near = duplexOf(test.connect());
    near.end('x');
    expect(await all(await tunnelOf(far))).toBe('x');
    expect(far.asked.length).toBe(3);
  });

  it.each([{}, { post: {} }])('stand for as long as something moves (%j)', async (tunnel) => {
    const { test, far } = await world(version, tunnel, { idleTimeoutMs: 60_000 });
    const near = duplexOf(test.connect());
    const carried = await tunnelOf(far);
    for (const said of ['a', 'b', 'c']) {
      await test.clock.advance(40_000);
      const heard = once(carried, 'data');
      near.write(said);
      expect(String(await heard)).toContain(said);
    }
    expect(test.records).toEqual([]);
  });

  it('end where nobody gives a tunnel', async () => {
    const { test, far } = await world(version, {}, { statuses: [403, 403, 403], maxConnectAttempts: 2 });
    const caller = test.connect().send('x');
    await caller.over();
    await vi.waitFor(() => expect(test.records.length).toBe(1));
    expect(test.records[0]).toMatchObject({ code: 'TULLE_UPSTREAM_CONNECT', flags: ['UF', 'URX'] });
    expect([far.asked.length, test.proxy.stats.streams]).toEqual([2, 0]);
  });

  it('end where a POST is refused', async () => {
    const { test, far } = await world(version, { post: {} }, { statuses: [403], maxConnectAttempts: 1 });
    await test.connect().send('x').over();
    await vi.waitFor(() => expect(test.records.length).toBe(1));
    expect(test.records[0]).toMatchObject({ code: 'TULLE_UPSTREAM_CONNECT', bytesSent: 0 });
    expect([far.asked.length, far.tunnels.length, test.proxy.stats.streams]).toEqual([1, 0, 0]);
  });

  it('end where no endpoint can be connected', async () => {
    const { test, network } = await world(version, {}, { maxConnectAttempts: 2 });
    network.refuse('10.0.0.1:80', {});
    await test.connect().send('x').over();
    await vi.waitFor(() => expect(test.records.length).toBe(1));
    expect(test.records[0]).toMatchObject({ code: 'TULLE_UPSTREAM_CONNECT', upstreamAddress: '10.0.0.1:80' });
    expect(network.connections('10.0.0.1:80')).toBe(2);
  });

  it.each(['caller', 'endpoint'] as const)('end for both when the %s goes away', async (who) => {
    const { test, far } = await world(version);
    const near = duplexOf(test.connect());
    near.on('error', () => {});
    const tunnel = await tunnelOf(far);
    const [one, other] = who === 'caller' ? [near, tunnel] : [tunnel, near];
    other.resume();
    const gone = new Promise((resolve) => other.once('close', resolve));
    one.destroy(new Error('away'));
    await gone;
    await vi.waitFor(() => expect([test.records.length, test.proxy.stats.streams]).toEqual([1, 0]));
  });

  it('go by POST where that is asked for', async () => {
    const { test, far } = await world(version, { post: { path: '/carry' } });
    const near = duplexOf(test.connect());
    near.write('hello');
    const tunnel = await tunnelOf(far);
    expect(far.asked[0]).toMatch(
      version === 'http1' ? /^POST \/carry HTTP\/1\.1\r\nHost: db\.example:5432/i : /:path: \/carry/,
    );
    const heard = new Promise<string>((resolve) =>
      tunnel.once('data', (piece: Buffer) => resolve(piece.toString('latin1'))),
    );
    expect(await heard).toBe(version === 'http1' ? '5\r\nhello\r\n' : 'hello');
    const answered = all(near);
    tunnel.write(version === 'http1' ? '5\r\nthere\r\n0\r\n\r\n' : 'there');
    if (version === 'http2') tunnel.end();
    expect(await answered).toBe('there');
    near.end();
    await vi.waitFor(() => expect([test.records.length, test.proxy.stats.streams]).toEqual([1, 0]));
    expect(test.records[0]).toMatchObject({ code: '', bytesReceived: 5, bytesSent: 5 });
  });

  it('by POST wait for who reads slowly, at both ends', async () => {
    const { test, far } = await world(version, { post: {} });
    const near = duplexOf(test.connect());
    near.on('error', () => {});
    const tunnel = await tunnelOf(far);
    tunnel.pause();
    const much = Buffer.alloc(8 * 1024 * 1024, 3);
    let taken = false;
    near.write(much, () => void (taken = true));
    for (let round = 0; round < 50; round++) await new Promise((resolve) => setImmediate(resolve));
    expect(taken).toBe(false);
    let bytes = 0;
    tunnel.on('data', (piece: Buffer) => void (bytes += piece.length));
    tunnel.resume();
    near.end();
    await vi.waitFor(() => expect(bytes).toBeGreaterThanOrEqual(much.length), { timeout: 10_000 });
    tunnel.destroy();
    await vi.waitFor(() => expect(test.proxy.stats.streams).toBe(0));
  });
});

const DATA = 0;
const RST_STREAM = 3;

/** RFC 9113 §4.1 */
function frame(type: number, streamId: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

it('what came before a reset is written before it', async () => {
  const { test, far, carriers } = await world('http2');
  const caller = test.connect().send('x');
  const tunnel = (await tunnelOf(far)) as ServerHttp2Stream;
  // A reset takes from a caller in memory what it had not read: what is written to it tells.
  const written: string[] = [];
  const { peer } = caller.socket;
  const write = peer.write.bind(peer);
  peer.write = (bytes) => {
    written.push(bytes.toString('latin1'));
    return write(bytes);
  };
  // Both come in one read.
  const frames = [
    frame(DATA, tunnel.id as number, Buffer.from('the answer')),
    frame(RST_STREAM, tunnel.id as number, Buffer.from([0, 0, 0, constants.NGHTTP2_CONNECT_ERROR])),
  ];
  const [carrier] = carriers as [Http2Upstream];
  const [connection] = carrier.connections as [TestConnection];
  connection.send(Buffer.concat(frames));
  await vi.waitFor(() => expect(caller.closed).toBe(true));
  expect([written, caller.fault?.kind]).toEqual([['the answer'], 'reset']);
});

it('a tunnel holds a connection of its cluster until its end, and gives it back', async () => {
  const { test, far } = await world('http1', {}, { limits: { maxConnections: 1 } });
  const first = duplexOf(test.connect());
  const tunnel = await tunnelOf(far);
  const second = test.connect();
  await vi.waitFor(() => expect(test.proxy.stats.streams).toBe(2));
  expect([far.tunnels.length, second.closed]).toEqual([1, false]);
  tunnel.end();
  first.resume().end();
  await vi.waitFor(() => expect(far.tunnels.length).toBe(2));
});

it('a caller that leaves before the answer leaves nothing behind', async () => {
  const clock = fakeClock();
  const network = memoryNetwork(clock);
  let closed = false;
  network.listen('10.0.0.1:80', (connection) => {
    connection.onBytes = () => void (closed ||= connection.ended);
    void connection.over().then(() => void (closed = true));
  });
  const test = await started({
    clock,
    network,
    listeners: [
      tcpListener({ host: '127.0.0.1', port: 8080, cluster: 'p', tunnel: { authority: AUTHORITY } }),
    ],
    clusters: [cluster('p', ['10.0.0.1:80'])],
  });
  const caller = test.connect();
  await vi.waitFor(() => expect(test.proxy.stats.streams).toBe(1));
  caller.close(true);
  await vi.waitFor(() => expect(closed).toBe(true));
  expect(test.proxy.stats.streams).toBe(0);
});

it.each([1, 2])(
  'ends where nothing is answered for its idle timeout, after %d endpoints',
  async (attempts) => {
    const clock = fakeClock();
    const network = memoryNetwork(clock);
    const endpoints = ['10.0.0.1:80', '10.0.0.2:80'];
    const asked = new Set<TestConnection>();
    let gone = 0;
    for (const address of endpoints)
      network.listen(address, (connection) => {
        connection.onBytes = () => void asked.add(connection);
        void connection.over().then(() => void gone++);
      });
    const test = await started({
      clock,
      network,
      listeners: [
        tcpListener({
          host: '127.0.0.1',
          port: 8080,
          cluster: 'p',
          idleTimeoutMs: 60_000,
          maxConnectAttempts: attempts,
          tunnel: { authority: AUTHORITY },
        }),
      ],
      clusters: [cluster('p', endpoints)],
    });
    const caller = test.connect().send('x');
    for (let n = 1; n <= attempts; n++) {
      await vi.waitFor(() => expect(asked.size).toBe(n));
      await clock.advance(59_000);
      expect([caller.closed, gone]).toEqual([false, n - 1]);
      await clock.advance(1_100);
      await vi.waitFor(() => expect(gone).toBe(n));
    }
    await caller.over();
    expect(test.records[0]).toMatchObject({ code: 'TULLE_STREAM_IDLE', flags: ['SI', 'URX'] });
    expect([asked.size, test.proxy.stats.streams]).toEqual([attempts, 0]);
  },
);

interface Kept {
  readonly headers: readonly { readonly key: string; readonly value: string }[];
}

describe('what was answered', () => {
  const HEAD = 'envoy.tcp_proxy.propagate_response_headers';
  const TRAILERS = 'envoy.tcp_proxy.propagate_response_trailers';
  const keptOf = (test: TestProxy): unknown[] =>
    [HEAD, TRAILERS].map((key) => {
      const value = test.records[0]?.filterState?.(key) as Kept | undefined;
      return value?.headers
        .filter(({ key: name }) => name !== 'date')
        .map(({ key: name, value: said }) => `${name}: ${said}`);
    });
  const answer = (carriers: readonly Http2Upstream[]): void => {
    for (const carrier of carriers)
      carrier.onStream = (stream) => {
        stream.on('error', () => {});
        stream.respond({ ':status': 200, 'x-a': ['1', '2'] }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'x-end': 'well' }));
        stream.resume();
        stream.on('end', () => stream.end('bye'));
      };
  };

  it.each([
    [{}, ['head', 'trailers']],
    [{ post: {} }, ['head', 'trailers']],
    [{}, ['head']],
    [{ post: {} }, ['trailers']],
    [{}, undefined],
  ] as const)('is told to logs of the connection: %j, %j', async (tunnel, keeps) => {
    const { test, carriers } = await world('http2', { ...tunnel, ...(keeps && { keeps }) });
    answer(carriers);
    const near = duplexOf(test.connect());
    near.end('hello');
    expect(await all(near)).toBe('bye');
    await vi.waitFor(() => expect(test.records.length).toBe(1));
    const parts: readonly string[] = keeps ?? [];
    expect(keptOf(test)).toEqual([
      parts.includes('head') ? [':status: 200', 'x-a: 1', 'x-a: 2'] : undefined,
      parts.includes('trailers') ? ['x-end: well'] : undefined,
    ]);
  });

  it.each(VERSIONS)(
    'is told where it was no tunnel, the last answer of several, over %s',
    async (version) => {
      const { test } = await world(
        version,
        { keeps: ['head'] },
        { statuses: [502, 403], maxConnectAttempts: 2 },
      );
      await test.connect().over();
      await vi.waitFor(() => expect(test.records.length).toBe(1));
      const [head] = keptOf(test) as [string[]];
      expect([head[0], test.records[0]?.code]).toEqual([':status: 403', 'TULLE_UPSTREAM_CONNECT']);
    },
  );
});

it.each([
  [{ authority: 'db.example' }, '/authority'],
  [{ authority: '%NO_SUCH%:443' }, '/authority'],
  [{ post: { path: 'x' } }, '/post/path'],
  [{ headers: { set: [{ name: 'host', value: 'x' }] } }, '/headers/set/0/name'],
] as const)('%j is refused', async (tunnel, path) => {
  await expect(world('http1', tunnel as Partial<TcpTunnel>)).rejects.toThrow(
    `/listeners/0/filterChains/0/handler/tunnel${path}`,
  );
});
