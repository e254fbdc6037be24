import { addMetadata, CONTINUE, defineHttpFilter } from '@tulle/filter';
import type { HandlerTracing, HttpHandler, ProxyConfig, Route, TraceProvider } from '@tulle/model';
import { readSpans, type ReceivedSpan } from '@tulle/otlp-collector';
import {
  http2Upstream,
  httpUpstream,
  streamRecord,
  testProxy,
  type TestProxy,
  type Upstream,
} from '@tulle/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { byteEvents } from './byte-events.ts';
import { tracers } from './index.ts';

const T = '0af7651916cd43dd8448eb211c80319c';
const S = 'b7ad6b7169203331';
const SERVER = 2;
const CLIENT = 3;

let running: TestProxy | undefined;
afterEach(async () => running?.stop());

interface Run {
  readonly test: TestProxy;
  readonly collector: Upstream;
  /** Fields that the service got with the latest request. */
  headers(): Record<string, string>;
  /** Sends what is held, as a drain does. */
  sent(): Promise<void>;
}

/** A proxy with this tracing before a service, and a collector on the memory network. */
/** Finds out who asks. */
const finds = defineHttpFilter<object>({
  apiVersion: 1,
  id: 'finds',
  config: {
    '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: value as object }) },
    jsonSchema: {},
  },
  create: () => ({
    requestHeaders(stream) {
      addMetadata(stream, 'own', { who: { name: 'anna' }, roles: ['x'] });
      return CONTINUE;
    },
  }),
});

async function traced(
  tracing: HandlerTracing,
  options: {
    readonly direction?: 'inbound' | 'outbound';
    readonly http2?: boolean;
    readonly route?: Partial<Route>;
    readonly answer?: Readonly<Record<string, string>>;
    /** Before it the collector does not answer. */
    readonly after?: Promise<void>;
  } = {},
): Promise<Run> {
  const handler: HttpHandler = {
    kind: 'http',
    routes: {
      name: 'r',
      virtualHosts: [
        {
          name: 'all',
          domains: ['*'],
          routes: [
            {
              name: 'r',
              match: { path: { kind: 'prefix', value: '/' } },
              action: { kind: 'forward', clusters: [{ name: 'api' }] },
              ...options.route,
            },
          ],
        },
      ],
    },
    filters: [{ name: 'finds', filter: 'finds', config: {} }],
    identityHeaders: 'keep',
    tracing,
  };
  const config: ProxyConfig = {
    version: '1',
    listeners: [
      {
        name: 'http',
        address: { host: '127.0.0.1', port: 8080 },
        direction: options.direction ?? 'inbound',
        filterChains: [{ name: 'http', handler }],
      },
    ],
    routes: [],
    clusters: [
      {
        name: 'api',
        discovery: { kind: 'static', endpoints: [{ address: { host: '10.0.0.1', port: 80 } }] },
      },
      {
        name: 'collector',
        discovery: { kind: 'static', endpoints: [{ address: { host: '10.0.0.2', port: 4317 } }] },
        ...(options.http2 === true ? { pool: { protocol: 'http2' as const } } : {}),
      },
    ],
    endpoints: [],
  };
  const plugin = tracers({ env: { REGION: 'eu' }, self: { workload: 'web', namespace: 'shop' } });
  const test = (running = await testProxy({
    registry: [finds],
    config,
    telemetry: [plugin],
    upstreams: { '10.0.0.1:80': () => ({ body: 'ok', headers: options.answer ?? {} }) },
  }));
  const collector = (options.http2 === true ? http2Upstream : httpUpstream)(
    test.network,
    '10.0.0.2:4317',
    async () => {
      await options.after;
      return options.http2 === true
        ? { headers: { 'content-type': 'application/grpc' }, trailers: { 'grpc-status': '0' } }
        : { status: 202 };
    },
  );
  return {
    test,
    collector,
    headers: () => Object.fromEntries(test.upstream('10.0.0.1:80').requests.at(-1)?.headers ?? []),
    async sent() {
      await plugin.tracers.flush();
    },
  };
}

const otlpHttp: HandlerTracing = {
  provider: {
    kind: 'otlp',
    service: {
      http: {
        url: 'http://otel/v1/traces',
        cluster: 'collector',
        headers: { set: [{ name: 'X-Key', value: 'k' }] },
      },
    },
    serviceName: 'shop',
    resource: { 'deployment.environment': 'test' },
  },
};
const zipkin: HandlerTracing & { readonly provider: TraceProvider } = {
  provider: { kind: 'zipkin', cluster: 'collector', path: '/api/v2/spans', hostname: 'zipkin' },
};

const spansOf = ({ collector }: Run, frame = 0): ReceivedSpan[] =>
  collector.requests.flatMap(({ body }) => readSpans(Buffer.from(body, 'latin1').subarray(frame)));
const zipkinSpans = ({ collector }: Run): Record<string, unknown>[] =>
  collector.requests.flatMap(({ body }) => JSON.parse(body) as Record<string, unknown>[]);

describe('OTLP of a handler', () => {
  it('goes to its cluster with the resource, tags and path length that it says', async () => {
    const run = await traced({
      ...otlpHttp,
      maxPathTagLength: 8,
      customTags: [
        { name: 'a', kind: 'literal', value: 'b' },
        { name: 'region', kind: 'environment', variable: 'REGION' },
        { name: 'zone', kind: 'environment', variable: 'ZONE' },
        { name: 'tenant', kind: 'header', header: 'X-Tenant', byDefault: 'none' },
        { name: 'who', kind: 'metadata', namespace: 'own', path: ['who', 'name'] },
        { name: 'roles', kind: 'metadata', namespace: 'own', path: ['roles'] },
        { name: 'nobody', kind: 'metadata', namespace: 'other', path: ['x'], byDefault: '-' },
      ],
    });
    await run.test.client().request({ path: '/0123456789', headers: { 'x-tenant': 'acme' } });
    await run.sent();
    const [request] = run.collector.requests;
    expect(request).toMatchObject({ method: 'POST', target: '/v1/traces' });
    expect([request?.header('host'), request?.header('content-type'), request?.header('x-key')]).toEqual([
      'otel',
      'application/x-protobuf',
      'k',
    ]);
    const [server, client] = spansOf(run);
    expect(server).toMatchObject({
      kind: SERVER,
      resource: { 'service.name': 'shop', 'deployment.environment': 'test' },
      attributes: {
        a: 'b',
        region: 'eu',
        tenant: 'acme',
        who: 'anna',
        roles: '["x"]',
        nobody: '-',
        'http.url': 'http://test.example/0123456',
      },
    });
    expect(server?.attributes).not.toHaveProperty('zone');
    expect(client).toMatchObject({ kind: CLIENT, traceId: server?.traceId, parentSpanId: server?.spanId });
    expect(run.headers()['traceparent']).toBe(`00-${client?.traceId}-${client?.spanId}-03`);
    expect(run.headers()['x-b3-traceid']).toBeUndefined();
  });

  it('goes over gRPC as one message of a call', async () => {
    const run = await traced(
      { provider: { kind: 'otlp', service: { grpc: { cluster: 'collector' } } } },
      { http2: true },
    );
    await run.test.client().request({});
    await run.sent();
    const [request] = run.collector.requests;
    expect(request?.target).toBe('/opentelemetry.proto.collector.trace.v1.TraceService/Export');
    expect([request?.header('content-type'), request?.header('te')]).toEqual([
      'application/grpc',
      'trailers',
    ]);
    const body = Buffer.from(request?.body ?? '', 'latin1');
    expect([body[0], body.readUInt32BE(1)]).toEqual([0, body.length - 5]);
    expect(spansOf(run, 5).map(({ kind }) => kind)).toEqual([SERVER, CLIENT]);
    expect(spansOf(run, 5)[0]?.resource).toMatchObject({ 'service.name': 'unknown_service:envoy' });
  });

  it('is one span a request where no upstream span is wanted; endpoints see it as their parent', async () => {
    for (const [direction, kind] of [
      ['inbound', SERVER],
      ['outbound', CLIENT],
    ] as const) {
      await running?.stop();
      const run = await traced({ ...otlpHttp, spawnUpstreamSpan: false }, { direction });
      await run.test.client().request({ headers: { traceparent: `00-${T}-${S}-01` } });
      await run.sent();
      const spans = spansOf(run);
      expect(spans).toHaveLength(1);
      expect(spans[0]).toMatchObject({ kind, traceId: T, parentSpanId: S });
      expect(run.headers()['traceparent']).toBe(`00-${T}-${spans[0]?.spanId}-01`);
    }
  });

  it('respects what the caller decided, unless the sampler takes all', async () => {
    const requests = [{ traceparent: `00-${T}-${S}-00` }, { traceparent: `00-${T}-${S}-01` }, {}] as const;
    const counted = async (tracing: HandlerTracing, headers: Record<string, string>): Promise<number> => {
      await running?.stop();
      const run = await traced(tracing);
      await run.test.client().request({ headers });
      await run.sent();
      return spansOf(run).length;
    };
    const none = { ...otlpHttp, randomSamplingPercent: 0 };
    for (const [tracing, expected] of [
      [otlpHttp, [0, 2, 2]],
      [none, [0, 2, 0]],
      [{ ...otlpHttp, overallSamplingPercent: 0 }, [0, 2, 0]],
      [{ ...none, overallSamplingPercent: 0, samplesAll: true }, [0, 2, 2]],
      [{ ...none, provider: { ...none.provider, sampler: 'always' } }, [2, 2, 2]],
      [{ ...none, samplesAll: true, provider: { ...none.provider, sampler: { percent: 0 } } }, [0, 0, 0]],
      [{ ...otlpHttp, provider: { ...otlpHttp.provider, sampler: { percent: 0 } } }, [0, 0, 0]],
      [{ ...none, provider: { ...none.provider, sampler: { percent: 100 } } }, [2, 2, 2]],
      [
        { ...otlpHttp, provider: { ...otlpHttp.provider, sampler: { percent: 0, parentBased: true } } },
        [0, 2, 0],
      ],
      [{ ...none, provider: { ...none.provider, sampler: { percent: 100, parentBased: true } } }, [0, 2, 2]],
    ] as [HandlerTracing, number[]][])
      for (const [i, headers] of requests.entries())
        expect(await counted(tracing, headers)).toBe(expected[i]);
    // Who asks by x-client-trace-id is sampled by the client's share.
    expect(await counted(none, { 'x-client-trace-id': 'x' })).toBe(2);
    expect(await counted({ ...none, clientSamplingPercent: 0 }, { 'x-client-trace-id': 'x' })).toBe(0);
  });

  it('tells endpoints what its sampler decided, whatever the caller did', async () => {
    const run = await traced({
      ...otlpHttp,
      provider: { ...otlpHttp.provider, sampler: { percent: 0 } } as TraceProvider,
    });
    await run.test.client().request({ headers: { traceparent: `00-${T}-${S}-01` } });
    expect(run.headers()['traceparent']).toBe(`00-${T}-${S}-00`);
  });

  it('is sent a second after the first span, and what nobody takes is given up and said', async () => {
    const run = await traced(otlpHttp);
    run.collector.answer = () => ({ status: 500 });
    await run.test.client().request({});
    expect(run.collector.requests).toHaveLength(0);
    const asked = run.collector.next();
    await run.test.clock.advance(1_100);
    await asked;
    await run.sent();
    expect(run.test.log.lines.map(({ message }) => message)).toContain(
      'traces to collector: 2 spans given up: answered with 500',
    );
  });
});

describe('Zipkin of a handler', () => {
  it('gets spans in JSON of its API, and endpoints B3 with ids of 64 bits', async () => {
    const run = await traced(zipkin);
    await run.test.client().request({ path: '/a?b=c' });
    await run.sent();
    const [request] = run.collector.requests;
    expect(request).toMatchObject({ method: 'POST', target: '/api/v2/spans' });
    expect([request?.header('host'), request?.header('content-type')]).toEqual([
      'zipkin',
      'application/json',
    ]);
    const [server, client] = zipkinSpans(run);
    expect(server).toMatchObject({
      traceId: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
      kind: 'SERVER',
      localEndpoint: { serviceName: 'web' },
      remoteEndpoint: { ipv4: '192.0.2.1' },
      tags: { component: 'proxy', 'http.status_code': '200', 'http.url': 'http://test.example/a?b=c' },
    });
    expect(server).not.toHaveProperty('parentId');
    expect(server).not.toHaveProperty('shared');
    expect(client).toMatchObject({ kind: 'CLIENT', traceId: server?.['traceId'], parentId: server?.['id'] });
    expect(run.headers()).toMatchObject({
      'x-b3-traceid': client?.['traceId'],
      'x-b3-spanid': client?.['id'],
      'x-b3-sampled': '1',
    });
    expect(run.headers()['traceparent']).toBeUndefined();
  });

  it.each([
    ['inbound', {}, { id: S, parentId: '1111111111111111', shared: true }],
    ['inbound', { sharedSpan: false }, { parentId: S }],
    ['outbound', {}, { parentId: S }],
  ] as const)("on %s, %j, tells the caller's span as %j", async (direction, more, expected) => {
    const run = await traced({ provider: { ...zipkin.provider, ...more } }, { direction });
    await run.test.client().request({
      headers: {
        'x-b3-traceid': T,
        'x-b3-spanid': S,
        'x-b3-parentspanid': '1111111111111111',
        'x-b3-sampled': '1',
      },
    });
    await run.sent();
    const [server] = zipkinSpans(run);
    expect(server).toMatchObject({ traceId: T, ...expected });
    if (!('shared' in expected)) expect(server).not.toHaveProperty('shared');
  });

  it('has traces of 128 bits where that is wanted', async () => {
    const run = await traced({
      provider: { ...zipkin.provider, longTraceIds: true } as TraceProvider,
    });
    await run.test.client().request({});
    await run.sent();
    expect(zipkinSpans(run)[0]?.['traceId']).toMatch(/^[0-9a-f]{32}$/);
  });
});

describe('a route', () => {
  const OPERATION = 'x-envoy-decorator-operation';
  const named = { decorator: { operation: 'shop/checkout' } };
  const nameOf = async (run: Run): Promise<string | undefined> => {
    await run.sent();
    return spansOf(run)[0]?.name;
  };

  it('names the span and tells the caller, who may name it otherwise', async () => {
    const run = await traced(otlpHttp, { route: named });
    expect((await run.test.client().request({})).header(OPERATION)).toBe('shop/checkout');
    expect(await nameOf(run)).toBe('shop/checkout');
    const other = await run.test.client().request({ headers: { [OPERATION]: 'pay' } });
    expect(other.header(OPERATION)).toBeUndefined();
    expect(run.headers()).not.toHaveProperty(OPERATION);
    await run.sent();
    expect(spansOf(run).map(({ name }) => name)).toEqual(['shop/checkout', 'GET', 'pay', 'GET']);
  });

  it('is told to the endpoint of an outbound listener, which may name it otherwise', async () => {
    const run = await traced(otlpHttp, { direction: 'outbound', route: named });
    expect((await run.test.client().request({})).header(OPERATION)).toBeUndefined();
    expect(run.headers()).toMatchObject({ [OPERATION]: 'shop/checkout' });
    expect(await nameOf(run)).toBe('shop/checkout');
    await running?.stop();
    const answer = { [OPERATION]: 'pay' };
    const told = await traced(otlpHttp, { direction: 'outbound', route: named, answer });
    expect((await told.test.client().request({})).header(OPERATION)).toBeUndefined();
    expect(await nameOf(told)).toBe('pay');
  });

  it.each(['inbound', 'outbound'] as const)(
    'keeps its name to itself where it says so, %s',
    async (direction) => {
      const route = { decorator: { operation: 'quiet', propagate: false } };
      const run = await traced(otlpHttp, { direction, route });
      expect((await run.test.client().request({})).header(OPERATION)).toBeUndefined();
      expect(run.headers()).not.toHaveProperty(OPERATION);
      expect(await nameOf(run)).toBe('quiet');
    },
  );

  it('tells its name also where spans go nowhere, and what it says of sampling does nothing then', async () => {
    const run = await traced({}, { route: { ...named, tracing: { randomSamplingPercent: 0 } } });
    expect((await run.test.client().request({})).header(OPERATION)).toBe('shop/checkout');
    expect(run.headers()).not.toHaveProperty('traceparent');
  });

  it.each<[object, object | undefined, number, Record<string, string>?]>([
    [{ randomSamplingPercent: 0 }, {}, 2],
    [{ randomSamplingPercent: 0 }, { randomSamplingPercent: 50, overallSamplingPercent: 0 }, 0],
    [{}, { randomSamplingPercent: 0 }, 0],
    [{ clientSamplingPercent: 0 }, { randomSamplingPercent: 0 }, 2, { 'x-client-trace-id': 'a' }],
    [{}, { clientSamplingPercent: 0 }, 0, { 'x-client-trace-id': 'a' }],
    [{ randomSamplingPercent: 0 }, undefined, 0],
    [{ randomSamplingPercent: 0, samplesAll: true }, { overallSamplingPercent: 0 }, 2],
    [
      { clientSamplingPercent: 0, samplesAll: true },
      { clientSamplingPercent: 0 },
      2,
      { 'x-client-trace-id': 'a' },
    ],
  ])('of a handler with %j says %j of sampling: %i spans', async (own, tracing, spans, headers = {}) => {
    const run = await traced({ ...otlpHttp, ...own }, { route: tracing === undefined ? {} : { tracing } });
    await run.test.client().request({ headers });
    await run.sent();
    expect(spansOf(run)).toHaveLength(spans);
  });

  it('and its handler name spans by texts, before every decorator, unless nothing comes out', async () => {
    const names = async (own: object, route: Partial<Route>, headers: Record<string, string> = {}) => {
      await running?.stop();
      const run = await traced({ ...otlpHttp, ...own }, { route });
      await run.test.client().request({ headers });
      await run.sent();
      return spansOf(run).map(({ name }) => name);
    };
    const own = { operation: 'handler %REQ(:METHOD)%', upstreamOperation: 'up %REQ(x-a)%' };
    const tracing = { operation: 'route %RESPONSE_CODE%', upstreamOperation: 'to %UPSTREAM_CLUSTER%' };
    expect([
      await names(own, {}, { 'x-a': 'b' }),
      await names(own, { tracing, ...named }, { [OPERATION]: 'told' }),
      await names({}, { tracing: { operation: '%REQ(x-a)%', upstreamOperation: '%REQ(x-a)%' }, ...named }),
    ]).toEqual([
      ['handler GET', 'up b'],
      ['route 200', 'to api'],
      ['shop/checkout', 'GET'],
    ]);
  });

  it('has metadata that are tags of its spans', async () => {
    const tag = (name: string, path: readonly string[]) =>
      ({ name, kind: 'metadata', of: 'route', namespace: 'my', path, byDefault: 'none' }) as const;
    const customTags = [tag('owner', ['owner']), tag('deep', ['deep', 'x']), tag('absent', ['toString'])];
    const run = await traced(
      { ...otlpHttp, customTags },
      { route: { metadata: { my: { owner: 'shop', deep: { x: { y: 5 } } } } } },
    );
    await run.test.client().request({});
    await run.sent();
    expect(spansOf(run)[0]?.attributes).toMatchObject({ owner: 'shop', deep: '{"y":5}', absent: 'none' });
  });

  it('brings tags of its own, in place of those with the same names', async () => {
    const tag = (name: string, value: string) => ({ name, kind: 'literal' as const, value });
    const run = await traced(
      { ...otlpHttp, customTags: [tag('a', 'handler'), tag('b', 'handler')] },
      { route: { tracing: { customTags: [tag('b', 'route'), tag('c', 'route')] } } },
    );
    await run.test.client().request({});
    await run.sent();
    expect(spansOf(run)[0]?.attributes).toMatchObject({ a: 'handler', b: 'route', c: 'route' });
  });
});

it('says when bytes came and went where it is to be verbose', async () => {
  const run = await traced({ ...zipkin, verbose: true });
  await run.test.client().request({});
  await run.sent();
  const annotations = zipkinSpans(run)[0]?.['annotations'] as { timestamp: number; value: string }[];
  expect(annotations.map(({ value }) => value).toSorted()).toEqual([
    'first_downstream_tx_byte_sent',
    'first_upstream_rx_byte_received',
    'first_upstream_tx_byte_sent',
    'last_downstream_rx_byte_received',
    'last_downstream_tx_byte_sent',
    'last_upstream_tx_byte_sent',
  ]);
  expect(zipkinSpans(run)[1]).not.toHaveProperty('annotations');
});

it('tells what happened in the order in which it did, and what did not happen not at all', () => {
  const times = { requestEndMs: 30, connectedMs: 5, requestSentMs: 20, responseHeadMs: -1 };
  const record = streamRecord({ startEpochMs: 1_000, durationMs: 50, firstByteMs: 10, times });
  expect(byteEvents(record).map(({ name, epochMs }) => [epochMs, name])).toEqual([
    [1_005, 'first_upstream_tx_byte_sent'],
    [1_010, 'first_downstream_tx_byte_sent'],
    [1_020, 'last_upstream_tx_byte_sent'],
    [1_030, 'last_downstream_rx_byte_received'],
    [1_050, 'last_downstream_tx_byte_sent'],
  ]);
});

describe('the end of a proxy', () => {
  const complaints = ({ test }: Run): string[] => test.log.lines.map(({ message }) => message);

  it('waits for the spans of the last requests to be taken', async () => {
    const later = Promise.withResolvers<void>();
    const run = await traced(zipkin, { after: later.promise });
    await run.test.client().request({ path: '/last' });
    const stopped = run.test.stop();
    await run.test.clock.advance(1_000);
    expect(zipkinSpans(run)).toHaveLength(2);
    later.resolve();
    await stopped;
    await run.test.clock.advance(10_000);
    expect(complaints(run)).toEqual([]);
  });

  it('gives up on a collector that says nothing after a moment, and says how many are lost', async () => {
    const run = await traced(zipkin, { after: new Promise(() => {}) });
    await run.test.client().request({ path: '/last' });
    const stopped = run.test.stop();
    await run.test.clock.advance(2_000);
    await stopped;
    await run.test.clock.advance(10_000);
    expect(complaints(run)).toEqual([expect.stringMatching(/^traces to collector: 2 spans given up: /)]);
  });
});
