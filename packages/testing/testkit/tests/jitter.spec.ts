import type { HttpHandler } from '@tulle/model';
import { cluster, httpListener, route, tcpListener } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import { seededRandom, type TestConnection, type TestProxy } from '../src/index.ts';
import { started } from './support.ts';

/** When each of them is closed, in tenths of a second from now; those that stay are left out. */
async function ends(
  test: TestProxy,
  connections: readonly TestConnection[],
  upToMs: number,
): Promise<number[]> {
  const found = new Map<TestConnection, number>();
  for (let ms = 100; ms <= upToMs; ms += 100) {
    await test.clock.advance(100);
    for (const one of connections) if ((one.closed || one.ended) && !found.has(one)) found.set(one, ms / 100);
  }
  return [...found.values()];
}

describe('the longest time of a connection', () => {
  const handling = (handler: Partial<HttpHandler>, random = seededRandom()): Promise<TestProxy> =>
    started({
      random,
      listeners: [httpListener({ port: 8080, routes: [route('/', 'api')], ...handler } as never)],
      clusters: [cluster('api', ['10.0.0.1:80'])],
      upstreams: { '10.0.0.1:80': () => ({ body: 'ok' }) },
    });
  const endsOf = async (handler: Partial<HttpHandler>, random?: () => number): Promise<number[]> => {
    const test = await handling(handler, random);
    const clients = Array.from({ length: 20 }, () => test.client());
    await Promise.all(clients.map((client) => client.request()));
    return ends(
      test,
      clients.map(({ connection }) => connection),
      5_000,
    );
  };

  it('is longer by up to a share of it, for each another one', async () => {
    const aged = await endsOf({ maxConnectionDurationMs: 2_000, maxConnectionDurationJitterPercent: 50 });
    expect(aged).toHaveLength(20);
    expect(Math.min(...aged)).toBeGreaterThanOrEqual(20);
    expect(Math.max(...aged)).toBeLessThanOrEqual(31);
    expect(new Set(aged).size).toBeGreaterThan(4);
  });

  it('is that long and no longer without it, and with the least and the most that is drawn', async () => {
    const options = { maxConnectionDurationMs: 2_000, maxConnectionDurationJitterPercent: 50 };
    const sets = [
      await endsOf({ maxConnectionDurationMs: 2_000 }),
      await endsOf(options, () => 0),
      await endsOf(options, () => 1 - Number.EPSILON),
      await endsOf({ maxConnectionDurationJitterPercent: 50 }),
    ].map((all) => [...new Set(all)]);
    expect(sets).toEqual([[20], [20], [30], []]);
  });

  it('counts for requests too that come before the timer', async () => {
    const test = await handling(
      { maxConnectionDurationMs: 2_000, maxConnectionDurationJitterPercent: 50 },
      () => 0.5,
    );
    const client = test.client();
    await client.request();
    await test.clock.advance(2_200);
    expect((await client.request()).header('connection')).toBeUndefined();
    await test.clock.advance(400);
    expect(client.connection.ended || client.connection.closed).toBe(true);
  });

  it('likewise of connections of bytes', async () => {
    const test = await started({
      listeners: [
        tcpListener({ port: 8080, cluster: 'api', maxDurationMs: 2_000, maxDurationJitterPercent: 100 }),
      ],
      clusters: [cluster('api', ['10.0.0.1:80'])],
      upstreams: {},
    });
    test.network.listen('10.0.0.1:80', () => {});
    const connections = Array.from({ length: 20 }, () => test.connect());
    await test.clock.settle();
    const aged = await ends(test, connections, 6_000);
    expect(aged).toHaveLength(20);
    expect(Math.min(...aged)).toBeGreaterThanOrEqual(20);
    expect(Math.max(...aged)).toBeLessThanOrEqual(41);
    expect(new Set(aged).size).toBeGreaterThan(4);
  });
});

describe('the time for which a caller that is asked to leave may begin streams', () => {
  const GOAWAY = 7;
  const frame = (type: number, flags: number, stream: number, payload = ''): Buffer => {
    const body = Buffer.from(payload, 'latin1');
    const head = Buffer.alloc(9);
    head.writeUIntBE(body.length, 0, 3);
    head.writeUInt8(type, 3);
    head.writeUInt8(flags, 4);
    head.writeUInt32BE(stream, 5);
    return Buffer.concat([head, body]);
  };
  /** Last streams that GOAWAY frames name. */
  const goaways = (bytes: Buffer): number[] => {
    const found: number[] = [];
    for (let at = 0; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3))
      if (bytes[at + 3] === GOAWAY) found.push(bytes.readUInt32BE(at + 9));
    return found;
  };

  it.each([
    [undefined, 0.9, 1_000],
    [50, 0, 1_000],
    [50, 0.8, 1_400],
  ])(
    'with a jitter of %s percent and a draw of %s, is %d ms',
    async (drainTimeoutJitterPercent, draw, ms) => {
      const test = await started({
        random: () => draw,
        listeners: [
          httpListener({
            port: 8080,
            routes: [route('/', 'api')],
            maxConnectionDurationMs: 1_000,
            drainTimeoutMs: 1_000,
            ...(drainTimeoutJitterPercent !== undefined && { drainTimeoutJitterPercent }),
          }),
        ],
        clusters: [cluster('api', ['10.0.0.1:80'])],
        upstreams: { '10.0.0.1:80': () => new Promise<never>(() => {}) },
      });
      // It answers no PING: so the last GOAWAY comes when the time is over.
      const caller = test.connect();
      caller.send(
        Buffer.concat([
          Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
          frame(4, 0, 0),
          frame(4, 1, 0),
          frame(1, 5, 1, '\x82\x86\x84\x01\x01a'),
        ]),
      );
      await test.clock.advance(1_050);
      expect(goaways(Buffer.from(caller.received, 'latin1'))).toEqual([0x7fff_ffff]);
      await test.clock.advance(ms - 100);
      expect(goaways(Buffer.from(caller.received, 'latin1'))).toEqual([0x7fff_ffff]);
      await test.clock.advance(150);
      expect(goaways(Buffer.from(caller.received, 'latin1'))).toEqual([0x7fff_ffff, 1]);
    },
  );
});
