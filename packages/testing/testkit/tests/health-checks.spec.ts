import { httpListener, route, tcpListener } from '@tulle/proxy';
import type { Cluster, GrpcHealthCheck, HealthCheck, HttpHealthCheck } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import {
  fakeClock,
  http2Upstream,
  httpUpstream,
  memoryNetwork,
  type Answer,
  type TestProxy,
  type TestProxyOptions,
} from '../src/index.ts';
import { started } from './support.ts';

const CHECK: HttpHealthCheck = {
  kind: 'http',
  path: '/healthz',
  intervalMs: 1_000,
  timeoutMs: 500,
  unhealthyThreshold: 3,
  healthyThreshold: 2,
};

function api(hosts: readonly string[], healthCheck: HealthCheck, more: Partial<Cluster> = {}): Cluster {
  return {
    name: 'api',
    discovery: { kind: 'static', endpoints: hosts.map((host) => ({ address: { host, port: 80 } })) },
    panicThresholdPercent: 0,
    balance: { policy: 'round-robin' },
    healthCheck,
    ...more,
  };
}

const LISTENER = httpListener({ host: '127.0.0.1', port: 8080, routes: [route('/', 'api')] });

/** Services by their host; `answers` may be changed while it runs, and says nothing for `silence`. */
async function withServices(
  healthCheck: HealthCheck,
  answers: Record<string, Answer>,
  more: Partial<TestProxyOptions> & { cluster?: Partial<Cluster> } = {},
): Promise<TestProxy> {
  const { cluster, ...options } = more;
  return started({
    listeners: [LISTENER],
    clusters: [api(Object.keys(answers), healthCheck, cluster)],
    upstreams: Object.fromEntries(
      Object.keys(answers).map((host) => [
        `${host}:80`,
        ({ target }) => (target === '/healthz' ? (answers[host] as Answer) : { body: host }),
      ]),
    ),
    ...options,
  });
}

/** Who answers a few requests; `503` for none. */
async function whoAnswers(test: TestProxy): Promise<string[]> {
  const bodies = new Set<string>();
  for (let i = 0; i < 12; i++) {
    const { status, body } = await test.client().request();
    bodies.add(status === 200 ? body : String(status));
  }
  return [...bodies].toSorted();
}

const checked = (test: TestProxy, what: string): number | undefined =>
  test.meter.value(`tulle_cluster_health_check_${what}`, { cluster: 'api' });

describe('an endpoint that says in an answer that it is to be taken for ill', () => {
  const ill = { headers: { 'x-envoy-immediate-health-check-fail': 'true' } };
  const services = (checks: boolean): Promise<TestProxy> =>
    started({
      listeners: [LISTENER],
      clusters: [
        checks
          ? api(['10.0.0.1', '10.0.0.2'], { ...CHECK, noTrafficIntervalMs: CHECK.intervalMs })
          : {
              name: 'api',
              discovery: {
                kind: 'static',
                endpoints: ['10.0.0.1', '10.0.0.2'].map((host) => ({ address: { host, port: 80 } })),
              },
            },
      ],
      upstreams: {
        '10.0.0.1:80': ({ target }) => ({ body: '10.0.0.1', ...(target === '/ill' ? ill : {}) }),
        '10.0.0.2:80': () => ({ body: '10.0.0.2' }),
      },
    });
  const askBoth = async (test: TestProxy, path: string): Promise<void> => {
    for (let i = 0; i < 2; i++) await test.client().request({ path });
  };

  it('is asked no more, whatever its check said last, until checks in a row pass', async () => {
    const test = await services(true);
    await test.clock.advance(100);
    expect(await whoAnswers(test)).toEqual(['10.0.0.1', '10.0.0.2']);
    await askBoth(test, '/ill');
    expect(await whoAnswers(test)).toEqual(['10.0.0.2']);
    await test.clock.advance(CHECK.intervalMs);
    expect(await whoAnswers(test)).toEqual(['10.0.0.2']); // one of two that it takes
    await test.clock.advance(CHECK.intervalMs);
    expect(await whoAnswers(test)).toEqual(['10.0.0.1', '10.0.0.2']);
  });

  it('is asked on where nothing checks it', async () => {
    const test = await services(false);
    await askBoth(test, '/ill');
    expect(await whoAnswers(test)).toEqual(['10.0.0.1', '10.0.0.2']);
  });
});

describe('an HTTP health check', () => {
  it('takes out what answers with an error, at once, and takes it back after healthyThreshold good answers', async () => {
    const answers: Record<string, Answer> = { '10.0.0.1': {}, '10.0.0.2': {} };
    const test = await withServices(CHECK, answers);
    await test.clock.advance(100);
    expect(await whoAnswers(test)).toEqual(['10.0.0.1', '10.0.0.2']);
    answers['10.0.0.2'] = { status: 500 };
    await test.clock.advance(61_000); // nobody had called before the first check: it waits for noTrafficIntervalMs
    expect(await whoAnswers(test)).toEqual(['10.0.0.1']);
    expect(checked(test, 'healthy')).toBe(1);
    answers['10.0.0.2'] = {};
    await test.clock.advance(1_100);
    expect(await whoAnswers(test)).toEqual(['10.0.0.1']);
    await test.clock.advance(1_100);
    expect(await whoAnswers(test)).toEqual(['10.0.0.1', '10.0.0.2']);
    expect(
      test.log.lines.filter(({ message }) => message.includes('health check')).map(({ level }) => level),
    ).toEqual(['warn', 'info']);
  });

  it('asks for the path and host that it was given, over one connection', async () => {
    const test = await withServices(
      { ...CHECK, host: 'health.example', noTrafficIntervalMs: 1_000 },
      { '10.0.0.1': {} },
    );
    await test.clock.advance(5_100);
    const { requests } = test.upstream('10.0.0.1:80');
    expect(requests.length).toBeGreaterThanOrEqual(5);
    expect(requests[0]).toMatchObject({ method: 'GET', target: '/healthz' });
    expect(requests[0]?.header('host')).toBe('health.example');
    expect(new Set(requests.map(({ connectionIndex }) => connectionIndex))).toEqual(new Set([0]));
    expect(test.records).toEqual([]);
  });

  it('takes a new connection each time where that was asked for', async () => {
    const test = await withServices(
      { ...CHECK, reuseConnection: false, noTrafficIntervalMs: 1_000 },
      { '10.0.0.1': {} },
    );
    await test.clock.advance(3_500);
    const { requests } = test.upstream('10.0.0.1:80');
    expect(new Set(requests.map(({ connectionIndex }) => connectionIndex)).size).toBe(requests.length);
    expect(requests[0]?.header('connection')).toBe('close');
  });

  it('counts silence towards unhealthyThreshold, each within timeoutMs', async () => {
    const answers: Record<string, Answer> = { '10.0.0.1': {} };
    const test = await withServices({ ...CHECK, noTrafficIntervalMs: 1_000 }, answers);
    await test.clock.advance(500);
    answers['10.0.0.1'] = 'silence';
    await test.clock.advance(3_500); // two have timed out
    expect(await whoAnswers(test)).toEqual(['10.0.0.1']);
    await test.clock.advance(1_600);
    expect(await whoAnswers(test)).toEqual(['503']);
    expect(checked(test, 'network_failure_total')).toBe(3);
    expect(checked(test, 'failure_total')).toBe(3);
  });

  it('has statuses that are expected, and others that count only towards the threshold', async () => {
    const answers: Record<string, Answer> = { '10.0.0.1': { status: 204 } };
    const test = await withServices(
      {
        ...CHECK,
        noTrafficIntervalMs: 1_000,
        expectedStatuses: [{ from: 200, to: 204 }],
        retriableStatuses: [{ from: 429, to: 429 }],
      },
      answers,
    );
    await test.clock.advance(100);
    expect(await whoAnswers(test)).toEqual(['10.0.0.1']);
    answers['10.0.0.1'] = { status: 429 };
    await test.clock.advance(2_200);
    expect(await whoAnswers(test)).toEqual(['10.0.0.1']);
    await test.clock.advance(1_100);
    expect(await whoAnswers(test)).toEqual(['503']);
  });

  it('keeps a new endpoint waiting for its first check, which decides alone', async () => {
    const answers: Record<string, Answer> = { '10.0.0.1': {}, '10.0.0.2': 'silence', '10.0.0.3': {} };
    const test = await withServices(CHECK, answers, { clusters: [api(['10.0.0.1'], CHECK)] });
    await test.clock.advance(100);
    const { version, ...config } = test.proxy.config;
    await test.proxy.update({
      ...config,
      version: `${version}+`,
      clusters: [api(['10.0.0.1', '10.0.0.2', '10.0.0.3'], CHECK)],
    });
    expect(await whoAnswers(test)).toEqual(['10.0.0.1']);
    await test.clock.advance(100);
    expect(await whoAnswers(test)).toEqual(['10.0.0.1', '10.0.0.3']);
    await test.clock.advance(600);
    answers['10.0.0.2'] = {};
    await test.clock.advance(1_200);
    expect(await whoAnswers(test)).toEqual(['10.0.0.1', '10.0.0.3']);
    await test.clock.advance(1_200);
    expect(await whoAnswers(test)).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
  });

  it('counts new endpoints neither as well nor as ill, so that many of them are no reason for panic', async () => {
    const hosts = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4'] as const;
    const answers: Record<string, Answer> = Object.fromEntries(
      hosts.map((host) => [host, host === hosts[0] ? {} : 'silence']),
    );
    const panicking = { panicThresholdPercent: 50 };
    const test = await withServices(CHECK, answers, { clusters: [api([hosts[0]], CHECK, panicking)] });
    await test.clock.advance(100);
    const { version, ...config } = test.proxy.config;
    await test.proxy.update({ ...config, version: `${version}+`, clusters: [api(hosts, CHECK, panicking)] });
    await test.clock.advance(100);
    expect(await whoAnswers(test)).toEqual([hosts[0]]);
    // Their checks have failed.
    await test.clock.advance(600);
    expect(await whoAnswers(test)).toEqual(hosts.toSorted());
  });

  it('does not keep callers waiting at the beginning, and keeps what it knows when the cluster is replaced', async () => {
    const test = await withServices(CHECK, { '10.0.0.1': {}, '10.0.0.2': { status: 500 } });
    expect((await test.client().request()).status).toBe(200);
    await test.clock.advance(100);
    expect(await whoAnswers(test)).toEqual(['10.0.0.1']);
    const { version, ...config } = test.proxy.config;
    const clusters = [api(['10.0.0.1', '10.0.0.2'], CHECK, { connectTimeoutMs: 777 })];
    await test.proxy.update({ ...config, version: `${version}+`, clusters });
    expect(await whoAnswers(test)).toEqual(['10.0.0.1']);
  });

  it('waits for its turn where maxHealthChecks are under way', async () => {
    const answers = { '10.0.0.1': 'silence', '10.0.0.2': {}, '10.0.0.3': {} } as const;
    const test = await withServices(CHECK, answers, { limits: { maxHealthChecks: 1 } });
    await test.clock.advance(100);
    expect(checked(test, 'attempt_total')).toBe(1);
    expect(test.meter.value('tulle_health_checks_delayed_total')).toBe(2);
    await test.clock.advance(1_000);
    expect(checked(test, 'success_total')).toBe(2);
  });

  it('spreads its checks by the jitter that it was given', async () => {
    const hosts = Array.from({ length: 20 }, (_, index) => `10.0.1.${index}`);
    const test = await withServices(
      { ...CHECK, initialJitterMs: 10_000, noTrafficIntervalMs: 100_000 },
      Object.fromEntries(hosts.map((host) => [host, {}])),
    );
    await test.clock.advance(5_000);
    const early = checked(test, 'attempt_total') ?? 0;
    expect(early).toBeGreaterThan(3);
    expect(early).toBeLessThan(17);
    await test.clock.advance(5_100);
    expect(checked(test, 'attempt_total')).toBe(20);
  });

  it('ends with its cluster, and with its endpoint', async () => {
    const test = await withServices({ ...CHECK, noTrafficIntervalMs: 1_000 }, { '10.0.0.1': {} });
    await test.clock.advance(100);
    const { version, ...config } = test.proxy.config;
    await test.proxy.update({ ...config, version: `${version}+`, clusters: [api([], CHECK)] });
    await test.clock.advance(5_000);
    expect(checked(test, 'attempt_total')).toBe(1);
    expect(test.upstream('10.0.0.1:80').connections.every(({ ended, closed }) => ended || closed)).toBe(true);
  });

  it('goes over the cluster’s TLS, to endpoints that prove who they are', async () => {
    const id = (name: string): string => `spiffe://mesh.local/ns/default/sa/${name}`;
    const clock = fakeClock();
    const network = memoryNetwork(clock);
    for (const host of ['10.0.0.1', '10.0.0.2'])
      httpUpstream(network, `${host}:80`, () => ({}), { identity: id('api') });
    const endpoint = (host: string, identity: string) => ({ address: { host, port: 80 }, identity });
    const test = await started({
      clock,
      network,
      listeners: [LISTENER],
      clusters: [
        {
          ...api([], CHECK),
          tls: { certificate: { kind: 'workload' }, trust: { kind: 'mesh' } },
          discovery: {
            kind: 'static',
            endpoints: [endpoint('10.0.0.1', id('api')), endpoint('10.0.0.2', id('other'))],
          },
        },
      ],
    });
    await test.clock.advance(700);
    expect(checked(test, 'healthy')).toBe(1);
    expect(checked(test, 'network_failure_total')).toBe(1);
    expect(test.log.lines.map(({ message }) => message).join()).toContain(
      '10.0.0.2:80 of cluster api failed',
    );
  });

  it('is refused with what is wrong with it', async () => {
    const wrong = { ...CHECK, host: 'a b', expectedStatuses: [{ from: 300, to: 200 }] };
    await expect(withServices(wrong, { '10.0.0.1': {} })).rejects.toMatchObject({
      issues: [
        { path: '/clusters/0/healthCheck/host', message: '"a b" is no host' },
        { path: '/clusters/0/healthCheck/expectedStatuses/0', message: 'from 300 is more than to 200' },
      ],
    });
  });
});

describe('a TCP health check', () => {
  const rhythm = { intervalMs: 1_000, timeoutMs: 500, unhealthyThreshold: 1, healthyThreshold: 1 };
  const tcp: Partial<TestProxyOptions> = {
    listeners: [tcpListener({ host: '127.0.0.1', port: 8080, cluster: 'api' })],
  };

  it('connects; what cannot be connected is out', async () => {
    const test = await withServices(
      { kind: 'tcp', ...rhythm },
      { '10.0.0.1': {} },
      {
        ...tcp,
        clusters: [api(['10.0.0.1', '10.0.0.9'], { kind: 'tcp', ...rhythm })],
      },
    );
    await test.clock.advance(100);
    expect(checked(test, 'healthy')).toBe(1);
    expect(checked(test, 'network_failure_total')).toBe(1);
    expect(test.upstream('10.0.0.1:80').connections.every(({ ended, closed }) => ended || closed)).toBe(true);
  });

  it('sends bytes and waits for others, in their order', async () => {
    const hex = (text: string): string => Buffer.from(text).toString('hex');
    const check = (receive: readonly string[]): HealthCheck => ({
      kind: 'tcp',
      ...rhythm,
      send: hex('GET /ping HTTP/1.1\r\nhost: a\r\n\r\n'),
      receive: receive.map(hex),
    });
    const healthy = async (receive: readonly string[]): Promise<number | undefined> => {
      const test = await withServices(check(receive), { '10.0.0.1': {} }, tcp);
      await test.clock.advance(700);
      return checked(test, 'healthy');
    };
    expect(await healthy(['HTTP/1.1 200', '10.0.0.1'])).toBe(1);
    expect(await healthy(['10.0.0.1', 'HTTP/1.1 200'])).toBe(0);
    expect(await healthy(['PONG'])).toBe(0);
  });
});

describe('a gRPC health check', () => {
  const GRPC: GrpcHealthCheck = {
    kind: 'grpc',
    intervalMs: 1_000,
    timeoutMs: 500,
    unhealthyThreshold: 3,
    healthyThreshold: 1,
    noTrafficIntervalMs: 1_000,
  };

  /** A frame of gRPC, as latin1 text. */
  const frame = (...octets: number[]): string => String.fromCharCode(0, 0, 0, 0, octets.length, ...octets);
  const says = (body: string, grpcStatus = '0'): Answer => ({
    headers: { 'content-type': 'application/grpc' },
    chunks: [body],
    trailers: { 'grpc-status': grpcStatus },
  });
  const SERVING = says(frame(0x08, 1));

  interface Asked {
    readonly test: TestProxy;
    readonly upstream: ReturnType<typeof http2Upstream>;
    answer: Answer;
    healthy(): Promise<number | undefined>;
  }

  async function asked(check: Partial<GrpcHealthCheck> = {}): Promise<Asked> {
    const clock = fakeClock();
    const network = memoryNetwork(clock);
    const self: { answer: Answer } = { answer: SERVING };
    const upstream = http2Upstream(network, '10.0.0.1:80', () => self.answer);
    const test = await started({
      clock,
      network,
      listeners: [LISTENER],
      clusters: [api(['10.0.0.1'], { ...GRPC, ...check }, { pool: { protocol: 'http2' } })],
    });
    return Object.assign(self, {
      test,
      upstream,
      async healthy() {
        await clock.advance(1_100);
        return checked(test, 'healthy');
      },
    });
  }

  it('asks Health/Check over one connection, and goes by what it says', async () => {
    const service = await asked({ service: 'shop.Orders', authority: 'orders.example' });
    expect(await service.healthy()).toBe(1);
    service.answer = says(frame(0x08, 2));
    expect(await service.healthy()).toBe(0);
    service.answer = SERVING;
    expect(await service.healthy()).toBe(1);
    const { requests, connections } = service.upstream;
    expect(connections).toHaveLength(1);
    expect(requests[0]).toMatchObject({
      method: 'POST',
      target: '/grpc.health.v1.Health/Check',
      body: frame(0x0a, 11, ...Buffer.from('shop.Orders')),
    });
    expect(['content-type', 'te', 'host'].map((field) => requests[0]?.header(field))).toEqual([
      'application/grpc',
      'trailers',
      'orders.example',
    ]);
    expect(service.test.records).toEqual([]);
    expect(service.test.log.lines.map(({ message }) => message)).toContain(
      'endpoint 10.0.0.1:80 of cluster api failed its health check: NOT_SERVING',
    );
  });

  it('asks about the server as a whole where no service is named, and passes fields that it does not know', async () => {
    const service = await asked();
    service.answer = says(frame(0x12, 2, 0x61, 0x62, 0x18, 0x16, 0x08, 1, 0x25, 1, 2, 3, 4));
    expect(await service.healthy()).toBe(1);
    expect(service.upstream.requests[0]?.body).toBe(frame());
  });

  it.each<[string, Answer]>([
    ['no status', says(frame())],
    ['UNKNOWN', says(frame(0x08, 0))],
    ['SERVICE_UNKNOWN', says(frame(0x08, 3))],
    ['a status of gRPC', says(frame(0x08, 1), '12')],
    ['a status of gRPC in its head', { headers: { 'content-type': 'application/grpc', 'grpc-status': '5' } }],
    ['no status of gRPC', { headers: { 'content-type': 'application/grpc' }, chunks: [frame(0x08, 1)] }],
    ['a status of HTTP', { status: 503, body: 'no' }],
    ['something else', says('hello')],
    ['a cut-off message', says(frame(0x08))],
    ['a cut-off frame', says(frame(0x08, 1).slice(0, 6))],
    ['two messages', says(frame(0x08, 1) + frame(0x08, 1))],
    ['a group, which nobody sends', says(frame(0x0b, 0x08, 1))],
  ])('is failed at once by an answer with %s', async (_, answer) => {
    const service = await asked();
    expect(await service.healthy()).toBe(1);
    service.answer = answer;
    expect(await service.healthy()).toBe(0);
    expect(checked(service.test, 'network_failure_total')).toBe(0);
  });

  it('counts silence and lost connections towards unhealthyThreshold, and connects anew', async () => {
    const service = await asked();
    expect(await service.healthy()).toBe(1);
    for (const session of service.upstream.sessions) session.destroy();
    expect(await service.healthy()).toBe(1);
    service.answer = 'silence';
    const counts: (number | undefined)[] = [];
    for (let i = 0; i < 5; i++) counts.push(await service.healthy());
    expect(counts[0]).toBe(1);
    expect(counts.at(-1)).toBe(0);
    service.answer = SERVING;
    await service.healthy();
    expect(await service.healthy()).toBe(1);
  });

  it('takes a new connection where the endpoint says goodbye, and each time where that was asked for', async () => {
    const service = await asked();
    expect(await service.healthy()).toBe(1);
    for (const session of service.upstream.sessions) session.close();
    expect(await service.healthy()).toBe(1);
    expect(await service.healthy()).toBe(1);
    expect(checked(service.test, 'failure_total')).toBe(0);
    expect(service.upstream.connections).toHaveLength(2);

    const fresh = await asked({ reuseConnection: false });
    for (let i = 0; i < 3; i++) expect(await fresh.healthy()).toBe(1);
    expect(fresh.upstream.connections.length).toBe(fresh.upstream.requests.length);
  });

  it('fails what speaks HTTP/1', async () => {
    const clock = fakeClock();
    const network = memoryNetwork(clock);
    network.listen('10.0.0.1:80', (near) => {
      near.onBytes = () => {
        near.send('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n');
        near.end();
      };
    });
    const test = await started({
      clock,
      network,
      listeners: [LISTENER],
      clusters: [api(['10.0.0.1'], GRPC, { pool: { protocol: 'http2' } })],
    });
    await clock.advance(600);
    expect(checked(test, 'healthy')).toBe(0);
    expect(checked(test, 'network_failure_total')).toBe(1);
  });
});

it('an HTTP health check speaks HTTP/2 to endpoints that do', async () => {
  const clock = fakeClock();
  const network = memoryNetwork(clock);
  let status = 200;
  const upstream = http2Upstream(network, '10.0.0.1:80', () => ({ status, body: 'well' }));
  const test = await started({
    clock,
    network,
    listeners: [LISTENER],
    clusters: [api(['10.0.0.1'], { ...CHECK, noTrafficIntervalMs: 1_000 }, { pool: { protocol: 'http2' } })],
  });
  await clock.advance(1_100);
  expect(checked(test, 'healthy')).toBe(1);
  status = 500;
  await clock.advance(1_100);
  expect(checked(test, 'healthy')).toBe(0);
  expect(upstream.connections).toHaveLength(1);
  expect(upstream.requests[0]).toMatchObject({ method: 'GET', target: '/healthz' });
});
