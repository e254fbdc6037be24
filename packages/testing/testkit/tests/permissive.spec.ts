import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Listener, ProxyConfig } from '@tulle/model';
import { cluster, httpListener, route, tcpListener, type CodeListener } from '@tulle/proxy';
import { afterEach, describe, expect, it } from 'vitest';
import { started } from './support.ts';

const tls = { certificate: { kind: 'workload' as const }, trust: { kind: 'mesh' as const } };
/** As the control plane makes them of a PeerAuthentication. */
const chains = (made: CodeListener, permissive: boolean): Listener => {
  const {
    filterChains: [chain],
    ...listener
  } = made as unknown as Listener;
  return {
    ...listener,
    direction: 'inbound',
    filterChains: [
      { ...chain!, name: 'mesh', tls, ...(permissive ? { match: { transport: 'tls' as const } } : {}) },
      ...(permissive ? [{ ...chain!, name: 'plain', match: { transport: 'plain' as const } }] : []),
    ],
  };
};
const config = (permissive: boolean): ProxyConfig => ({
  version: String(permissive),
  listeners: [
    chains(httpListener({ name: 'web', port: 8080, routes: [route('/', 'app')] }), permissive),
    chains(tcpListener({ name: 'db', port: 5432, cluster: 'db' }), permissive),
  ],
  routes: [],
  endpoints: [],
  clusters: [cluster('app', ['10.0.0.1:80']), cluster('db', ['10.0.0.2:80'])],
});

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

async function mesh() {
  const directory = mkdtempSync(join(tmpdir(), 'tulle-permissive-'));
  directories.push(directory);
  const socketPath = join(directory, 'admin.sock');
  const { listeners, clusters } = config(true);
  const test = await started({
    listeners,
    clusters,
    upstreams: { '10.0.0.1:80': () => ({ body: 'app' }), '10.0.0.2:80': () => ({ body: 'db' }) },
    admin: { path: socketPath },
  });
  const page = async (): Promise<{
    listeners: { name: string; permissive: boolean; clients: unknown[] }[];
  }> =>
    new Promise((resolve, reject) => {
      request({ socketPath, path: '/plaintext', headers: { host: 'localhost' } }, (reply) => {
        let text = '';
        reply.setEncoding('utf8').on('data', (piece: string) => (text += piece));
        reply.on('end', () => resolve(JSON.parse(text) as never));
      })
        .on('error', reject)
        .end();
    });
  return { test, page };
}

describe('a listener that takes mutual TLS and plain text', () => {
  it('counts who comes in plain text, by address', async () => {
    const { test, page } = await mesh();
    for (const host of ['192.0.2.1', '192.0.2.2', '192.0.2.1'])
      expect((await test.client({ listener: 'web', host }).request()).body).toBe('app');
    const plaintext = 'tulle_listener_downstream_cx_plaintext_total';
    expect(test.meter.value(plaintext, { listener: 'web' })).toBe(3);
    expect(test.meter.value(plaintext, { listener: 'db' })).toBe(0);
    const client = (address: string, connections: number) => ({
      address,
      connections,
      lastSeenMs: expect.any(Number) as number,
    });
    expect((await page()).listeners).toEqual([
      expect.objectContaining({
        name: 'web',
        permissive: true,
        clients: [client('192.0.2.1', 2), client('192.0.2.2', 1)],
        forgotten: 0,
      }),
      expect.objectContaining({ name: 'db', permissive: true, clients: [] }),
    ]);
  });

  it('remembers a thousand of them, the latest', async () => {
    const { test, page } = await mesh();
    for (let i = 0; i < 1_002; i++)
      await test.client({ listener: 'web', host: `10.1.${i >> 8}.${i & 255}` }).request();
    const [web] = (await page()).listeners;
    expect([web?.clients.length, web]).toMatchObject([1_000, { forgotten: 2 }]);
    expect(web?.clients[0]).toMatchObject({ address: '10.1.3.233' });
  });

  it('lets nobody go on in plain text once it is strict, neither requests nor bytes', async () => {
    const { test, page } = await mesh();
    const web = test.client({ listener: 'web' });
    expect((await web.request()).status).toBe(200);
    const db = test.connect({ listener: 'db' }).send('GET / HTTP/1.1\r\nhost: db\r\n\r\n');
    await test.clock.settle();
    expect(db.received).toContain('db');
    await test.proxy.update(config(false));
    await db.over();
    await web.connection.over();
    expect((await page()).listeners.map(({ name, permissive }) => [name, permissive])).toEqual([
      ['web', false],
      ['db', false],
    ]);
  });

  it('ends an upgraded connection in plain text once it is strict', async () => {
    const { listeners, clusters } = config(true);
    const test = await started({ listeners, clusters });
    test.network.listen('10.0.0.1:80', (connection) => {
      connection.onBytes = () =>
        void connection.send(
          'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello',
        );
    });
    const web = test
      .connect({ listener: 'web' })
      .send('GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    await test.clock.settle();
    expect(web.received).toContain('hello');
    await test.proxy.update(config(false));
    await test.clock.settle();
    expect(web.closed || web.ended).toBe(true);
  });

  it('answers what is under way in plain text, and nothing after it, though its chain keeps its name', async () => {
    const named = (strict: boolean): ProxyConfig => {
      const [web] = config(false).listeners as [Listener];
      const { tls: _, ...plain } = web.filterChains[0]!;
      return { ...config(strict), listeners: [strict ? web : { ...web, filterChains: [plain] }] };
    };
    const { listeners, clusters } = named(false);
    const test = await started({ listeners, clusters });
    let answer = (): void => {};
    test.network.listen('10.0.0.1:80', (connection) => {
      answer = () => void connection.send('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
    });
    const web = test.connect({ listener: 'web' }).send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await test.clock.settle();
    await test.proxy.update(named(true));
    await test.clock.settle();
    expect(web.closed || web.ended).toBe(false);
    answer();
    await test.clock.settle();
    expect(web.received).toContain('ok');
    expect(web.closed || web.ended).toBe(true);
  });
});
