import { DELIVER, RETRY, CONTINUE, defineHttpFilter } from '@tulle/filter';
import { runChain } from '@tulle/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { startCollector, type Collector, type ReceivedSpan } from '@tulle/otlp-collector';
import { otlp, type OtlpOptions } from './index.ts';

const T = '0af7651916cd43dd8448eb211c80319c';
const S = 'b7ad6b7169203331';
const SERVER = 2;
const CLIENT = 3;

let collector: Collector | undefined;
afterEach(async () => {
  await collector?.close();
});

type Run = Parameters<typeof runChain>[0];

/** Runs a chain with spans of everything; gives what the collector has once the proxy has stopped. */
async function traced(
  run: Partial<Run>,
  options: Partial<OtlpOptions> = {},
): Promise<{ spans: readonly ReceivedSpan[]; result: Awaited<ReturnType<typeof runChain>> }> {
  await collector?.close();
  collector = await startCollector();
  const result = await runChain({
    filters: [],
    ...run,
    telemetry: [
      otlp({
        endpoint: collector.url,
        self: { workload: 'web', namespace: 'shop', version: 'v1' },
        env: {},
        ...options,
        traces: { sampleRatio: 1, ...options.traces },
      }),
    ],
  });
  return { spans: collector.spans, result };
}

/** Asks for a retry of everything that is answered with 5xx. */
const eager = defineHttpFilter<object, object, undefined>({
  apiVersion: 1,
  id: 'eager',
  scope: 'attempt',
  config: {
    '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: value as object }) },
    jsonSchema: {},
  },
  create: () => ({
    requestHeaders: () => CONTINUE,
    attemptEnd: (stream) =>
      stream.attempt.status >= 500 || stream.attempt.failure !== undefined ? RETRY : DELIVER,
  }),
})({});

describe.each(['http/protobuf', 'http/json'] as const)('traces over %s', (protocol) => {
  it('have one server span of the request and one client span of its attempt', async () => {
    const { spans, result } = await traced(
      {
        request: {
          path: '/products/42?sig=secret&page=2',
          headers: { 'User-Agent': 'curl/8', traceparent: `00-${T}-${S}-01`, tracestate: 'a=1' },
        },
      },
      { protocol },
    );
    const [server, client] = spans as [ReceivedSpan, ReceivedSpan];
    expect(spans).toHaveLength(2);
    expect(collector?.exports[0]?.headers['content-type']).toBe(
      protocol === 'http/json' ? 'application/json' : 'application/x-protobuf',
    );
    expect(server).toMatchObject({
      traceId: T,
      parentSpanId: S,
      traceState: 'a=1',
      name: 'GET /',
      kind: SERVER,
      scope: '@tulle/telemetry-otlp',
      resource: {
        'service.name': 'web.shop',
        'service.namespace': 'shop',
        'service.version': 'v1',
        'service.instance.id': expect.stringMatching(/^[0-9a-f-]{36}$/) as unknown,
      },
    });
    // Sampled, and the parent is another process's.
    expect(server.flags).toBe(0x301);
    expect(client.flags).toBe(0x101);
    expect(client).toMatchObject({ traceId: T, parentSpanId: server.spanId, name: 'GET', kind: CLIENT });
    expect(result.upstreamRequests[0]?.header('traceparent')).toBe(`00-${T}-${client.spanId}-01`);
    expect(server.attributes).toMatchObject({
      'http.request.method': 'GET',
      'url.scheme': 'http',
      'url.path': '/products/42',
      'url.query': 'sig=REDACTED&page=2',
      'http.route': '/',
      'http.response.status_code': 200,
      'server.address': 'test.example',
      'network.protocol.name': 'http',
      'network.protocol.version': '1.1',
      'network.transport': 'tcp',
      'user_agent.original': 'curl/8',
    });
    expect(server.attributes['client.address']).toBe(result.record?.remoteAddress);
    expect(server.attributes['client.port']).toBe(result.record?.remotePort);
    expect(server.attributes).not.toHaveProperty('error.type');
    expect(server.status.code ?? 0).toBe(0);
    expect(client.attributes).toMatchObject({
      'http.request.method': 'GET',
      'url.full': 'http://test.example/products/42?sig=REDACTED&page=2',
      'http.response.status_code': 200,
      'network.peer.address': '10.0.0.1',
      'network.peer.port': 80,
    });
    expect(client.attributes).not.toHaveProperty('http.request.resend_count');
    const startNano = BigInt(Date.UTC(2026, 0, 1)) * 1_000_000n;
    expect(BigInt(server.startTimeUnixNano)).toBe(startNano);
    expect(BigInt(server.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(client.endTimeUnixNano));
  });

  it('have a client span for each retry, with its own outcome and time', async () => {
    let answers = 0;
    const { spans, result } = await traced(
      { filters: [eager], upstream: () => ({ status: ++answers < 3 ? 503 : 200 }) },
      { protocol },
    );
    const [server, ...clients] = spans;
    expect(server?.status.code ?? 0).toBe(0);
    expect(
      clients.map(({ attributes: a, status, parentSpanId }) => [
        a['http.response.status_code'],
        a['http.request.resend_count'],
        a['error.type'],
        status.code ?? 0,
        parentSpanId === server?.spanId,
      ]),
    ).toEqual([
      [503, undefined, '503', 2, true],
      [503, 1, '503', 2, true],
      [200, 2, undefined, 0, true],
    ]);
    expect(clients.map(({ spanId }) => spanId)).toEqual(
      result.upstreamRequests.map((request) => request.header('traceparent')?.slice(36, 52)),
    );
    for (const [i, client] of clients.entries()) {
      expect(BigInt(client.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(client.startTimeUnixNano));
      const before = clients[i - 1];
      // A retry waits for its backoff.
      if (before !== undefined)
        expect(BigInt(client.startTimeUnixNano)).toBeGreaterThan(BigInt(before.endTimeUnixNano));
    }
  });

  it('say why a request failed, and that nothing was asked where nothing was', async () => {
    const { spans } = await traced(
      { upstream: () => 'reset', request: { method: 'POST', body: 'x' } },
      { protocol },
    );
    expect(spans.map(({ attributes: a, status }) => [a['error.type'], a['tulle.code'], status.code])).toEqual(
      [
        ['TULLE_UPSTREAM_RESET', 'TULLE_UPSTREAM_RESET', 2],
        ['TULLE_UPSTREAM_RESET', 'TULLE_UPSTREAM_RESET', 2],
      ],
    );
    expect(spans[0]?.attributes['http.response.status_code']).toBe(503);
    expect(spans[1]?.attributes).not.toHaveProperty('http.response.status_code');
  });
});

describe('traces', () => {
  it('have no span of an attempt where no endpoint was asked, and call 404 no error of ours', async () => {
    const { spans } = await traced({ routes: [] });
    expect(spans).toHaveLength(1);
    expect(spans[0]).toMatchObject({ name: 'GET', kind: SERVER });
    expect(spans[0]?.attributes).toMatchObject({
      'http.response.status_code': 404,
      'tulle.code': 'TULLE_ROUTE_NOT_FOUND',
    });
    expect(spans[0]?.status.code ?? 0).toBe(0);
    expect(spans[0]).not.toHaveProperty('parentSpanId', expect.stringMatching(/./));
  });

  it('are not made where the caller makes none, or the dice say so', async () => {
    await traced({ request: { headers: { traceparent: `00-${T}-${S}-00` } } });
    expect(collector?.exports).toEqual([]);
    await traced({}, { traces: { sampleRatio: 0 } });
    expect(collector?.exports).toEqual([]);
  });

  it('call unknown methods _OTHER, show chosen headers, and leave queries out when told', async () => {
    const { spans } = await traced(
      {
        request: { method: 'PURGE', path: '/a?b=c', headers: { 'X-Tenant': 't1' } },
        upstream: () => ({ headers: { 'X-Cache': 'hit' } }),
      },
      { traces: { requestHeaders: ['X-Tenant'], responseHeaders: ['x-cache', 'x-none'], query: 'strip' } },
    );
    expect(spans.map(({ name }) => name)).toEqual(['HTTP /', 'HTTP']);
    expect(spans[0]?.attributes).toMatchObject({
      'http.request.method': '_OTHER',
      'http.request.method_original': 'PURGE',
      'http.request.header.x-tenant': ['t1'],
      'http.response.header.x-cache': ['hit'],
    });
    expect(spans[0]?.attributes).not.toHaveProperty('url.query');
    expect(spans[0]?.attributes).not.toHaveProperty('http.response.header.x-none');
    expect(spans[1]?.attributes['url.full']).toBe('http://test.example/a');
  });

  it('carry what Kiali and the panels of Istio look for', async () => {
    const { spans, result } = await traced(
      {
        request: { path: '/a', headers: { 'User-Agent': 'curl/8', 'X-Request-Id': 'r-1' } },
        upstream: () => ({ status: 503, body: 'busy' }),
      },
      { self: { workload: 'web-v1', app: 'web', namespace: 'shop', version: 'v1', cluster: 'east' } },
    );
    const [server, client] = spans as [ReceivedSpan, ReceivedSpan];
    expect(server.resource['service.name']).toBe('web.shop');
    expect(server.attributes).toMatchObject({
      component: 'proxy',
      'guid:x-request-id': 'r-1',
      'http.method': 'GET',
      'http.url': 'http://test.example/a',
      'http.protocol': 'HTTP/1.1',
      'http.status_code': '503',
      user_agent: 'curl/8',
      request_size: '0',
      response_size: '4',
      response_flags: '-',
      'peer.address': `${result.record?.remoteAddress}:${result.record?.remotePort}`,
      upstream_cluster: 'service',
      'istio.canonical_service': 'web',
      'istio.canonical_revision': 'v1',
      'istio.namespace': 'shop',
      'istio.mesh_id': 'mesh.local',
      'istio.cluster_id': 'east',
      'istio.source_workload': 'unknown',
      'istio.destination_canonical_service': 'service',
    });
    expect(server.attributes['node_id']).toMatch(
      /^sidecar~127\.0\.0\.1~web-v1\.shop~shop\.svc\.cluster\.local$/,
    );
    expect(client.attributes).toMatchObject({
      component: 'proxy',
      'peer.address': '10.0.0.1:80',
      upstream_cluster: 'service',
      'upstream_cluster.name': 'service',
      'http.status_code': '503',
    });
    const none = await traced({}, { traces: { istioAttributes: false } });
    expect(
      Object.keys(none.spans[0]?.attributes ?? {}).filter((key) => /istio|component|node_id/.test(key)),
    ).toEqual([]);
  });

  it('go with the headers that were asked for, compressed', async () => {
    const { spans } = await traced({}, { headers: { 'x-api-key': 'k' }, compression: 'gzip' });
    expect(spans).toHaveLength(2);
    expect(collector?.exports[0]?.headers).toMatchObject({
      'x-api-key': 'k',
      'content-encoding': 'gzip',
      'user-agent': expect.stringMatching(/^tulle OTel/) as unknown,
    });
  });
});
