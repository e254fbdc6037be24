import { CONNECTION_METADATA, CONTINUE, defineHttpFilter, DYNAMIC_METADATA } from '@tulle/filter';
import { Duplex } from 'node:stream';
import { connect as tlsConnect } from 'node:tls';
import type { ChainMatch, Listener, ProxyProtocol } from '@tulle/model';
import { cluster, httpListener, tcpListener } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import type { Caller, TestProxy } from '../src/index.ts';
import { anything, started } from './support.ts';

/** The first message of a real TLS client. */
async function clientHello(servername: string | undefined, alpn: readonly string[] = []): Promise<Buffer> {
  const written: Buffer[] = [];
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const wire = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      written.push(chunk);
      done();
      begin();
    },
  });
  const socket = tlsConnect({ socket: wire, ...(servername && { servername }), ALPNProtocols: [...alpn] });
  socket.on('error', () => {});
  await begun;
  socket.destroy();
  return Buffer.concat(written);
}

/** A proxy that passes connections to the upstream of the chain that takes them: `10.0.0.1` for the first, and so on. */
async function choosing(
  matches: readonly (ChainMatch | undefined)[],
  more: Partial<Listener> = {},
): Promise<(from: Caller, bytes: string | Buffer, waitMs?: number) => Promise<number>> {
  const listener = tcpListener({ port: 8080, cluster: 'c0' });
  const test: TestProxy = await started({
    listeners: [
      {
        ...listener,
        chainOrder: 'specific',
        ...more,
        filterChains: matches.map((match, index) => ({
          name: `chain-${index}`,
          ...(match && { match }),
          handler: { kind: 'tcp' as const, clusters: [{ name: `c${index}` }] },
        })),
      } as typeof listener,
    ],
    clusters: matches.map((_, index) => cluster(`c${index}`, [`10.0.0.${index + 1}:80`])),
    upstreams: {},
  });
  for (const index of matches.keys()) test.network.listen(`10.0.0.${index + 1}:80`, () => {});
  return async (from, bytes, waitMs = 0) => {
    const before = matches.map((_, index) => test.network.connections(`10.0.0.${index + 1}:80`));
    const connection = test.connect(from);
    if (bytes.length > 0) connection.send(bytes);
    await test.clock.settle();
    if (waitMs > 0) await test.clock.advance(waitMs);
    const taken = matches.findIndex(
      (_, index) => test.network.connections(`10.0.0.${index + 1}:80`) > (before[index] ?? 0),
    );
    connection.close();
    await test.clock.settle();
    return taken;
  };
}

describe('the most specific chain', () => {
  it('is that of the longest network, then of the port', async () => {
    const take = await choosing([
      { sourceCidrs: ['0.0.0.0/0'] },
      { sourceCidrs: ['192.0.2.0/24'] },
      { sourceCidrs: ['192.0.2.0/24'], sourcePorts: [777] },
      undefined,
    ]);
    expect([
      await take({ host: '203.0.113.1' }, 'x'),
      await take({ host: '192.0.2.1' }, 'x'),
      await take({ host: '192.0.2.1', port: 777 }, 'x'),
      await take({ host: '2001:db8::1' }, 'x'),
    ]).toEqual([0, 1, 2, 3]);
  });

  it('is found by port and address that were asked for first, without a way back', async () => {
    const take = await choosing([
      { destinationPort: 8080, sourceCidrs: ['203.0.113.0/24'] },
      { sourceCidrs: ['192.0.2.0/24'] },
      { destinationPort: 9 },
    ]);
    expect([await take({ host: '203.0.113.1' }, 'x'), await take({ host: '192.0.2.1' }, 'x')]).toEqual([
      0, -1,
    ]);
    const first = await choosing(
      [{ destinationPort: 8080, sourceCidrs: ['203.0.113.0/24'] }, { sourceCidrs: ['192.0.2.0/24'] }],
      { chainOrder: 'first' },
    );
    expect(await first({ host: '192.0.2.1' }, 'x')).toBe(1);
  });

  it('is that of the name before that of a longer suffix, and of that before a shorter one', async () => {
    const take = await choosing([
      { serverNames: ['*.example'] },
      { serverNames: ['*.shop.example'] },
      { serverNames: ['a.shop.example'] },
      { transport: 'tls' },
      undefined,
    ]);
    const of = async (name: string | undefined): Promise<number> => take({}, await clientHello(name));
    expect([
      await of('x.example'),
      await of('b.shop.example'),
      await of('a.shop.example'),
      await of('other.test'),
      await of(undefined),
      await take({}, 'GET / HTTP/1.1\r\n'),
    ]).toEqual([0, 1, 2, 3, 3, 4]);
  });

  it('goes by the protocol that the caller wishes for most', async () => {
    const take = await choosing([
      { applicationProtocols: ['http/1.1', 'http/1.0'] },
      { applicationProtocols: ['h2', 'h2c'] },
      { transport: 'tls' },
      undefined,
    ]);
    const tls = async (...alpn: string[]): Promise<number> => take({}, await clientHello('a.example', alpn));
    expect([await tls('http/1.1', 'h2'), await tls('h2', 'http/1.1'), await tls('other')]).toEqual([2, 2, 2]);
    const plain = await choosing([
      { applicationProtocols: ['http/1.1', 'http/1.0'] },
      { applicationProtocols: ['h2', 'h2c'] },
      undefined,
    ]);
    const hello = async (...alpn: string[]): Promise<number> =>
      plain({}, await clientHello('a.example', alpn));
    expect([
      await hello('http/1.1', 'h2'),
      await hello('h2', 'http/1.1'),
      await hello('other', 'h2'),
      await hello('other'),
      await plain({}, 'GET /a HTTP/1.1\r\nhost: a\r\n\r\n'),
      await plain({}, 'GET /a HTTP/1.0\n'),
      await plain({}, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
      await plain({}, '\x00\x01 binary'),
      await plain({}, 'SSH-2.0-x y z\r\n'),
    ]).toEqual([0, 1, 1, 2, 0, 0, 1, 2, 2]);
  });

  it('is for callers on this machine, or for others', async () => {
    const take = await choosing([{ sourceType: 'local' }, { sourceType: 'external' }]);
    expect([await take({ host: '127.0.0.9' }, 'x'), await take({ host: '192.0.2.1' }, 'x')]).toEqual([0, 1]);
  });

  it('waits for first bytes so long, and then goes without where it may', async () => {
    const matches = [{ transport: 'tls' as const }, undefined];
    const patient = await choosing(matches, { firstBytesTimeoutMs: 1_000 });
    expect(await patient({}, '', 2_000)).toBe(-1);
    const hasty = await choosing(matches, { firstBytesTimeoutMs: 1_000, continueWithoutFirstBytes: true });
    expect(await hasty({}, '', 2_000)).toBe(1);
  });
});

describe('a header of the PROXY protocol', () => {
  async function seen(
    rules: ProxyProtocol,
    ...pieces: readonly string[]
  ): Promise<{ readonly status: number; readonly caller: string | undefined } | 'closed'> {
    const listener = httpListener({
      port: 8080,
      routes: [
        {
          name: 'echo',
          match: { path: { kind: 'prefix', value: '/' } },
          action: { kind: 'direct', status: 200 },
          responseHeaders: {
            set: [
              {
                name: 'x-caller',
                value: '%DOWNSTREAM_REMOTE_ADDRESS% to %DOWNSTREAM_LOCAL_ADDRESS%',
                format: true,
              },
            ],
          },
        },
      ],
    });
    const test = await started({ listeners: [{ ...listener, proxyProtocol: rules }], clusters: [] });
    const client = test.client({ host: '192.0.2.7' });
    for (const piece of pieces.slice(0, -1)) {
      client.connection.send(piece);
      await test.clock.settle();
    }
    client.raw(pieces.at(-1) ?? '', 'GET');
    await test.clock.settle();
    if (client.connection.closed || client.connection.ended) return 'closed';
    const response = await client.response();
    return { status: response.status, caller: response.header('x-caller') };
  }
  const GET = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n';
  const HEADER = 'PROXY TCP4 203.0.113.9 198.51.100.1 1234 443\r\n';
  const said = { status: 200, caller: '203.0.113.9:1234 to 198.51.100.1:443' };

  it('says who called whom, in one piece or in many', async () => {
    expect(await seen({}, HEADER + GET)).toEqual(said);
    expect(await seen({}, ...(HEADER + GET).split(''))).toEqual(said);
    expect(await seen({}, HEADER, GET)).toEqual(said);
  });

  it('does not say who connected: that is told apart', async () => {
    const told: string[] = [];
    const tells = defineHttpFilter({
      apiVersion: 1,
      id: 'test.http.tells',
      config: anything<object>(),
      create: () => ({
        requestHeaders({ connection }) {
          told.push(`${connection.remoteAddress} through ${connection.directAddress}`);
          return CONTINUE;
        },
      }),
    });
    const listener = httpListener({
      port: 8080,
      routes: [
        {
          name: 'all',
          match: { path: { kind: 'prefix', value: '/' } },
          action: { kind: 'direct', status: 200 },
        },
      ],
      filters: [tells({})],
    });
    const test = await started({ listeners: [{ ...listener, proxyProtocol: {} }], clusters: [] });
    const client = test.client({ host: '192.0.2.7' });
    client.raw(HEADER + GET, 'GET');
    await client.response();
    expect(told).toEqual(['203.0.113.9 through 192.0.2.7']);
  });

  it('tells filters of requests what its fields say, apart from what is known of a request', async () => {
    const told: unknown[] = [];
    const tells = defineHttpFilter({
      apiVersion: 1,
      id: 'test.http.tells-metadata',
      config: anything<object>(),
      create: () => ({
        requestHeaders(stream) {
          told.push([stream.get(CONNECTION_METADATA), stream.get(DYNAMIC_METADATA)]);
          return CONTINUE;
        },
      }),
    });
    const listener = httpListener({
      port: 8080,
      routes: [
        {
          name: 'all',
          match: { path: { kind: 'prefix', value: '/' } },
          action: { kind: 'direct', status: 200 },
        },
      ],
      filters: [tells({})],
    });
    const proxyProtocol = { tlvs: [{ type: 0xe1, key: 'vpce', namespace: 'network' }] };
    const test = await started({ listeners: [{ ...listener, proxyProtocol }], clusters: [] });
    const client = test.client({ host: '192.0.2.7' });
    const fields = '\xe1\x00\x03one';
    const start = '\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x12\x01\x02\x03\x04\x05\x06\x07\x08\x00\x01\x00\x02';
    client.raw(start + fields + GET, 'GET');
    await client.response();
    expect(told).toEqual([[{ network: { vpce: 'one' } }, undefined]]);
  });

  it('leaves the connection its own where it says nothing', async () => {
    expect(await seen({}, `PROXY UNKNOWN\r\n${GET}`)).toMatchObject({
      caller: expect.stringMatching(/^192\.0\.2\.7:/) as string,
    });
  });

  it('must be there, unless it may be missing, and be of a version that is read', async () => {
    expect(await seen({}, GET)).toBe('closed');
    expect(await seen({ optional: true }, GET)).toMatchObject({ status: 200 });
    expect(await seen({ optional: true }, `PROXY nonsense\r\n${GET}`)).toBe('closed');
    expect(await seen({ versions: [2] }, HEADER + GET)).toBe('closed');
  });

  it('is waited for only so long', async () => {
    const listener = httpListener({ port: 8080, routes: [] });
    const test = await started({ listeners: [{ ...listener, proxyProtocol: {} }], clusters: [] });
    const connection = test.connect();
    connection.send('PROXY TCP4 ');
    await test.clock.advance(60_000);
    expect(connection.closed || connection.ended).toBe(true);
  });

  it('is what chains are chosen by, except where who connected is asked for', async () => {
    const take = await choosing(
      [{ sourceCidrs: ['203.0.113.0/24'], directSourceCidrs: ['192.0.2.0/24'] }, undefined],
      { proxyProtocol: {} },
    );
    expect([
      await take({ host: '192.0.2.7' }, `${HEADER}x`),
      await take({ host: '198.51.100.9' }, `${HEADER}x`),
    ]).toEqual([0, 1]);
  });
});

describe('a TCP chain', () => {
  it('lives as long as it may, and keeps a caller at its endpoint where it hashes', async () => {
    const endpoints = Array.from({ length: 6 }, (_, index) => `10.0.1.${index + 1}:80`);
    const test = await started({
      listeners: [tcpListener({ port: 8080, cluster: 'many', hash: 'source-ip', maxDurationMs: 5_000 })],
      clusters: [{ ...cluster('many', endpoints), balance: { policy: 'ring-hash' } }],
      upstreams: {},
    });
    for (const endpoint of endpoints) test.network.listen(endpoint, () => {});
    const connections = Array.from({ length: 5 }, () => test.connect({ host: '203.0.113.77' }));
    await test.clock.settle();
    const counts = endpoints
      .map((endpoint) => test.network.connections(endpoint))
      .filter((count) => count > 0);
    expect(counts).toEqual([5]);
    await test.clock.advance(6_000);
    expect(connections.every((one) => one.closed || one.ended)).toBe(true);
  });
});
