import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CONTINUE } from '@tulle/filter';
import { cluster, createProxy, httpListener, route, tcpListener, type Proxy } from '@tulle/proxy';
import { afterEach, describe, expect, it } from 'vitest';
import { fakeClock, memoryLog, memoryNetwork } from '../src/index.ts';
import { filter, simple, started } from './support.ts';

describe('the admin interface', () => {
  const running: Proxy[] = [];
  afterEach(async () => {
    for (const proxy of running.splice(0)) await proxy.stop();
  });
  const proxyAt = (
    admin: Parameters<typeof createProxy>[0]['admin'],
    routes = [route('/', 'api')],
  ): Proxy => {
    const clock = fakeClock();
    const proxy = createProxy({
      transport: memoryNetwork(clock).transport,
      clock,
      log: memoryLog(),
      ...(admin === undefined ? {} : { admin }),
      listeners: [httpListener({ port: 8080, routes })],
      clusters: [cluster('api', ['10.0.0.1:80'])],
    });
    running.push(proxy);
    return proxy;
  };
  const ask = (
    at: { port: number } | { socketPath: string },
    path: string,
    method = 'GET',
    headers: Record<string, string> = {},
  ): Promise<{ status: number; body: string }> =>
    new Promise((resolve, reject) => {
      const sent = httpRequest(
        { host: '127.0.0.1', ...at, path, method, headers, agent: false },
        (response) => {
          let body = '';
          response.setEncoding('utf8').on('data', (text: string) => (body += text));
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
        },
      );
      sent.on('error', reject).end();
    });

  it('takes no file and no socket of another away', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'tulle-'));
    try {
      const file = join(directory, 'precious');
      writeFileSync(file, 'precious');
      await expect(proxyAt({ path: file }).start()).rejects.toThrow(/a file that is no socket stands there/);
      expect(readFileSync(file, 'utf8')).toBe('precious');
      const socketPath = join(directory, 'admin.sock');
      await proxyAt({ path: socketPath }).start();
      await expect(proxyAt({ path: socketPath }).start()).rejects.toThrow(/it is in use/);
      expect((await ask({ socketPath }, '/ready')).status).toBe(200);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('answers to no page of another site, and shows no credential that a route edits or asks for', async () => {
    const proxy = proxyAt({ host: '127.0.0.1', port: 0 }, [
      route('/', 'api', {
        requestHeaders: {
          set: [{ name: 'Authorization', value: 'Bearer s3cr3t' }],
          add: [{ name: 'x-plain', value: 'shown' }],
        },
        headers: [{ name: 'x-api-key', match: { kind: 'exact', value: 's3cr3t' } }],
      }),
    ]);
    await proxy.start();
    const { port } = (proxy as Proxy & { adminAddress: { port: number } }).adminAddress;
    const { body } = await ask({ port }, '/config_dump');
    expect(body).not.toContain('s3cr3t');
    expect(body).toContain('shown');
    for (const headers of [
      { origin: 'https://evil.example' },
      { 'sec-fetch-site': 'cross-site' },
      { origin: 'null' },
    ] as Record<string, string>[])
      expect((await ask({ port }, '/drain_listeners', 'POST', headers)).status).toBe(403);
    expect(proxy.state).toBe('ready');
    const own = { origin: `http://127.0.0.1:${port}`, 'sec-fetch-site': 'same-origin' };
    expect((await ask({ port }, '/ready', 'GET', own)).status).toBe(200);
  });
});

describe('redirects and rewrites', () => {
  it('name the port of the listener where a gateway serves, and the one that was asked for where a sidecar does', async () => {
    const ask = async (
      direction: 'inbound' | 'outbound' | 'unspecified',
      host: string,
    ): Promise<string | undefined> => {
      const test = await started({
        listeners: [
          httpListener({
            port: 8080,
            direction,
            routes: [route('/', { kind: 'redirect', path: { kind: 'full', value: '/x' } })],
          }),
        ],
      });
      const { status, ...response } = await test.client().request({ headers: { host } });
      await test.stop();
      expect(status).toBe(302);
      return response.header('location');
    };
    expect(await ask('unspecified', 'shop.example')).toBe('http://shop.example:8080/x');
    expect(await ask('unspecified', 'shop.example:9')).toBe('http://shop.example:8080/x');
    expect(await ask('outbound', 'shop')).toBe('http://shop/x');
    expect(await ask('outbound', 'shop:81')).toBe('http://shop:81/x');
    expect(await ask('inbound', 'shop:81')).toBe('http://shop:81/x');
  });

  it('take a prefix off as requests spell it', async () => {
    const test = await simple({
      handler: {
        routes: [
          route('/caf\u00e9', 'api', { rewrite: { path: { kind: 'prefix', value: '/v2' } } }),
          route('/a%2dc', 'api', { rewrite: { path: { kind: 'prefix', value: '/th\u00e9' } } }),
        ],
      },
    });
    const client = test.client();
    expect((await client.request({ path: '/caf%c3%a9/1' })).body).toBe('GET /v2/1');
    expect((await client.request({ path: '/a-c/1' })).body).toBe('GET /th%C3%A9/1');
  });
});

describe('what a response says of a body that filters change (D12)', () => {
  const ask = async (
    response: 'transform' | 'observe' | { buffer: number },
    emits: boolean,
    method: string,
  ): Promise<(string | undefined)[]> => {
    const test = await simple({
      answer: () => ({ headers: { etag: '"x"', digest: 'd' }, body: 'hello' }),
      handler: {
        filters: [
          filter(
            'change',
            {
              responseData: (stream) => {
                if (emits) stream.emit(Buffer.from('other'));
                return CONTINUE;
              },
            },
            { body: { response } },
          )({}),
        ],
      },
    });
    const answer = await test.client().request({ method });
    await test.stop();
    return [answer.header('content-length'), answer.header('etag'), answer.header('digest')];
  };

  it('answers HEAD like GET', async () => {
    expect(await ask('transform', true, 'HEAD')).toEqual([undefined, undefined, undefined]);
    expect(await ask({ buffer: 100 }, true, 'HEAD')).toEqual([undefined, undefined, undefined]);
    expect(await ask('observe', false, 'HEAD')).toEqual(['5', '"x"', 'd']);
  });

  it('keeps no validator of a body that was replaced after it was collected', async () => {
    expect(await ask({ buffer: 100 }, true, 'GET')).toEqual(['5', undefined, undefined]);
    expect(await ask({ buffer: 100 }, false, 'GET')).toEqual(['5', '"x"', 'd']);
  });
});

describe('a removed listener', () => {
  it('lets its TCP connections go on for ten minutes, and cuts what is left then', async () => {
    const test = await started({
      listeners: [tcpListener({ port: 5432, cluster: 'db' })],
      clusters: [cluster('db', ['10.0.0.1:1'])],
    });
    test.network.listen('10.0.0.1:1', (connection) => {
      connection.onBytes = () => {
        if (connection.received !== '') connection.send(connection.received);
        connection.received = '';
      };
    });
    const connection = test.connect().send('a');
    await connection.take('a');
    await test.proxy.update({ ...test.proxy.config, listeners: [] });
    await test.clock.advance(500_000);
    connection.send('b');
    await connection.take('b');
    await test.clock.advance(110_000);
    await connection.over();
    expect(test.proxy.stats.connections).toBe(0);
  });
});

describe('names of clusters that are gone', () => {
  it('are forgotten once nothing refers to them', async () => {
    const test = await simple();
    const { refs } = test.proxy as unknown as { refs: ReadonlyMap<string, unknown> };
    const { config } = test.proxy;
    for (let i = 0; i < 20; i++)
      await test.proxy.update({
        ...config,
        clusters: [...config.clusters, cluster(`c${i}`, ['10.0.0.2:80'])],
      });
    await test.proxy.update(config);
    expect([...refs.keys()]).toEqual(['api']);
    expect((await test.client().request()).status).toBe(200);
  });
});
