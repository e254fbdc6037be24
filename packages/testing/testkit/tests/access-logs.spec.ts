import { addMetadata } from '@tulle/filter';
import type { AccessLog, AccessLogFilter } from '@tulle/model';
import { createProxy, httpListener, route, tcpListener, cluster } from '@tulle/proxy';
import type { AccessLoggers, StreamRecord, TelemetryPlugin } from '@tulle/telemetry';
import { describe, expect, it } from 'vitest';
import { fakeClock, memoryNetwork, type TestProxy } from '../src/index.ts';
import { CONTINUE, filter, simple, started } from './support.ts';

/** A plugin that keeps what each log was given, by its path. */
class Loggers implements TelemetryPlugin {
  readonly name = 'loggers';
  readonly lines: Record<string, string[]> = {};
  /** One entry for each log that is open. */
  readonly open: string[] = [];
  readonly accessLoggers: AccessLoggers = {
    kinds: ['file'],
    open: (given) => {
      const { path } = (given as AccessLog).to as { path: string };
      if (path.startsWith('/missing')) throw new Error(`ENOENT ${path}`);
      this.open.push(path);
      const lines = (this.lines[path] ??= []);
      return {
        name: path,
        record: (record: StreamRecord) =>
          void lines.push(
            record.moment === undefined
              ? `${record.kind} ${record.path} ${record.status}`
              : `${record.moment} ${record.upstreamAddress} ${record.bytesReceived}`,
          ),
        close: () => void this.open.splice(this.open.indexOf(path), 1),
      };
    },
  };
}

const to = (path: string, filter?: AccessLogFilter): AccessLog => ({
  to: { kind: 'file', path },
  format: { text: '%RESPONSE_CODE%' },
  ...(filter === undefined ? {} : { filter }),
});

const with_ = async (
  accessLogs: readonly AccessLog[],
): Promise<{ readonly test: TestProxy; readonly loggers: Loggers }> => {
  const loggers = new Loggers();
  const test = await simple({
    telemetry: [loggers],
    handler: { accessLogs },
    answer: ({ target }) => ({ status: Number(/\d{3}/.exec(target)?.[0] ?? 200) }),
  });
  return { test, loggers };
};

describe('access logs of a handler', () => {
  it('get every stream of that handler, each through its own filter', async () => {
    const { test, loggers } = await with_([
      to('/all'),
      to('/errors', { kind: 'status', op: 'ge', value: 500 }),
    ]);
    const client = test.client();
    for (const path of ['/200', '/404', '/503']) await client.request({ path });
    expect(loggers.lines).toEqual({
      '/all': ['http /200 200', 'http /404 404', 'http /503 503'],
      '/errors': ['http /503 503'],
    });
  });

  it.each<[string, AccessLogFilter, string[]]>([
    ['status eq', { kind: 'status', op: 'eq', value: 404 }, ['/404']],
    ['status ne', { kind: 'status', op: 'ne', value: 404 }, ['/200', '/503']],
    ['status le', { kind: 'status', op: 'le', value: 404 }, ['/200', '/404']],
    ['duration', { kind: 'duration', op: 'ge', value: 1 }, []],
    ['not health check', { kind: 'not-health-check' }, ['/200', '/404', '/503']],
    ['traceable', { kind: 'traceable' }, []],
    [
      'any',
      {
        kind: 'any',
        filters: [
          { kind: 'status', op: 'eq', value: 200 },
          { kind: 'status', op: 'eq', value: 503 },
        ],
      },
      ['/200', '/503'],
    ],
    [
      'all',
      {
        kind: 'all',
        filters: [
          { kind: 'status', op: 'ge', value: 300 },
          { kind: 'status', op: 'le', value: 499 },
        ],
      },
      ['/404'],
    ],
    [
      'header',
      { kind: 'header', header: { name: 'x-for', match: { kind: 'exact', value: '/404' } } },
      ['/404'],
    ],
    [
      'inverted header',
      { kind: 'header', header: { name: 'X-For', match: { kind: 'exact', value: '/404' }, invert: true } },
      ['/200', '/503'],
    ],
    [
      'header with a pattern',
      { kind: 'header', header: { name: 'x-for', match: { kind: 'regex', value: '/[45]0[0-9]' } } },
      ['/404', '/503'],
    ],
    [
      'pseudo-header',
      { kind: 'header', header: { name: ':path', match: { kind: 'prefix', value: '/5' } } },
      ['/503'],
    ],
    ['flags', { kind: 'flags', flags: ['NR', 'UH'] }, []],
    ['any flag', { kind: 'flags', flags: [] }, []],
    ['gRPC status by HTTP', { kind: 'grpc-status', statuses: [12] }, ['/404']],
    ['gRPC status excluded', { kind: 'grpc-status', statuses: [12, 14], exclude: true }, ['/200']],
    ['log type', { kind: 'log-type', types: ['DownstreamEnd'] }, ['/200', '/404', '/503']],
    ['other log type', { kind: 'log-type', types: ['TcpConnectionEnd'] }, []],
    ['log type excluded', { kind: 'log-type', types: ['DownstreamEnd'], exclude: true }, []],
    ['CEL', { kind: 'cel', cel: 'response.code >= 400 && request.headers["x-for"] == "/404"' }, ['/404']],
    ['CEL that cannot be judged', { kind: 'cel', cel: 'response.code < "a" || request.headers.none' }, []],
    ['share of none', { kind: 'share', numerator: 0, denominator: 100 }, []],
    ['share of all', { kind: 'share', numerator: 100, denominator: 100 }, ['/200', '/404', '/503']],
  ])('are chosen by %s', async (_, filter, expected) => {
    const { test, loggers } = await with_([to('/x', filter)]);
    const client = test.client();
    for (const path of ['/200', '/404', '/503']) await client.request({ path, headers: { 'x-for': path } });
    expect(loggers.lines['/x']).toEqual(expected.map((path) => `http ${path} ${path.slice(1)}`));
  });

  it('go by what filters found out, and by whether they did', async () => {
    const said = (invert: boolean, ifAbsent?: boolean): AccessLogFilter => ({
      kind: 'metadata',
      metadata: {
        namespace: 'own',
        path: ['who'],
        value: { text: { kind: 'exact', value: 'anna' } },
        invert,
      },
      ...(ifAbsent !== undefined && { ifAbsent }),
    });
    const logs = new Loggers();
    const test = await simple({
      telemetry: [logs],
      handler: {
        accessLogs: [
          to('/anna', said(false, false)),
          to('/others', said(true, false)),
          to('/anna-or-nobody', said(false)),
        ],
      },
      filters: [
        filter('who', {
          requestHeaders(stream) {
            const who = stream.request.headers.get('x-who');
            if (who !== undefined) addMetadata(stream, 'own', { who });
            return CONTINUE;
          },
        })({}),
      ],
    });
    const client = test.client();
    for (const who of ['anna', 'bert', undefined])
      await client.request({
        path: `/${who ?? 'nobody'}`,
        headers: who === undefined ? {} : { 'x-who': who },
      });
    expect(logs.lines).toEqual({
      '/anna': ['http /anna 200'],
      '/others': ['http /bert 200'],
      '/anna-or-nobody': ['http /anna 200', 'http /nobody 200'],
    });
  });

  it('know the connections, the moments and the sizes of a stream', async () => {
    const seen: unknown[] = [];
    const logger: TelemetryPlugin = {
      name: 'facts',
      accessLoggers: {
        kinds: ['file'],
        open: () => ({
          name: 'facts',
          record({ downstream, upstream, times, fieldBytes, filterChain }) {
            seen.push({ downstream, upstream, times, fieldBytes, filterChain });
          },
        }),
      },
    };
    const test = await simple({
      telemetry: [logger],
      handler: { accessLogs: [to('/all')] },
      answer: async () => {
        await test.clock.advance(20);
        return { status: 200, headers: { 'x-a': 'b' } };
      },
    });
    const client = test.client();
    for (const path of ['/a', '/bb']) await client.request({ path });
    const [first, second] = seen as Pick<
      StreamRecord,
      'downstream' | 'upstream' | 'times' | 'fieldBytes' | 'filterChain'
    >[];
    expect(first).toMatchObject({
      downstream: { protocol: 'HTTP/1.1', tls: undefined },
      upstream: { protocol: 'HTTP/1.1', tls: undefined },
      times: { requestEndMs: 0, connectedMs: expect.any(Number) as number },
    });
    expect(first?.times?.requestSentMs).toBeLessThan(20);
    expect(first?.times?.responseHeadMs).toBeGreaterThanOrEqual(20);
    expect(second?.upstream?.id).toBe(first?.upstream?.id);
    expect(first?.upstream?.id).not.toBe(first?.downstream?.id);
    expect((second?.fieldBytes?.request ?? 0) - (first?.fieldBytes?.request ?? 0)).toBe(1);
    expect(first?.fieldBytes).toMatchObject({ responseTrailers: 0 });
  });

  it('leave out the health checks that a filter answered', async () => {
    const loggers = new Loggers();
    const answers = filter('checks', {
      requestHeaders: (stream) =>
        stream.request.path === '/healthz'
          ? stream.reply(200, 'TULLE_LOCAL_REPLY', '', undefined, 'health_check')
          : CONTINUE,
    });
    const test = await simple({
      telemetry: [loggers],
      handler: {
        accessLogs: [to('/all'), to('/x', { kind: 'not-health-check' })],
        filters: [answers({})],
      },
    });
    const client = test.client();
    await client.request({ path: '/healthz' });
    await client.request({ path: '/other' });
    expect(loggers.lines).toEqual({
      '/all': ['http /healthz 200', 'http /other 200'],
      '/x': ['http /other 200'],
    });
  });

  it('take the same share of requests in every proxy, by the request id, as Envoy counts', async () => {
    const { test, loggers } = await with_([to('/x', { kind: 'share', numerator: 50, denominator: 100 })]);
    const client = test.client();
    for (let i = 0; i < 90; i++) await client.request({ path: `/${i}` });
    const chosen = test.records.filter(
      ({ requestId }) => Number.parseInt(requestId.slice(0, 8), 16) % 100 < 50,
    );
    expect(loggers.lines['/x']).toEqual(chosen.map(({ path, status }) => `http ${path} ${status}`));
    expect(chosen.length).toBeGreaterThan(25);
    expect(chosen.length).toBeLessThan(65);
  });

  it('are logged for answers of the proxy itself, by their flags', async () => {
    const { test, loggers } = await with_([to('/x', { kind: 'flags', flags: ['UF'] })]);
    test.upstream('10.0.0.1:80').close();
    await test.client().request({ path: '/down' });
    expect(loggers.lines['/x']).toEqual(['http /down 503']);
  });

  it('go on over a new configuration, and are closed when nothing logs to them', async () => {
    const { test, loggers } = await with_([to('/a'), to('/b')]);
    await test.client().request({ path: '/1' });
    const { config } = test.proxy;
    const changed = structuredClone(config) as typeof config & {
      listeners: { filterChains: { handler: { accessLogs: AccessLog[] } }[] }[];
    };
    const handler = changed.listeners[0]?.filterChains[0]?.handler as { accessLogs: AccessLog[] };
    handler.accessLogs = [to('/a')];
    const old = test.client();
    await test.proxy.update(changed);
    await test.client().request({ path: '/2' });
    await old.request({ path: '/3' });
    expect(loggers.lines).toEqual({
      '/a': ['http /1 200', 'http /2 200', 'http /3 200'],
      '/b': ['http /1 200'],
    });
    expect(loggers.open).toEqual(['/a']);
    await test.stop();
    expect(loggers.open).toEqual([]);
  });

  it('are refused by path where they cannot be had, and nothing stays open', async () => {
    const loggers = new Loggers();
    const network = memoryNetwork(fakeClock());
    const proxy = createProxy({
      transport: network.transport,
      telemetry: [loggers],
      listeners: [
        httpListener({
          port: 8080,
          routes: [route('/', 'api')],
          accessLogs: [to('/good'), to('/missing/dir'), { to: { kind: 'stdout' }, format: { text: 'x' } }],
        }),
      ],
      clusters: [cluster('api', ['10.0.0.1:80'])],
    });
    await expect(proxy.start()).rejects.toMatchObject({
      issues: [
        { path: '/listeners/0/filterChains/0/handler/accessLogs/1', message: 'ENOENT /missing/dir' },
        {
          path: '/listeners/0/filterChains/0/handler/accessLogs/2/to/kind',
          message: expect.stringContaining('there is file') as string,
        },
      ],
    });
    expect(loggers.open).toEqual([]);
  });
});

describe('access logs of a TCP handler', () => {
  it('get its connections', async () => {
    const loggers = new Loggers();
    const test = await started({
      telemetry: [loggers],
      listeners: [
        tcpListener({
          host: '127.0.0.1',
          port: 9090,
          cluster: 'api',
          accessLogs: [
            to('/tcp'),
            to('/http-only', { kind: 'log-type', types: ['DownstreamEnd'] }),
            to('/no-header', {
              kind: 'header',
              header: { name: 'x', match: { kind: 'present' }, invert: true },
            }),
          ],
        }),
      ],
      clusters: [cluster('api', ['10.0.0.1:80'])],
      upstreams: { '10.0.0.1:80': () => ({ body: 'hello' }) },
    });
    await test.client().request({});
    test.connect().close();
    await test.stop();
    expect(loggers.lines['/tcp']?.[0]).toBe('tcp  0');
    expect(loggers.lines['/http-only']).toEqual([]);
    expect(loggers.lines['/no-header']).toEqual(loggers.lines['/tcp']);
    expect(loggers.open).toEqual([]);
  });
});

it('of a TCP chain have lines about connections that go on, which telemetry is not told of', async () => {
  const loggers = new Loggers();
  const clock = fakeClock();
  const network = memoryNetwork(clock);
  network.listen('10.0.0.1:80', () => {});
  const test = await started({
    clock,
    network,
    telemetry: [loggers],
    listeners: [
      tcpListener({
        host: '127.0.0.1',
        port: 8080,
        cluster: 'c',
        accessLogs: [to('/tcp')],
        logMoments: { start: true, connected: true, everyMs: 1_000 },
      }),
    ],
    clusters: [cluster('c', ['10.0.0.1:80'])],
  });
  const caller = test.connect();
  await clock.advance(10);
  expect(loggers.lines['/tcp']).toEqual(['start  0', 'connected 10.0.0.1:80 0']);
  caller.send('hello');
  await clock.advance(2_500);
  const going = ['start  0', 'connected 10.0.0.1:80 0', 'periodic 10.0.0.1:80 5', 'periodic 10.0.0.1:80 5'];
  expect(loggers.lines['/tcp']).toEqual(going);
  expect(test.records).toEqual([]);
  caller.close(true);
  await clock.advance(5_000);
  expect(loggers.lines['/tcp']).toEqual([...going, 'tcp  0']);
  expect(test.records.length).toBe(1);
});

describe('of a handler of HTTP with moments', () => {
  const UPGRADE =
    'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n';
  const SWITCH =
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: y\r\n\r\n';
  const of = async (
    loggers: Loggers,
    handler: Partial<Parameters<typeof httpListener>[0]>,
  ): Promise<TestProxy> =>
    started({
      telemetry: [loggers],
      listeners: [httpListener({ host: '127.0.0.1', port: 8080, routes: [route('/', 'api')], ...handler })],
      clusters: [cluster('api', ['10.0.0.1:80'])],
    });

  it('have lines about requests that go on, and no more once they are over', async () => {
    const loggers = new Loggers();
    const test = await of(loggers, {
      accessLogs: [
        to('/all'),
        to('/going', { kind: 'log-type', types: ['DownstreamPeriodic', 'TcpPeriodic'] }),
      ],
      logMoments: { start: true, everyMs: 1_000 },
    });
    let answer = (): void => {};
    test.network.listen('10.0.0.1:80', (connection) => {
      answer = () => void connection.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
    const client = test.client().raw('POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello');
    await test.clock.advance(2_600);
    const going = ['periodic 10.0.0.1:80 5', 'periodic 10.0.0.1:80 5'];
    expect(loggers.lines).toEqual({ '/all': ['start  0', ...going], '/going': going });
    expect(test.records).toEqual([]);
    answer();
    await client.response();
    await test.clock.advance(5_000);
    expect(loggers.lines).toEqual({ '/all': ['start  0', ...going, 'http /a 200'], '/going': going });
    expect(test.records.length).toBe(1);
    // What is refused before it is a request never began.
    await test.client().raw('GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n').response();
    expect(loggers.lines['/all']?.slice(4)).toEqual(['http /%00 400']);
  });

  it('begin where filters run before the route, also for requests that those refuse', async () => {
    const loggers = new Loggers();
    const refusing = filter(
      'refusing',
      { requestHeaders: (stream) => stream.reply(403, 'TULLE_LOCAL_REPLY') },
      { stage: 'before-route' },
    );
    const test = await simple({
      telemetry: [loggers],
      handler: {
        filters: [refusing({})],
        accessLogs: [to('/all')],
        logMoments: { start: true },
      },
    });
    await test.client().request({ path: '/a' });
    expect(loggers.lines['/all']).toEqual(['start  0', 'http /a 403']);
  });

  it('have a line when a tunnel stands, and count its bytes while it goes on', async () => {
    const loggers = new Loggers();
    const test = await of(loggers, {
      accessLogs: [to('/all')],
      logMoments: { tunnel: true, everyMs: 1_000 },
      allowUpgrades: ['websocket'],
    });
    test.network.listen('10.0.0.1:80', (connection) => {
      connection.onBytes = () => {
        if (connection.received.includes('\r\n\r\n')) connection.send(SWITCH);
        connection.received = '';
        if (connection.ended) connection.end();
      };
    });
    const client = test.client().raw(UPGRADE);
    await client.response();
    expect(loggers.lines['/all']).toEqual(['tunnel 10.0.0.1:80 0']);
    client.connection.send('more');
    await test.clock.advance(2_100);
    const going = ['tunnel 10.0.0.1:80 0', 'periodic 10.0.0.1:80 4', 'periodic 10.0.0.1:80 4'];
    expect(loggers.lines['/all']).toEqual(going);
    client.connection.end();
    await client.connection.over();
    await test.clock.advance(5_000);
    expect(loggers.lines['/all']).toEqual([...going, 'http /ws 101']);
  });
});
