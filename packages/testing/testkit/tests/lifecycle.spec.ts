import { request as httpRequest } from 'node:http';
import { isTulleError } from '@tulle/filter';
import type { ProxyConfig } from '@tulle/model';
import { cluster, createProxy, httpListener, route, type Proxy } from '@tulle/proxy';
import { afterEach, describe, expect, it } from 'vitest';
import { fakeClock, memoryLog, memoryNetwork } from '../src/index.ts';
import { simple, started } from './support.ts';

/** The configuration of a running proxy, changed. */
function change(test: { readonly proxy: Proxy }, edit: (config: ProxyConfig) => ProxyConfig): ProxyConfig {
  return edit(structuredClone(test.proxy.config));
}

describe('a new configuration', () => {
  it('that means the same touches nothing', async () => {
    const test = await simple();
    const client = test.client();
    await client.request();
    const result = await test.proxy.update(change(test, (config) => ({ ...config, version: 'again' })));
    expect(result.changed).toBe(false);
    await client.request();
    expect(test.network.connections('10.0.0.1:80')).toBe(1);
    expect(test.proxy.config.version).toBe('again');
  });

  it('is seen by the next request of a kept-alive connection; a stream under way ends with the old one', async () => {
    let release = (): void => {};
    const test = await started({
      listeners: [httpListener({ port: 8080, routes: [route('/', 'a')] })],
      clusters: [cluster('a', ['10.0.0.1:80']), cluster('b', ['10.0.0.2:80'])],
      upstreams: {
        '10.0.0.1:80': () => new Promise((resolve) => (release = () => resolve({ body: 'a' }))),
        '10.0.0.2:80': () => ({ body: 'b' }),
      },
    });
    const client = test.client();
    client.send({});
    await test.upstream('10.0.0.1:80').next();
    const next = change(
      test,
      (config) =>
        JSON.parse(
          JSON.stringify(config).replace('"clusters":[{"name":"a"}]', '"clusters":[{"name":"b"}]'),
        ) as ProxyConfig,
    );
    expect((await test.proxy.update(next)).changed).toBe(true);
    await test.clock.settle();
    release();
    expect((await client.response()).body).toBe('a');
    expect((await client.request()).body).toBe('b');
  });

  it('is refused whole with every fault, and the old one serves on', async () => {
    const test = await simple();
    const bad = change(test, (config) => ({
      ...config,
      clusters: [],
      listeners: config.listeners.map((listener) => ({ ...listener, maxConnections: -1 })),
    }));
    const error: unknown = await test.proxy.update(bad).catch((thrown: unknown) => thrown);
    expect(isTulleError(error) && error.code).toBe('TULLE_CONFIG_INVALID');
    expect((error as { issues: { path: string }[] }).issues.map((issue) => issue.path)).toEqual([
      '/listeners/0/maxConnections',
      '/listeners/0/filterChains/0/handler/routes/virtualHosts/0/routes/0/action/clusters/0/name',
    ]);
    expect((await test.client().request()).status).toBe(200);
    expect(test.meter.value('tulle_config_refused_total')).toBe(1);
  });

  it('is refused when an address cannot be had, and nothing of it was applied', async () => {
    const test = await simple();
    test.network.listen('127.0.0.1:9999', () => {});
    const error: unknown = await test.proxy
      .update(
        change(test, (config) => ({
          ...config,
          clusters: [...config.clusters],
          listeners: [
            ...config.listeners,
            {
              ...(config.listeners[0] as ProxyConfig['listeners'][number]),
              name: 'second',
              address: { host: '127.0.0.1', port: 9999 },
            },
          ],
        })),
      )
      .catch((thrown: unknown) => thrown);
    expect(String(error)).toContain('127.0.0.1:9999');
    expect(Object.keys(test.proxy.addresses())).toEqual(['http']);
  });

  it('changes endpoints in place and removes listeners gently', async () => {
    const test = await simple({
      endpoints: ['10.0.0.1:80', '10.0.0.2:80'],
      cluster: { balance: { policy: 'round-robin' } },
    });
    const client = test.client();
    await client.request();
    await test.proxy.update(
      change(test, (config) => ({
        ...config,
        clusters: config.clusters.map((entry) => ({
          ...entry,
          discovery: { kind: 'static', endpoints: [{ address: { host: '10.0.0.2', port: 80 } }] },
        })),
      })),
    );
    for (let i = 0; i < 4; i++) await client.request();
    expect(test.upstream('10.0.0.2:80').requests.length).toBeGreaterThanOrEqual(4);
    await test.proxy.update({ ...test.proxy.config, listeners: [] });
    expect(test.proxy.addresses()).toEqual({});
    await test.clock.advance(5_100);
    await client.connection.over();
  });
});

describe('drain', () => {
  it('says Connection: close, closes what idles at the end, and lets requests finish', async () => {
    let release = (): void => {};
    const test = await simple({
      answer: (request) =>
        request.target === '/slow'
          ? new Promise((resolve) => (release = () => resolve({ body: 'slow' })))
          : { body: 'x' },
    });
    const idle = test.client();
    const busy = test.client();
    await idle.request();
    busy.send({ path: '/slow' });
    await test.clock.settle();
    const drained = test.proxy.drain({ windowMs: 1_000 });
    expect(test.proxy.state).toBe('draining');
    await test.clock.advance(1_050);
    await drained;
    await idle.connection.over();
    release();
    const response = await busy.response();
    expect([response.body, response.header('connection')]).toEqual(['slow', 'close']);
    await busy.connection.over();
  });
});

describe('admin', () => {
  let proxy: Proxy | undefined;
  afterEach(() => proxy?.stop());

  const get = (
    port: number,
    path: string,
    { method = 'GET', ...headers }: { method?: string; host?: string; accept?: string } = {},
  ): Promise<{ status: number; body: string }> =>
    new Promise((resolve, reject) => {
      const request = httpRequest(
        {
          host: '127.0.0.1',
          port,
          path,
          method,
          agent: false,
          headers,
        },
        (response) => {
          let body = '';
          response
            .setEncoding('utf8')
            .on('data', (text: string) => (body += text))
            .on('end', () => resolve({ status: response.statusCode ?? 0, body }));
        },
      );
      request.on('error', reject).end();
    });

  it('shows what the proxy does, changes by POST only, and is not fooled by a foreign Host', async () => {
    const clock = fakeClock();
    proxy = createProxy({
      transport: memoryNetwork(clock).transport,
      clock,
      log: memoryLog(),
      admin: { host: '127.0.0.1', port: 0 },
      listeners: [
        httpListener({
          port: 8080,
          routes: [route('/', 'api')],
          tls: {
            certificate: { kind: 'inline', certificatePem: 'C', keyPem: 'VERYSECRET' },
            sessionTicketKey: { keyBase64: 'VERYSECRET' },
          },
        }),
      ],
      clusters: [cluster('api', ['10.0.0.1:80'])],
      telemetry: [
        {
          name: 'pages',
          adminPages: [
            {
              path: '/stats/prometheus',
              contentType: 'text/plain',
              help: 'metrics',
              render: () => ['a 1\n', 'b 2\n'],
              alternatives: [
                { contentType: 'application/openmetrics-text; version=1.0.0', render: () => ['# EOF\n'] },
              ],
            },
          ],
        },
      ],
    });
    await proxy.start();
    const { port } = (proxy as Proxy & { adminAddress: { port: number } }).adminAddress;
    expect(await get(port, '/ready')).toEqual({ status: 200, body: 'ready\n' });
    const dump = await get(port, '/config_dump');
    expect(dump.body).toContain('[redacted]');
    expect(dump.body).not.toContain('VERYSECRET');
    expect((await get(port, '/clusters')).body).toContain('api::10.0.0.1:80::health::healthy');
    expect(JSON.parse((await get(port, '/clusters?format=json')).body)).toMatchObject({
      clusters: [{ name: 'api' }],
    });
    expect((await get(port, '/stats/prometheus')).body).toBe('a 1\nb 2\n');
    for (const [accept, body] of [
      // What Prometheus asks for, newer and older; a browser; curl.
      [
        'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
        '# EOF\n',
      ],
      ['text/plain;version=0.0.4;q=0.9, application/openmetrics-text;q=0.5', 'a 1\nb 2\n'],
      ['application/openmetrics-text;version=0.0.1', 'a 1\nb 2\n'],
      ['text/html,application/xhtml+xml,*/*;q=0.8', 'a 1\nb 2\n'],
      ['*/*', 'a 1\nb 2\n'],
      ['image/png', 'a 1\nb 2\n'],
      ['text/*;q=0.1, application/*', '# EOF\n'],
      ['*/*, text/plain;q=0', '# EOF\n'],
    ] as const)
      expect((await get(port, '/stats/prometheus', { accept })).body, accept).toBe(body);
    expect((await get(port, '/drain_listeners')).status).toBe(405);
    expect((await get(port, '/ready', { host: 'evil.example' })).status).toBe(403);
    expect((await get(port, '/nothing')).status).toBe(404);
    expect((await get(port, '/drain_listeners', { method: 'POST' })).status).toBe(202);
    expect((await get(port, '/ready')).status).toBe(503);
    expect((await get(port, '/')).body).toContain('/certs');
  });
});
