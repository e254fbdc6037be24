import { connect } from 'node:net';
import { readlinkSync } from 'node:fs';
import type { Cluster, TcpAddress } from '@tulle/model';
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
