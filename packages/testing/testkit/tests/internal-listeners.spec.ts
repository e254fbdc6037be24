import type { Duplex } from 'node:stream';
import { CONTINUE, defineConnFilter, FILTER_STATE, putFilterState } from '@tulle/filter';
import type { Endpoint, Passthrough } from '@tulle/model';
import { cluster, httpListener, route, tcpListener, type CodeListener } from '@tulle/proxy';
import { describe, expect, it, vi } from 'vitest';
import {
  fakeClock,
  http2Upstream,
  memoryNetwork,
  type TestConnection,
  type TestProxy,
} from '../src/index.ts';
import { filter, started } from './support.ts';

/** A listener that takes connections of its process alone. */
const within = (name: string, listener: CodeListener, more: object = {}): CodeListener => ({
  ...listener,
  name,
  address: { internal: name },
  ...more,
});

const inner = (name: string, id?: string, more: Partial<Endpoint> = {}): Endpoint => ({
  address: { internal: name, ...(id !== undefined && { id }) },
  ...more,
});

const front = (options: Partial<Parameters<typeof httpListener>[0]> = {}): CodeListener =>
  httpListener({
    name: 'front',
    host: '127.0.0.1',
    port: 8080,
    routes: [route('/', 'hop')],
    ...options,
  });

const PASS: Passthrough = {};

const ANY = {
  '~standard': {
    version: 1 as const,
    vendor: 'test',
    validate: (value: unknown) => ({ value: value as object }),
  },
  jsonSchema: {},
};

/** HTTP through a listener of the process to an endpoint. */
async function chain(
  hop: Partial<Parameters<typeof httpListener>[0]> = {},
  passthrough: Passthrough | 'none' = PASS,
  filters: Parameters<typeof httpListener>[0]['filters'] = [],
  more: object = {},
): Promise<TestProxy> {
  return started({
    listeners: [
      front({ filters }),
      within('hop', httpListener({ port: 1, routes: [route('/', 'api')], ...hop })),
    ],
    clusters: [
      cluster('hop', [inner('hop', '10.9.9.9:80')], passthrough === 'none' ? {} : { passthrough }),
      cluster('api', ['10.0.0.1:80']),
    ],
    upstreams: {
      '10.0.0.1:80': ({ target, headers }) => ({
        body: `${target} ${headers.find(([name]) => name.toLowerCase() === 'x-state')?.[1] ?? ''}`,
      }),
    },
    ...more,
  });
}

/** Puts the request's `x-put` down under `tenant`. */
const puts = (shared: 'once' | 'always' | undefined, id = 'puts') =>
  filter(id, {
    requestHeaders(stream) {
      const value = stream.request.headers.get('x-put');
      if (value !== undefined) putFilterState(stream, 'tenant', value, false, shared);
      return CONTINUE;
    },
  })({}, { name: id });

/** Says in `x-state` what is there. */
const says = (id = 'says') =>
  filter(id, {
    requestHeaders(stream) {
      stream.request.headers.set('x-state', JSON.stringify(stream.get(FILTER_STATE) ?? null));
      return CONTINUE;
    },
  })({}, { name: id });

describe('HTTP through a listener of the process', () => {
  it('reaches what is behind it, and is logged under its name on both sides', async () => {
    const test = await chain();
    const response = await test.client().request({ path: '/a' });
    expect([response.status, response.body]).toEqual([200, '/a ']);
    await vi.waitFor(() => expect(test.records).toHaveLength(2));
    const [behind, before] = ['hop', 'front'].map((name) =>
      test.records.find(({ listener }) => listener === name),
    );
    expect(before).toMatchObject({ upstreamAddress: 'envoy://hop/10.9.9.9:80', status: 200 });
    expect(behind).toMatchObject({
      remoteAddress: 'envoy://internal_client_address/',
      localAddress: 'envoy://hop/10.9.9.9:80',
      upstreamAddress: '10.0.0.1:80',
    });
    expect(test.network.connections('10.0.0.1:80')).toBe(1);
  });

  it('keeps its connections for further requests', async () => {
    const test = await chain();
    const client = test.client();
    for (let i = 0; i < 20; i++) expect((await client.request({ path: `/${i}` })).status).toBe(200);
    // One from outside, one within.
    expect(test.proxy.stats.connections).toBe(2);
  });

  it('carries large bodies both ways', async () => {
    const body = 'tulle '.repeat(400_000);
    const test = await started({
      listeners: [front(), within('hop', httpListener({ port: 1, routes: [route('/', 'api')] }))],
      clusters: [cluster('hop', [inner('hop')]), cluster('api', ['10.0.0.1:80'])],
      upstreams: { '10.0.0.1:80': (request) => ({ body: request.body }) },
    });
    const response = await test.client().request({ method: 'POST', body });
    expect(response.status).toBe(200);
    expect(response.body === body).toBe(true);
  });

  it('is a connect failure where no listener has the name, or has it any more', async () => {
    const test = await chain();
    const client = test.client();
    expect((await client.request()).status).toBe(200);
    const { listeners } = test.proxy.config;
    const without = {
      ...test.proxy.config,
      version: '2',
      listeners: listeners.filter(({ name }) => name !== 'hop'),
    };
    const all = { ...test.proxy.config, version: '3' };
    await test.proxy.update(without);
    // What is connected ends in its own time, as over a wire.
    await test.clock.advance(6_000);
    expect((await test.client().request()).status).toBe(503);
    expect(test.records.at(-1)).toMatchObject({ code: 'TULLE_UPSTREAM_CONNECT', flags: ['UF'] });
    await test.proxy.update(all);
    expect((await test.client().request()).status).toBe(200);
  });

  it('stays where another address is wanted for it that cannot be had, and where it can', async () => {
    const test = await chain();
    const more = (port: number, version: string) => ({
      ...test.proxy.config,
      version,
      listeners: test.proxy.config.listeners.map((one) =>
        one.name === 'hop' ? { ...one, additionalAddresses: [{ host: '127.0.0.1', port }] } : one,
      ),
    });
    // The first listener has it.
    await expect(test.proxy.update(more(8080, '2'))).rejects.toThrow(/has the address/);
    test.network.listen('127.0.0.1:8081', () => {});
    await expect(test.proxy.update(more(8081, '3'))).rejects.toThrow(/in use/);
    expect((await test.client().request()).status).toBe(200);
    await test.proxy.update(more(8082, '4'));
    expect((await test.client().request()).status).toBe(200);
    await test.clock.advance(700_000);
    expect((await test.client().request()).status).toBe(200);
  });

  it('is refused where its address is not its name, or has an id', async () => {
    const listener = within('hop', httpListener({ port: 1, routes: [route('/', 'api')] }));
    const started = chain({}, PASS, [], {
      listeners: [{ ...listener, address: { internal: 'other', id: 'x' } }],
    });
    await expect(started).rejects.toThrow(/own name, "hop", but is "other".*is for endpoints/s);
  });
});

describe.each(['http1', 'http2'] as const)('a circle of listeners over %s', (protocol) => {
  it('ends', async () => {
    const test = await started({
      listeners: [front(), within('hop', httpListener({ port: 1, routes: [route('/', 'hop')] }))],
      clusters: [cluster('hop', [inner('hop')], { pool: { protocol } })],
      limits: { maxInternalHops: 5 },
    });
    expect((await test.client().request()).status).toBe(503);
    await vi.waitFor(() => expect(test.records).toHaveLength(6));
    expect(test.records[0]).toMatchObject({ listener: 'hop', code: 'TULLE_UPSTREAM_CONNECT', flags: ['UF'] });
    // What is left of it does not let the next go round more often.
    expect((await test.client().request()).status).toBe(503);
    await vi.waitFor(() => expect(test.records).toHaveLength(12));
  });
});

it('ends a circle of connections of bytes', async () => {
  const test = await started({
    listeners: [
      tcpListener({ name: 'front', host: '127.0.0.1', port: 8080, cluster: 'hop' }),
      within('hop', tcpListener({ port: 1, cluster: 'hop' })),
    ],
    clusters: [cluster('hop', [inner('hop')])],
    limits: { maxInternalHops: 4, maxConnectAttempts: 1 },
  });
  const connection = test.connect();
  await connection.until(
    () => connection.closed,
    () => 'the end',
  );
  expect(test.records).toHaveLength(5);
});

describe('filter state', () => {
  it('goes along where the cluster lets it, as far as it is shared', async () => {
    for (const [shared, passthrough, expected] of [
      ['once', PASS, '{"tenant":"a"}'],
      ['always', PASS, '{"tenant":"a"}'],
      [undefined, PASS, 'null'],
      ['once', 'none', 'null'],
    ] as const) {
      const test = await chain({ filters: [says()] }, passthrough, [puts(shared)]);
      expect((await test.client().request({ headers: { 'x-put': 'a' } })).body).toBe(`/ ${expected}`);
    }
  });

  it('of one request is never that of another, and requests with the same share connections', async () => {
    const test = await chain({ filters: [says()] }, PASS, [puts('once')]);
    const client = test.client();
    for (const tenant of ['a', 'b', 'a', 'b', 'c', 'a'])
      expect((await client.request({ headers: { 'x-put': tenant } })).body).toBe(`/ {"tenant":"${tenant}"}`);
    expect((await client.request()).body).toBe('/ null');
    // One from outside, and one for each set.
    expect(test.proxy.stats.connections).toBe(5);
  });

  it('of a connection of bytes goes along, as its filters say there anew', async () => {
    const state = (id: string, key: string, shared: 'once' | 'always', suffix: string) =>
      defineConnFilter<object>({
        apiVersion: 1,
        id,
        config: ANY,
        create: () => ({
          connect(connection) {
            const before = connection.get(FILTER_STATE)?.[key] ?? '';
            putFilterState(connection, key, `${before}${suffix}`, false, shared);
            return CONTINUE;
          },
        }),
      })({}, { name: id });
    const test = await started({
      listeners: [
        tcpListener({
          name: 'front',
          host: '127.0.0.1',
          port: 8080,
          cluster: 'relay',
          filters: [
            state('a', 'once', 'once', 'a'),
            state('b', 'all', 'always', 'x'),
            state('f', 'far', 'once', 'f'),
          ],
        }),
        within('relay', tcpListener({ port: 1, cluster: 'hop', filters: [state('c', 'once', 'once', 'c')] })),
        within('hop', httpListener({ port: 1, routes: [route('/', 'api')], filters: [says()] })),
      ],
      clusters: [
        cluster('relay', [inner('relay')], { passthrough: PASS }),
        cluster('hop', [inner('hop')], { passthrough: PASS }),
        cluster('api', ['10.0.0.1:80']),
      ],
      upstreams: {
        '10.0.0.1:80': ({ headers }) => ({
          body: headers.find(([name]) => name.toLowerCase() === 'x-state')?.[1] ?? '',
        }),
      },
    });
    const { body } = await test.client().request();
    expect(JSON.parse(body)).toEqual({ once: 'ac', all: 'x' });
  });

  it('that stays where it was put down stays where it goes along', async () => {
    const fixed = (id: string, value: string, readOnly: boolean) =>
      defineConnFilter<object>({
        apiVersion: 1,
        id,
        config: ANY,
        create: () => ({
          connect(connection) {
            putFilterState(connection, 'key', value, readOnly, 'once');
            return CONTINUE;
          },
        }),
      })({}, { name: id });
    const test = await started({
      listeners: [
        tcpListener({
          name: 'front',
          host: '127.0.0.1',
          port: 8080,
          cluster: 'hop',
          filters: [fixed('a', 'one', true)],
        }),
        within(
          'hop',
          httpListener({
            port: 1,
            routes: [route('/', 'api')],
            connectionFilters: [fixed('b', 'two', false), fixed('c', 'three', true)],
            filters: [says()],
          }),
        ),
      ],
      clusters: [cluster('hop', [inner('hop')], { passthrough: PASS }), cluster('api', ['10.0.0.1:80'])],
      upstreams: {
        '10.0.0.1:80': ({ headers }) => ({
          body: headers.find(([name]) => name.toLowerCase() === 'x-state')?.[1] ?? '',
        }),
      },
    });
    expect(JSON.parse((await test.client().request()).body)).toEqual({ key: 'one' });
  });

  it('that came along is not replaced', async () => {
    const test = await chain({ filters: [puts('once', 'again'), says()] }, PASS, [
      filter('first', {
        requestHeaders(stream) {
          putFilterState(stream, 'tenant', 'first', false, 'once');
          return CONTINUE;
        },
      })({}, { name: 'first' }),
    ]);
    expect((await test.client().request({ headers: { 'x-put': 'second' } })).body).toBe(
      '/ {"tenant":"first"}',
    );
  });

  it.each([
    ['once', 'null'],
    ['always', '{"tenant":"a"}'],
  ] as const)('shared %s is %s behind a second listener', async (shared, expected) => {
    const test = await started({
      listeners: [
        front({ filters: [puts(shared)] }),
        within('hop', httpListener({ port: 1, routes: [route('/', 'second')] })),
        within('second', httpListener({ port: 1, routes: [route('/', 'api')], filters: [says()] })),
      ],
      clusters: [
        cluster('hop', [inner('hop')], { passthrough: PASS }),
        cluster('second', [inner('second')], { passthrough: PASS }),
        cluster('api', ['10.0.0.1:80']),
      ],
      upstreams: {
        '10.0.0.1:80': ({ headers }) => ({
          body: headers.find(([name]) => name.toLowerCase() === 'x-state')?.[1] ?? '',
        }),
      },
    });
    expect((await test.client().request({ headers: { 'x-put': 'a' } })).body).toBe(expected);
  });
});

const ORIGINAL_DST = 'envoy.filters.listener.original_dst';

/** Requests that go by a tunnel: a listener of the process asks for it. */
async function originating(metadata: Passthrough['metadata'], endpoint: Partial<Endpoint>) {
  const clock = fakeClock();
  const network = memoryNetwork(clock);
  const carrier = http2Upstream(network, '10.0.0.8:15008');
  const asked: Record<string, unknown>[] = [];
  const tunnels: Duplex[] = [];
  carrier.onStream = (stream, headers) => {
    asked.push({ ...headers });
    stream.respond({ ':status': 200 });
    tunnels.push(stream);
    stream.once('data', () => stream.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'));
    stream.on('error', () => {});
  };
  const test = await started({
    clock,
    network,
    listeners: [
      front({ filters: [puts('once')] }),
      within(
        'originate',
        tcpListener({
          port: 1,
          cluster: 'hbone',
          tunnel: {
            authority: '%DOWNSTREAM_LOCAL_ADDRESS%',
            headers: {
              set: [
                { name: 'x-tenant', value: '%FILTER_STATE(tenant:PLAIN)%', format: true },
                { name: 'x-workload', value: '%DYNAMIC_METADATA(istio:workload)%', format: true },
              ],
            },
          },
        }),
        { originalDestination: true },
      ),
    ],
    clusters: [
      cluster('hop', [inner('originate', '10.1.2.3:81', endpoint)], {
        passthrough: { ...(metadata && { metadata }) },
      }),
      cluster('hbone', ['10.0.0.8:15008'], { pool: { protocol: 'http2' } }),
    ],
  });
  return { test, asked };
}

describe('a tunnel for what a listener of the process takes', () => {
  it('is asked for by what its endpoint says of itself', async () => {
    const { test, asked } = await originating(
      [
        { from: 'endpoint', namespace: ORIGINAL_DST },
        { from: 'cluster', namespace: 'istio', values: { workload: 'of-cluster' } },
        { from: 'endpoint', namespace: 'istio' },
        { from: 'endpoint', namespace: 'nobody' },
      ],
      { metadata: { [ORIGINAL_DST]: { local: '10.1.2.3:81' }, istio: { workload: 'w1' } } },
    );
    const response = await test.client().request({ headers: { 'x-put': 'acme' } });
    expect([response.status, response.body]).toEqual([200, 'hi']);
    expect(asked[0]).toMatchObject({
      ':method': 'CONNECT',
      ':authority': '10.1.2.3:81',
      'x-tenant': 'acme',
      'x-workload': 'w1',
    });
    await vi.waitFor(() => expect(test.records).toHaveLength(2));
    const record = test.records.find(({ listener }) => listener === 'originate');
    expect(record).toMatchObject({
      localAddress: '10.1.2.3',
      localPort: 81,
      upstreamAddress: '10.0.0.8:15008',
    });
    expect(record?.filterState('tenant')).toBe('acme');
    expect(record?.metadata('istio')).toEqual({ workload: 'w1' });
    expect(record?.metadata('nobody')).toBeUndefined();
  });

  it('is not asked for by what is no address, and the caller gets 503', async () => {
    const { test, asked } = await originating([{ from: 'endpoint', namespace: ORIGINAL_DST }], {
      metadata: { [ORIGINAL_DST]: { local: 'nonsense' } },
    });
    const response = await test.client().request();
    // Its name is nothing that one could connect to.
    expect(asked).toEqual([]);
    expect(response.status).toBe(503);
  });
});

it('CONNECT that ends here is led to a chain by what was asked for', async () => {
  const clock = fakeClock();
  const network = memoryNetwork(clock);
  const test = await started({
    clock,
    network,
    listeners: [
      httpListener({
        name: 'inbound',
        host: '127.0.0.1',
        port: 15008,
        allowConnect: true,
        routes: [route('/', 'main', { connect: {} })],
        filters: [
          filter('authority', {
            requestHeaders(stream) {
              putFilterState(stream, `${ORIGINAL_DST}.local_ip`, stream.request.authority, false, 'once');
              putFilterState(stream, `${ORIGINAL_DST}.remote_ip`, '192.0.2.7:4711', false, 'once');
              return CONTINUE;
            },
          })({}),
        ],
      }),
      within('main', httpListener({ port: 1, routes: [] }), {
        originalDestination: true,
        filterChains: ['10.1.2.0/24', '10.1.3.0/24'].map((cidr) => ({
          name: cidr,
          match: { destinationCidrs: [cidr] },
          handler: {
            kind: 'http',
            filters: [],
            routes: {
              name: cidr,
              virtualHosts: [
                {
                  name: 'all',
                  domains: ['*'],
                  routes: [
                    {
                      name: 'all',
                      match: { path: { kind: 'prefix', value: '/' } },
                      action: { kind: 'direct', status: 200, body: cidr },
                    },
                  ],
                },
              ],
            },
          },
        })),
      }),
    ],
    clusters: [cluster('main', [inner('main')], { passthrough: PASS })],
  });
  for (const [to, expected] of [
    ['10.1.3.9:80', '10.1.3.0/24'],
    ['10.1.2.9:80', '10.1.2.0/24'],
  ] as const) {
    const connection = test.connect();
    connection.send(`CONNECT ${to} HTTP/1.1\r\nHost: ${to}\r\n\r\n`);
    await connection.take('\r\n\r\n');
    connection.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(await connection.take(/10\.1\.\d\.0\/24/)).toContain(expected);
  }
  const record = test.records.find(({ listener }) => listener === 'main');
  expect(record).toMatchObject({ remoteAddress: '192.0.2.7', remotePort: 4711, localAddress: '10.1.3.9' });
});

describe('bytes', () => {
  async function bytes(
    limits: object = {},
    hop: object = {},
  ): Promise<{ near: TestConnection; far: TestConnection; test: TestProxy }> {
    const clock = fakeClock();
    const network = memoryNetwork(clock);
    const opened = Promise.withResolvers<TestConnection>();
    network.listen('10.0.0.1:80', (connection) => opened.resolve(connection));
    const test = await started({
      clock,
      network,
      listeners: [
        tcpListener({ name: 'front', host: '127.0.0.1', port: 8080, cluster: 'hop' }),
        within('hop', tcpListener({ port: 1, cluster: 'api', ...hop })),
      ],
      clusters: [cluster('hop', [inner('hop')]), cluster('api', ['10.0.0.1:80'])],
      limits,
    });
    const near = test.connect();
    return { near, far: await opened.promise, test };
  }

  it('flow both ways, each until its own end', async () => {
    const { near, far, test } = await bytes();
    near.send('hello').end();
    await far.take('hello');
    await far.until(
      () => far.ended,
      () => 'the end',
    );
    far.send('and good bye');
    await near.take('and good bye');
    far.end();
    await near.until(
      () => near.ended,
      () => 'the end',
    );
    await vi.waitFor(() => expect(test.records).toHaveLength(2));
    expect(test.records.map(({ bytesReceived, bytesSent }) => [bytesReceived, bytesSent])).toEqual([
      [5, 12],
      [5, 12],
    ]);
  });

  it('that nobody reads wait in a bounded number of places, and none is lost', async () => {
    const { near, far } = await bytes({ internalBufferBytes: 65_536 });
    far.pause();
    const body = Buffer.alloc(16 * 1024 * 1024, 'tulle');
    near.send(body);
    for (let i = 0; i < 200; i++) await new Promise((resolve) => setImmediate(resolve));
    // The rest is still the caller's: 1 MiB a relay at most, what waits between them, and what lies on two wires.
    expect(body.length - near.socket.queuedBytes).toBeLessThan(3 * 1024 * 1024);
    expect(near.socket.queuedBytes).toBeGreaterThan(0);
    near.end();
    far.resume();
    await far.until(
      () => far.ended,
      () => 'the end',
    );
    expect(far.received.length).toBe(body.length);
    expect(Buffer.from(far.received, 'latin1').equals(body)).toBe(true);
  });

  it('end with a reset as they do over a wire', async () => {
    const { near, far, test } = await bytes();
    near.send('x');
    await far.take('x');
    far.close(true);
    await near.until(
      () => near.closed,
      () => 'the end',
    );
    await vi.waitFor(() => expect(test.records).toHaveLength(2));
    expect(test.proxy.stats.connections).toBe(0);
  });

  it('that rest too long end, on both sides', async () => {
    const { near, far, test } = await bytes({}, { idleTimeoutMs: 5_000 });
    near.send('x');
    await far.take('x');
    await test.clock.advance(6_000);
    await near.until(
      () => near.ended,
      () => 'the end',
    );
    near.end();
    await vi.waitFor(() => expect(test.proxy.stats.connections).toBe(0));
    expect(test.records.find(({ listener }) => listener === 'hop')?.code).toBe('TULLE_STREAM_IDLE');
  });
});
