import { connect } from 'node:net';
import { readlinkSync } from 'node:fs';
import type { Cluster, Listener, TcpAddress } from '@tulle/model';
import {
  createProxy,
  httpListener,
  nodeTransport,
  route,
  tcpListener,
  type CodeListener,
  type Transport,
} from '@tulle/proxy';
import { afterEach, describe, expect, it } from 'vitest';
import { fakeClock, memoryLog, memoryNetwork, type TestProxy } from '../src/index.ts';
import { started } from './support.ts';

const OUT: Cluster = { name: 'out', discovery: { kind: 'original-dst' } };
const captured = (listener: CodeListener): CodeListener => ({ ...listener, originalDestination: true });
const http = (more: Partial<CodeListener> = {}): CodeListener => ({
  ...captured(httpListener({ host: '10.9.9.9', port: 8080, routes: [route('/', 'out')] })),
  ...more,
});

/** A proxy in a network whose kernel says where connections were going. */
async function inNetwork(listeners: CodeListener[], asked: () => TcpAddress | undefined): Promise<TestProxy> {
  const clock = fakeClock();
  const network = memoryNetwork(clock);
  (network.transport as Transport & { originalDestination: unknown }).originalDestination = asked;
  return started({
    clock,
    network,
    listeners,
    clusters: [OUT],
    upstreams: { '10.0.0.1:80': () => ({ body: 'one' }), '10.0.0.2:81': () => ({ body: 'two' }) },
  });
}

/** A listener whose answers say its name; the cluster goes where connections were going. */
const named = (name: string, host: string, port: number, more: Partial<CodeListener> = {}): CodeListener => ({
  ...httpListener({ host, port, routes: [{ ...route('/', 'out'), name }] }),
  name,
  ...more,
});

describe('a listener that hands over', () => {
  const kernel =
    (...places: (TcpAddress | undefined)[]): (() => TcpAddress | undefined) =>
    () =>
      places.shift();
  const OUTBOUND = captured(named('outbound', '10.9.9.9', 15_001, { handsOver: true }));
  const servedBy = (test: TestProxy): unknown => test.records.at(-1)?.listener;

  it('gives connections to who has the address they were going to, else the port, else keeps them', async () => {
    const test = await inNetwork(
      [
        OUTBOUND,
        named('exact', '10.0.0.1', 80, { unbound: true }),
        named('any', '0.0.0.0', 81, { unbound: true }),
      ],
      kernel(
        { host: '10.0.0.1', port: 80 },
        { host: '10.0.0.2', port: 81 },
        { host: '10.0.0.2', port: 82 },
        undefined,
      ),
    );
    const ask = async (): Promise<unknown> => {
      const { body } = await test.client({ listener: 'outbound' }).request();
      return [servedBy(test), body];
    };
    expect(await ask()).toEqual(['exact', 'one']);
    expect(await ask()).toEqual(['any', 'two']);
    expect([await ask(), servedBy(test)].at(1)).toBe('outbound');
    expect([await ask(), servedBy(test)].at(1)).toBe('outbound');
    const opened = (listener: string): number =>
      test.meter.value('tulle_listener_downstream_cx_total', { listener });
    expect([opened('outbound'), opened('exact'), opened('any')]).toEqual([2, 1, 1]);
    expect(Object.keys(test.proxy.addresses())).toEqual(['outbound']);
  });

  it('goes by what the PROXY protocol says, and passes on the bytes behind its header', async () => {
    const test = await inNetwork(
      [
        { ...OUTBOUND, originalDestination: false, proxyProtocol: {} },
        named('exact', '10.0.0.2', 81, { unbound: true }),
      ],
      kernel(),
    );
    const client = test.client({ listener: 'outbound' });
    client.raw('PROXY TCP4 203.0.113.9 10.0.0.2 1234 81\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n', 'GET');
    expect((await client.response()).body).toBe('two');
    expect([servedBy(test), test.records.at(-1)?.remoteAddress]).toEqual(['exact', '203.0.113.9']);
  });

  it('keeps what was handed to it, so that nobody is led in a circle', async () => {
    const test = await inNetwork(
      [OUTBOUND, captured(named('other', '10.0.0.1', 80, { unbound: true, handsOver: true }))],
      () => ({ host: '10.0.0.1', port: 80 }),
    );
    expect((await test.client({ listener: 'outbound' }).request()).body).toBe('one');
    expect(servedBy(test)).toBe('other');
  });

  it('follows changes: who comes takes its part from then on, who goes takes none', async () => {
    const test = await inNetwork([OUTBOUND], () => ({ host: '10.0.0.1', port: 80 }));
    const ask = async (): Promise<unknown> => {
      await test.client({ listener: 'outbound' }).request();
      return servedBy(test);
    };
    expect(await ask()).toBe('outbound');
    const { config: before } = test.proxy;
    const [outbound] = before.listeners as [Listener];
    const taker: Listener = {
      ...outbound,
      name: 'exact',
      address: { host: '10.0.0.1', port: 80 },
      handsOver: false,
      unbound: true,
    };
    await test.proxy.update({ ...before, version: '2', listeners: [outbound, taker] });
    expect(await ask()).toBe('exact');
    await test.proxy.update({ ...before, version: '3' });
    expect(await ask()).toBe('outbound');
    // Where it binds a socket of its own it takes what is handed over as well.
    const bound: Listener = { ...taker, address: { host: '0.0.0.0', port: 80 }, unbound: false };
    await test.proxy.update({ ...before, version: '4', listeners: [outbound, bound] });
    expect([await ask(), Object.keys(test.proxy.addresses())]).toEqual(['exact', ['outbound', 'exact']]);
  });
});

describe('a listener that does not look at some ports', () => {
  const [chain] = tcpListener({ port: 1, cluster: 'out' }).filterChains;
  const CHAINS = [
    { ...(chain as CodeListener['filterChains'][0]), match: { applicationProtocols: ['http/1.1'] } },
  ];

  it('waits there for nothing, and takes what comes for plain text of no known protocol', async () => {
    const range = (port: number) => [{ from: port, to: port }];
    const places = [90, 91, 92].map((port) => ({ host: '10.0.0.3', port }));
    const test = await inNetwork(
      [
        http({
          filterChains: CHAINS,
          unlookedPorts: { tls: range(90), http: [...range(90), ...range(91)] },
        }),
      ],
      () => places.shift(),
    );
    for (const port of [90, 91, 92]) test.network.listen(`10.0.0.3:${port}`, () => {});
    const clients = [test.connect(), test.connect(), test.connect()];
    const over = (): boolean[] => clients.map((client) => client.closed || client.ended);
    await test.clock.settle();
    // Nothing was sent: where something is looked at, somebody waits; elsewhere no chain takes it.
    expect(over()).toEqual([true, false, false]);
    for (const client of clients.slice(1)) client.send('GET / HTTP/1.1\r\n');
    await test.clock.settle();
    expect(over()).toEqual([true, true, false]);
    expect([90, 91, 92].map((port) => test.network.connections(`10.0.0.3:${port}`))).toEqual([0, 0, 1]);
  });
});

const open: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const proxy of open.splice(0)) await proxy.stop();
});

describe('a listener that asks where connections were going', () => {
  it('sends requests there, each connection its own', async () => {
    const places = [
      { host: '10.0.0.1', port: 80 },
      { host: '10.0.0.2', port: 81 },
    ];
    const test = await inNetwork([http()], () => places.shift());
    expect([(await test.client().request()).body, (await test.client().request()).body]).toEqual([
      'one',
      'two',
    ]);
    // Who came straight was going nowhere else.
    expect((await test.client().request()).status).toBe(503);
    expect(test.records.at(-1)?.details).toBe('no_original_destination');
  });

  it('leads nobody in a circle', async () => {
    const test = await inNetwork([http()], () => ({ host: '10.9.9.9', port: 8080 }));
    expect((await test.client().request()).status).toBe(503);
    expect(test.records).toHaveLength(1);
  });

  it('sends bytes there too, and chooses chains by it', async () => {
    const { filterChains } = tcpListener({ port: 8080, cluster: 'out' });
    const [chain] = filterChains;
    const places = [
      { host: '10.0.0.3', port: 90 },
      { host: '10.0.0.3', port: 91 },
    ];
    const test = await inNetwork(
      [http({ filterChains: [{ ...(chain as (typeof filterChains)[0]), match: { destinationPort: 90 } }] })],
      () => places.shift(),
    );
    test.network.listen('10.0.0.3:90', () => {});
    const [there, nowhere] = [test.connect(), test.connect()];
    await test.clock.settle();
    expect([test.network.connections('10.0.0.3:90'), there.closed || there.ended]).toEqual([1, false]);
    expect(nowhere.closed || nowhere.ended).toBe(true);
  });

  it('forgets a connection whose bytes go nowhere', async () => {
    const test = await inNetwork([captured(tcpListener({ port: 8080, cluster: 'out' }))], () => undefined);
    const client = test.connect();
    await test.clock.settle();
    expect([client.closed, test.proxy.stats.connections]).toEqual([true, 0]);
  });

  it('believes the PROXY protocol more than the kernel', async () => {
    const test = await inNetwork([http({ proxyProtocol: {} })], () => ({ host: '10.0.0.1', port: 80 }));
    const client = test.client();
    client.raw('PROXY TCP4 203.0.113.9 10.0.0.2 1234 81\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n', 'GET');
    expect((await client.response()).body).toBe('two');
    const silent = test.client();
    silent.raw('PROXY UNKNOWN\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n', 'GET');
    expect((await silent.response()).body).toBe('one');
  });

  it('is refused where nobody can be asked', async () => {
    await expect(started({ listeners: [http()], clusters: [OUT] })).rejects.toMatchObject({
      issues: [{ path: '/listeners/0/originalDestination' }],
    });
  });

  it('is refused where what asks cannot be loaded, with the reason', async () => {
    const proxy = createProxy({
      log: memoryLog(),
      transport: nodeTransport({
        originalDestination: () => {
          throw new Error('there is no such package');
        },
      }),
      listeners: [
        captured(httpListener({ name: 'l', port: 0, routes: [route('/', { kind: 'direct', status: 204 })] })),
      ],
    });
    open.push(proxy);
    await expect(proxy.start()).rejects.toMatchObject({
      issues: [
        {
          path: '/listeners/0/originalDestination',
          message: 'cannot be done here: there is no such package',
        },
      ],
    });
  });

  it('knows its own address in the words of a socket for both families', async () => {
    const place = { host: '::ffff:10.9.9.9', port: 8080 };
    const test = await inNetwork([http({ address: place })], () => ({ host: '10.9.9.9', port: 8080 }));
    expect((await test.client().request()).status).toBe(503);
    expect(test.records.at(-1)?.details).toBe('no_original_destination');
  });

  it('asks by the descriptor of the socket', async () => {
    const asked: string[] = [];
    const proxy = createProxy({
      log: memoryLog(),
      transport: nodeTransport({
        originalDestination: () => (fd) => {
          asked.push(readlinkSync(`/proc/self/fd/${fd}`));
          return undefined;
        },
      }),
      listeners: [
        captured(httpListener({ name: 'l', port: 0, routes: [route('/', { kind: 'direct', status: 204 })] })),
      ],
    });
    await proxy.start();
    open.push(proxy);
    const { port } = proxy.addresses()['l'] as TcpAddress;
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n'));
      socket.once('error', reject);
      socket.once('data', (bytes) => {
        resolve(bytes.toString('latin1'));
        socket.destroy();
      });
    });
    expect([answer.slice(0, 12), asked]).toEqual([
      'HTTP/1.1 204',
      [expect.stringMatching(/^socket:/) as string],
    ]);
  });
});
