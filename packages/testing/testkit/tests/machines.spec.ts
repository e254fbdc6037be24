import type { Listener, ProxyConfig } from '@tulle/model';
import { createProxy, httpListener, route, type Proxy } from '@tulle/proxy';
import { afterEach, describe, expect, it } from 'vitest';
import {
  fakeClock,
  http2Upstream,
  httpUpstream,
  HttpClient,
  memoryLog,
  memoryNetwork,
} from '../src/index.ts';

const TLS = { certificate: { kind: 'workload' }, trust: { kind: 'mesh' } } as const;
const id = (name: string): string => `spiffe://mesh.local/ns/default/sa/${name}`;

describe('machines of a memory network', () => {
  const proxies: Proxy[] = [];
  afterEach(async () => {
    for (const proxy of proxies.splice(0)) await proxy.stop();
  });

  it('have each a loopback of their own', async () => {
    const network = memoryNetwork(fakeClock());
    const [a, b] = ['10.0.0.1', '10.0.0.2'].map((address) => network.machine({ address }));
    httpUpstream(a!, '127.0.0.1:80', () => ({ body: 'a' }));
    httpUpstream(b!, '127.0.0.1:80', () => ({ body: 'b' }));
    expect((await new HttpClient(a!.connect('127.0.0.1:80')).request()).body).toBe('a');
    expect((await new HttpClient(b!.connect('127.0.0.1:80')).request()).body).toBe('b');
    const stranger = network.connect('127.0.0.1:80');
    await stranger.over();
    expect(stranger.fault?.reason).toBe('ECONNREFUSED');
  });

  /** Calls from one machine to another over (pretended) mutual TLS. */
  async function call(
    called: string,
    expected: string,
    allowed?: string,
  ): Promise<{ status: number; seen: string }> {
    const clock = fakeClock();
    const network = memoryNetwork(clock);
    const common = { clock, log: memoryLog() };
    const server = createProxy({
      ...common,
      transport: network.machine({ address: '10.0.0.2', identity: id(called) }).transport,
      listeners: [
        httpListener({
          host: '10.0.0.2',
          port: 15_006,
          tls: {
            ...TLS,
            clientCertificate: 'require',
            ...(allowed === undefined ? {} : { allowedIds: [id(allowed)] }),
          },
          routes: [route('/', { kind: 'direct', status: 200, body: 'hello' })],
        }),
      ],
    });
    const machine = network.machine({ address: '10.0.0.1', identity: id('web') });
    const client = createProxy({
      ...common,
      transport: machine.transport,
      listeners: [httpListener({ host: '127.0.0.1', port: 9001, routes: [route('/', 'orders')] })],
      clusters: [
        {
          name: 'orders',
          tls: { ...TLS, allowedIds: [id(expected)] },
          discovery: { kind: 'static', endpoints: [{ address: { host: '10.0.0.2', port: 15_006 } }] },
        },
      ],
    });
    proxies.push(server, client);
    await server.start();
    await client.start();
    const answer = await new HttpClient(machine.connect('127.0.0.1:9001')).request();
    return { status: answer.status, seen: answer.body };
  }

  it('prove who they are to each other', async () => {
    expect(await call('orders', 'orders')).toEqual({ status: 200, seen: 'hello' });
    expect((await call('impostor', 'orders')).status).toBe(503);
    expect((await call('orders', 'orders', 'web')).status).toBe(200);
    expect((await call('orders', 'orders', 'report')).status).toBe(503);
  });

  it.each(['http1', 'http2'] as const)(
    'are not asked over a connection of %s whose other end proved what is expected no more',
    async (protocol) => {
      const clock = fakeClock();
      const network = memoryNetwork(clock);
      const service = network.machine({ address: '10.0.0.2', identity: id('old') });
      const released = Promise.withResolvers<void>();
      const serve = protocol === 'http1' ? httpUpstream : http2Upstream;
      const upstream = serve(
        service,
        '10.0.0.2:80',
        async () => {
          await released.promise;
          return { body: 'old' };
        },
        { identity: id('old') },
      );
      const machine = network.machine({ address: '10.0.0.1', identity: id('web') });
      const config = (identity: string): ProxyConfig => ({
        version: identity,
        listeners: [
          httpListener({
            host: '127.0.0.1',
            port: 9001,
            routes: [route('/', 'orders')],
          }) as unknown as Listener,
        ],
        routes: [],
        clusters: [{ name: 'orders', tls: TLS, pool: { protocol }, discovery: { kind: 'eds' } }],
        endpoints: [
          {
            name: 'orders',
            endpoints: [{ address: { host: '10.0.0.2', port: 80 }, identity: id(identity) }],
          },
        ],
      });
      const client = createProxy({ clock, log: memoryLog(), transport: machine.transport });

      proxies.push(client);
      await client.start();
      await client.update(config('old'));
      const caller = new HttpClient(machine.connect('127.0.0.1:9001'));
      const first = caller.request();
      await upstream.next();
      await client.update(config('new'));
      released.resolve();
      // What was under way when it changed may end.
      expect((await first).body).toBe('old');
      expect((await caller.request()).status).toBe(503);
      expect(upstream.requests).toHaveLength(1);
    },
  );
});
