import { CONTINUE, defineConnFilter, DELIVER, RETRY } from '@tulle/filter';
import { cluster, createProxy, httpListener, route, tcpListener } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import {
  fakeClock,
  HttpClient,
  memoryLog,
  memoryNetwork,
  memoryTelemetry,
  type TestConnection,
} from '../src/index.ts';
import { anything, filter, simple, started } from './support.ts';

describe('of callers', () => {
  it('connections before the configuration is in force wait, and are served then; more are closed and counted', async () => {
    const clock = fakeClock();
    const network = memoryNetwork(clock);
    const telemetry = memoryTelemetry();
    const early: TestConnection[] = [];
    const direct = [route('/', { kind: 'direct', status: 200, body: 'served' })];
    const proxy = createProxy({
      clock,
      log: memoryLog(),
      telemetry: [telemetry],
      limits: { maxEarlyConnections: 2 },
      transport: {
        ...network.transport,
        async listen(address, owner) {
          const listening = await network.transport.listen(address, owner);
          // The second socket is being bound: the first accepts already.
          if ('port' in address && address.port === 9090)
            for (let i = 0; i < 3; i++) early.push(network.connect('127.0.0.1:8080'));
          return listening;
        },
      },
      listeners: [
        httpListener({ name: 'a', port: 8080, routes: direct }),
        httpListener({ name: 'b', port: 9090, routes: direct }),
      ],
    });
    for (let i = 0; i < 3; i++) early[i]?.send('');
    await proxy.start();
    try {
      const [first, second, third] = early as [TestConnection, TestConnection, TestConnection];
      expect((await new HttpClient(first).request()).body).toBe('served');
      expect((await new HttpClient(second).request()).body).toBe('served');
      await third.over();
      expect(telemetry.meter.value('tulle_listener_downstream_cx_overflow_total')).toBe(1);
    } finally {
      await proxy.stop();
    }
  });

  it('pipelined bytes behind a request that is not answered stop the reading', async () => {
    let release = (): void => {};
    const test = await simple({
      limits: { maxPipelinedBytes: 10_000 },
      answer: (request) =>
        request.target === '/slow'
          ? new Promise((resolve) => (release = () => resolve({ body: 'slow' })))
          : { body: request.target },
    });
    const client = test.client().send({ path: '/slow' });
    await test.clock.settle();
    // Each read is 1,000 bytes; the wire itself holds 65,536.
    client.connection.chunk(1_000);
    for (let i = 0; i < 3_000; i++) client.send({ path: `/${i}`, headers: { x: 'y'.repeat(40) } });
    await test.clock.settle();
    expect(client.connection.socket.queuedBytes).toBeGreaterThan(100_000);
    expect(test.meter.value('tulle_listener_downstream_pipeline_paused_total')).toBe(1);
    release();
    expect((await client.response()).body).toBe('slow');
    for (let i = 0; i < 3_000; i++) expect((await client.response()).body).toBe(`/${i}`);
  });

  it('the rest of a request that nobody wants is read up to a bound', async () => {
    const test = await simple({
      limits: { maxDiscardBytes: 1_000 },
      handler: { routes: [route('/', { kind: 'direct', status: 403, body: 'no' })] },
    });
    const chunk = (size: number): string => `${size.toString(16)}\r\n${'x'.repeat(size)}\r\n`;
    const head = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
    const little = test.client().raw(`${head}${chunk(10)}`, 'POST');
    expect((await little.response()).status).toBe(403);
    little.connection.send(`${chunk(900)}0\r\n\r\n`);
    expect((await little.request()).status).toBe(403);
    const much = test.client().raw(`${head}${chunk(10)}`, 'POST');
    expect((await much.response()).status).toBe(403);
    much.connection.send(chunk(2_000));
    await much.connection.over();
    expect(test.meter.value('tulle_downstream_drain_overflow_total')).toBe(1);
  });

  it('targets, chunk extensions and trailers', async () => {
    const test = await simple({
      limits: { maxUriBytes: 100, maxChunkExtensionBytes: 10, maxTrailerBytes: 60, maxTrailers: 2 },
    });
    const status = async (bytes: string): Promise<number> => {
      const client = test.client().raw(bytes, bytes.slice(0, bytes.indexOf(' ')));
      return (await client.response()).status;
    };
    const chunked = (rest: string): string =>
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${rest}`;
    expect(await status(`GET /${'x'.repeat(50)} HTTP/1.1\r\nHost: a\r\n\r\n`)).toBe(200);
    expect(await status(`GET /${'x'.repeat(100)} HTTP/1.1\r\nHost: a\r\n\r\n`)).toBe(414);
    expect(await status(chunked('1;a=b\r\nx\r\n0\r\n\r\n'))).toBe(200);
    expect(await status(chunked(`1;${'a'.repeat(20)}\r\nx\r\n0\r\n\r\n`))).toBe(413);
    expect(await status(chunked('1\r\nx\r\n0\r\na: b\r\n\r\n'))).toBe(200);
    expect(await status(chunked('1\r\nx\r\n0\r\na: b\r\nc: d\r\ne: f\r\n\r\n'))).toBe(431);
    expect(await status(chunked(`1\r\nx\r\n0\r\na: ${'b'.repeat(80)}\r\n\r\n`))).toBe(431);
    expect(test.meter.value('tulle_listener_downstream_cx_protocol_error_total')).toBe(4);
  });

  it('methods and characters of targets, as the listener says', async () => {
    const ask = async (
      handler: { allowCustomMethods?: boolean; targetChars?: 'whatwg' | 'rfc3986' },
      line: string,
    ): Promise<number> => {
      const test = await simple({ handler });
      const { status } = await test.client().raw(`${line} HTTP/1.1\r\nHost: a\r\n\r\n`).response();
      await test.stop();
      return status;
    };
    expect(await ask({}, 'GETX /')).toBe(501);
    expect(await ask({ allowCustomMethods: true }, 'GETX /')).toBe(200);
    expect(await ask({}, 'GET /?a={b}')).toBe(200);
    expect(await ask({ targetChars: 'rfc3986' }, 'GET /?a={b}')).toBe(400);
  });

  it.each(['connect', 'handshake'] as const)(
    'a connection filter that waits in %s for ever, without TLS as well',
    async (hook) => {
      for (const kind of ['http', 'tcp'] as const) {
        const closed: string[] = [];
        const hanging = defineConnFilter<object>({
          apiVersion: 1,
          id: 'hanging',
          config: anything<object>(),
          create: () => ({
            connect: () => CONTINUE,
            [hook]: () => new Promise(() => {}),
            close() {
              closed.push('close');
            },
          }),
        });
        const test = await started({
          listeners: [
            kind === 'tcp'
              ? tcpListener({ port: 8080, cluster: 'api', filters: [hanging({})] })
              : httpListener({ port: 8080, connectionFilters: [hanging({})], routes: [route('/', 'api')] }),
          ],
          clusters: [cluster('api', ['10.0.0.1:80'])],
        });
        const connection = test.connect();
        await test.clock.advance(9_900);
        expect(connection.closed || connection.ended).toBe(false);
        await test.clock.advance(200);
        await connection.over();
        expect(test.meter.value('tulle_listener_downstream_cx_handshake_timeout_total')).toBe(1);
        expect(test.proxy.stats.connections).toBe(0);
        expect(closed).toEqual(kind === 'tcp' ? [] : ['close']);
        await test.stop();
      }
    },
  );

  it('upload stops while the endpoint does not take it, and goes on when it does', async () => {
    const test = await started({
      listeners: [httpListener({ port: 8080, routes: [route('/', 'api')] })],
      clusters: [cluster('api', ['10.0.0.1:80'])],
      limits: { bufferLimitBytes: 100_000 },
    });
    const endpoints: TestConnection[] = [];
    test.network.listen('10.0.0.1:80', (connection) => {
      endpoints.push(connection.pause());
    });
    const body = 'z'.repeat(1_000_000);
    const client = test.client().send({ method: 'PUT', body });
    await test.clock.settle();
    // What is not here waits in the proxy and on two wires of 65,536 bytes each.
    expect(client.connection.socket.queuedBytes).toBeGreaterThan(600_000);
    expect(test.meter.value('tulle_listener_downstream_flow_control_paused_reading_total')).toBeGreaterThan(
      0,
    );
    endpoints[0]?.resume();
    await endpoints[0]?.until(
      () => (endpoints[0]?.received.length ?? 0) > body.length,
      () => 'the whole body',
    );
    endpoints[0]?.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    expect((await client.response()).body).toBe('ok');
  });
});

describe('of endpoints', () => {
  it('a response stops while the caller does not take it', async () => {
    const test = await simple({ answer: () => ({ body: 'z'.repeat(3_000_000) }) });
    const client = test.client();
    client.connection.pause();
    client.send({});
    await test.clock.settle();
    expect(test.meter.value('tulle_cluster_upstream_flow_control_paused_reading_total')).toBe(1);
  });

  it('a response that nobody wants is read up to a bound, else its connection closes', async () => {
    const test = await simple({
      limits: { maxResponseDrainBytes: 1_000 },
      answer: () => 'HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nstart',
    });
    for (const [bytes, ended] of [
      [900, false],
      [1_100, true],
    ] as const) {
      const client = test.client().send({});
      await client.connection.take('start');
      client.connection.close(true);
      await test.clock.settle();
      const endpoint = test.upstream('10.0.0.1:80').connections.at(-1);
      endpoint?.send('x'.repeat(bytes));
      await test.clock.settle();
      expect(endpoint?.ended).toBe(ended);
    }
    expect(test.meter.value('tulle_cluster_upstream_cx_drain_overflow_total')).toBe(1);
  });

  it('addresses of one name: the rest is left out, told and counted', async () => {
    const names = { 'api.example': Array.from({ length: 12 }, (_, index) => `10.0.0.${index}`) };
    const test = await started({
      listeners: [httpListener({ port: 8080, routes: [route('/', 'api')] })],
      clusters: [cluster('api', ['api.example:80'])],
      limits: { maxAddressesPerName: 5 },
      names,
    });
    expect(test.meter.value('tulle_cluster_membership_total')).toBe(5);
    expect(test.meter.value('tulle_dns_addresses_left_out_total')).toBe(7);
    expect(test.log.lines.map(({ message }) => message)).toContainEqual(
      expect.stringContaining('api.example has 12 addresses; 7 are left out'),
    );
  });

  it('a name without an address leaves those that it had', async () => {
    const test = await started({
      listeners: [httpListener({ port: 8080, routes: [route('/', 'api')] })],
      clusters: [cluster('api', ['api.example:80'])],
      names: { 'api.example': ['10.0.0.1'] },
      upstreams: { '10.0.0.1:80': () => ({}) },
    });
    for (const addresses of [[], undefined]) {
      if (addresses === undefined) test.network.names.delete('api.example');
      else test.network.names.set('api.example', addresses);
      await test.clock.advance(6_000);
      expect((await test.client().request()).status).toBe(200);
    }
    expect(test.meter.value('tulle_dns_failures_total')).toBe(1);
    test.network.names.set('api.example', ['10.0.0.2']);
    await test.clock.advance(6_000);
    expect((await test.client().request()).status).toBe(503);
  });

  it('one of several names without an address leaves those that it had, too', async () => {
    const test = await started({
      listeners: [httpListener({ port: 8080, routes: [route('/', 'api')] })],
      clusters: [cluster('api', ['a.example:80', 'b.example:80'])],
      names: { 'a.example': ['10.0.0.1'], 'b.example': ['10.0.0.2'] },
    });
    test.network.names.set('a.example', []);
    await test.clock.advance(6_000);
    expect(test.meter.value('tulle_cluster_membership_total')).toBe(2);
  });

  it('endpoints that are tried for one TCP connection', async () => {
    const endpoints = Array.from({ length: 9 }, (_, index) => `10.0.0.${index}:1`);
    const test = await started({
      listeners: [tcpListener({ port: 5432, cluster: 'db' })],
      clusters: [
        cluster('db', endpoints, {
          balance: { policy: 'round-robin' },
          outlier: { consecutiveFailures: 1, maxEjectionPercent: 100 },
        }),
      ],
      limits: { maxConnectAttempts: 4 },
    });
    await test.connect().over();
    await test.clock.settle();
    const tried = endpoints.map((address) => test.network.connections(address));
    expect(tried.reduce((sum, count) => sum + count, 0)).toBe(4);
    expect(test.meter.value('tulle_cluster_upstream_cx_connect_attempts_exceeded_total')).toBe(1);
    // Each of them counts as a failure of its endpoint.
    expect(test.meter.value('tulle_cluster_outlier_detection_ejections_enforced_total')).toBe(4);
  });

  it('idle connections that are kept', async () => {
    const release: (() => void)[] = [];
    const test = await simple({
      cluster: { pool: { maxIdlePerEndpoint: 2 } },
      answer: () => new Promise((resolve) => void release.push(() => resolve({}))),
    });
    const clients = Array.from({ length: 5 }, () => test.client().send({}));
    await test.clock.settle();
    for (const one of release) one();
    for (const client of clients) await client.response();
    await test.clock.settle();
    expect(test.upstream('10.0.0.1:80').connections.filter(({ ended }) => !ended)).toHaveLength(2);
  });

  it('attempts of one request, whatever a policy asks for', async () => {
    const stubborn = filter(
      'stubborn',
      {
        attemptEnd: ({ attempt }) => {
          attempt.retryDelayMs = 0;
          return RETRY;
        },
      },
      { scope: 'attempt' },
    );
    const test = await simple({
      answer: () => ({ status: 503 }),
      limits: { maxAttempts: 4 },
      handler: { filters: [stubborn({})] },
      cluster: { limits: { retryBudget: { percent: 100, minPerSecond: 1_000 } } },
    });
    const answered = test.client().request();
    await test.clock.advance(1_000);
    expect((await answered).status).toBe(503);
    expect(test.upstream('10.0.0.1:80').requests).toHaveLength(4);
    expect(test.records[0]?.retryRefused).toBe('limit');
  });
});

describe('of the proxy', () => {
  it('bodies held for replay by all streams together', async () => {
    const release: (() => void)[] = [];
    const test = await simple({
      limits: { maxReplayBytesTotal: 1_500 },
      answer: () => new Promise((resolve) => void release.push(() => resolve({}))),
      handler: { filters: [filter('x', { attemptEnd: () => DELIVER }, { scope: 'attempt' })({})] },
    });
    const ask = () => test.client().send({ method: 'PUT', body: 'x'.repeat(1_000) });
    const clients = [ask(), ask()];
    await test.clock.settle();
    expect(test.meter.value('tulle_replay_bytes')).toBe(1_000);
    expect(test.meter.value('tulle_replay_overflow_total')).toBe(1);
    for (const one of release) one();
    for (const client of clients) expect((await client.response()).status).toBe(200);
    expect(test.meter.value('tulle_replay_bytes')).toBe(0);
  });

  it('stream objects at rest', async () => {
    const test = await simple({ limits: { maxPooledStreams: 2 } });
    const clients = Array.from({ length: 6 }, () => test.client());
    for (const client of clients) client.send({});
    for (const client of clients) await client.response();
    expect(test.meter.value('tulle_streams_not_pooled_total')).toBeGreaterThanOrEqual(4);
  });
});
