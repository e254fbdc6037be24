import { fromBinary } from '@bufbuild/protobuf';
import { anyUnpack, StringValueSchema } from '@bufbuild/protobuf/wkt';
import { CONTINUE, defineHttpFilter, putFilterState } from '@tulle/filter';
import type {
  GrpcAccessLogOutput,
  HttpHandler,
  OtlpAccessLogOutput,
  ProxyConfig,
  TcpHandler,
} from '@tulle/model';
import { readLogs } from '@tulle/otlp-collector';
import {
  http2Upstream,
  memoryMeter,
  testProxy,
  type Http2Upstream,
  type MemoryMeter,
  type TestProxy,
} from '@tulle/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { accessLoggers, type AccessLoggersPlugin } from './access-loggers.ts';
import {
  AccessLogType,
  HTTPAccessLogEntry_HTTPVersion as Version,
} from './gen/envoy/data/accesslog/v3/accesslog_pb.js';
import {
  StreamAccessLogsMessageSchema,
  type StreamAccessLogsMessage,
} from './gen/envoy/service/accesslog/v3/als_pb.js';

/** Puts the caller's tenant down, for whoever comes after it. */
const tenants = defineHttpFilter<object>({
  apiVersion: 1,
  id: 'tenants',
  config: {
    '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: value as object }) },
    jsonSchema: {},
  },
  create: () => ({
    requestHeaders(stream) {
      const tenant = stream.request.headers.get('x-tenant');
      if (tenant !== undefined) putFilterState(stream, 'tenant', tenant);
      return CONTINUE;
    },
  }),
});

let running: TestProxy | undefined;
afterEach(async () => running?.stop());

interface Run {
  readonly test: TestProxy;
  readonly plugin: AccessLoggersPlugin;
  readonly meter: MemoryMeter;
  readonly service: Http2Upstream;
  /** What the service got, message by message. */
  messages(): StreamAccessLogsMessage[];
}

/** A proxy of which a service keeps the access log, on the memory network. */
async function logged(
  to: Partial<GrpcAccessLogOutput> | ({ readonly kind: 'otlp' } & Partial<OtlpAccessLogOutput>),
  kind: 'http' | 'tcp' = 'http',
): Promise<Run> {
  const accessLogs = [
    to.kind === 'otlp'
      ? { to: { cluster: 'als', logName: 'mesh', ...to } }
      : { to: { kind: 'grpc' as const, cluster: 'als', logName: 'mesh', ...to } },
  ];
  const handler: HttpHandler | TcpHandler =
    kind === 'tcp'
      ? { kind: 'tcp', clusters: [{ name: 'api' }], accessLogs }
      : {
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
                  },
                ],
              },
            ],
          },
          filters: [{ name: 'tenants', filter: 'tenants', config: {} }],
          accessLogs,
        };
  const at = (host: string): ProxyConfig['clusters'][number]['discovery'] => ({
    kind: 'static',
    endpoints: [{ address: { host, port: 80 } }],
  });
  const config: ProxyConfig = {
    version: '1',
    listeners: [
      {
        name: 'l',
        address: { host: '127.0.0.1', port: 8080 },
        filterChains: [{ name: 'c', handler }],
      },
    ],
    routes: [],
    clusters: [
      { name: 'api', discovery: at('10.0.0.1') },
      { name: 'als', discovery: at('10.0.0.2'), pool: { protocol: 'http2' } },
    ],
    endpoints: [],
  };
  const meter = memoryMeter();
  const plugin = accessLoggers({
    node: { id: 'node-1', cluster: 'web' },
    meter,
    env: { ZONE: 'z1', OTEL_RESOURCE_ATTRIBUTES: 'region=north%20west,env=var' },
  });
  const test = (running = await testProxy({
    config,
    telemetry: [plugin],
    registry: [tenants],
    upstreams: { '10.0.0.1:80': () => ({ body: 'hello', headers: { 'x-answer': 'yes' } }) },
  }));
  const service = http2Upstream(test.network, '10.0.0.2:80', () => ({
    headers: { 'content-type': 'application/grpc' },
    trailers: { 'grpc-status': '0' },
  }));
  return {
    test,
    plugin,
    meter,
    service,
    messages: () =>
      service.requests.map(({ body }) =>
        fromBinary(StreamAccessLogsMessageSchema, Buffer.from(body, 'latin1').subarray(5)),
      ),
  };
}

describe('an access log that a service keeps', () => {
  it('tells requests with who logs, in one call a batch', async () => {
    const run = await logged({
      requestHeaders: ['X-Tenant', 'x-none'],
      responseHeaders: ['x-answer'],
      customTags: [
        { name: 'zone', kind: 'environment', variable: 'ZONE' },
        { name: 'who', kind: 'metadata', namespace: 'jwt', path: ['sub'], byDefault: 'nobody' },
      ],
    });
    const client = run.test.client();
    await client.request({ path: '/a?b=c', headers: { 'x-tenant': 'acme', 'user-agent': 'curl' } });
    await client.request({ method: 'POST', path: '/p', body: 'hi' });
    await run.plugin.accessLoggers.flush();
    expect(run.service.requests[0]?.target).toBe(
      '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs',
    );
    const [message, ...more] = run.messages();
    expect(more).toEqual([]);
    expect(message?.identifier).toMatchObject({ logName: 'mesh', node: { id: 'node-1', cluster: 'web' } });
    const entries = message?.logEntries.case === 'httpLogs' ? message.logEntries.value.logEntry : [];
    expect(entries).toHaveLength(2);
    expect(entries[0]).toMatchObject({
      protocolVersion: Version.HTTP11,
      commonProperties: {
        upstreamCluster: 'api',
        routeName: 'r',
        customTags: { zone: 'z1', who: 'nobody' },
        accessLogType: AccessLogType.DownstreamEnd,
        upstreamRequestAttemptCount: 1,
        upstreamRemoteAddress: { address: { value: { address: '10.0.0.1', portSpecifier: { value: 80 } } } },
      },
      request: {
        requestMethod: 1,
        path: '/a?b=c',
        userAgent: 'curl',
        requestHeaders: { 'x-tenant': 'acme' },
        requestBodyBytes: 0n,
      },
      response: { responseCode: 200, responseBodyBytes: 5n, responseHeaders: { 'x-answer': 'yes' } },
    });
    expect(entries[1]?.request).toMatchObject({ requestMethod: 3, requestBodyBytes: 2n });
  });

  it('tells what filters put down under keys that are asked for', async () => {
    const run = await logged({ filterState: ['tenant', 'nobody'] });
    const client = run.test.client();
    await client.request({ headers: { 'x-tenant': 'acme' } });
    await client.request({});
    await run.plugin.accessLoggers.flush();
    const logs = run.messages()[0]?.logEntries;
    const told = (logs?.case === 'httpLogs' ? logs.value.logEntry : []).map((entry) =>
      Object.entries(entry.commonProperties!.filterStateObjects).map(([key, any]) => [
        key,
        anyUnpack(any, StringValueSchema)?.value,
      ]),
    );
    expect(told).toEqual([[['tenant', 'acme']], []]);
  });

  it('tells connections with their bytes', async () => {
    const run = await logged({ bufferBytes: 1 }, 'tcp');
    const connection = run.test.connect();
    connection.send('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    await connection.take('hello');
    const told = run.service.next();
    connection.close(true);
    await told;
    const [message] = run.messages();
    const [entry] = message?.logEntries.case === 'tcpLogs' ? message.logEntries.value.logEntry : [];
    expect(entry).toMatchObject({
      commonProperties: { upstreamCluster: 'api', accessLogType: AccessLogType.TcpConnectionEnd },
      connectionProperties: { receivedBytes: 27n },
    });
    expect(entry?.connectionProperties?.sentBytes).toBeGreaterThan(27n);
  });

  it('is sent after the interval, or as soon as the buffer is full', async () => {
    const run = await logged({ flushIntervalMs: 300 });
    await run.test.client().request({});
    expect(run.service.requests).toHaveLength(0);
    const got = run.service.next();
    await run.test.clock.advance(310);
    await got;
    await running?.stop();
    const eager = await logged({ bufferBytes: 1 });
    const first = eager.service.next();
    await eager.test.client().request({});
    await first;
  });

  it('names the flags of answers that the proxy gave itself', async () => {
    const run = await logged({});
    run.test.upstream('10.0.0.1:80').close();
    await run.test.client().request({});
    await run.plugin.accessLoggers.flush();
    const entries = run.messages()[0]?.logEntries;
    expect(
      entries?.case === 'httpLogs' && entries.value.logEntry[0]?.commonProperties?.responseFlags,
    ).toMatchObject({
      upstreamConnectionFailure: true,
      noRouteFound: false,
    });
  });

  it('gives up what the service refuses, counts it, and goes on', async () => {
    const run = await logged({});
    run.service.answer = () => ({
      headers: { 'content-type': 'application/grpc' },
      trailers: { 'grpc-status': '14', 'grpc-message': 'full' },
    });
    await run.test.client().request({});
    await run.plugin.accessLoggers.flush();
    expect(run.test.log.lines.map(({ message }) => message)).toContain(
      'access log to als: 1 records given up: gRPC status 14 full',
    );
    run.service.answer = () => ({
      headers: { 'content-type': 'application/grpc' },
      trailers: { 'grpc-status': '0' },
    });
    await run.test.client().request({});
    await run.plugin.accessLoggers.flush();
    expect(run.messages()).toHaveLength(2);
  });
});

describe('an access log that a collector of OpenTelemetry keeps', () => {
  it('has the body, attributes and resource that it says, and the trace', async () => {
    const run = await logged({
      kind: 'otlp',
      body: '%REQ(:METHOD)% %PATH% "%REQ(X-SAID)%"',
      attributes: { status: '%RESPONSE_CODE%', agent: '%REQ(USER-AGENT)%' },
      resource: { 'service.name': 'shop' },
    });
    const trace = '0af7651916cd43dd8448eb211c80319c';
    await run.test.client().request({
      path: '/a?b=c',
      headers: { 'x-said': 'say "hi"', traceparent: `00-${trace}-b7ad6b7169203331-00` },
    });
    await run.plugin.accessLoggers.flush();
    const [request] = run.service.requests;
    expect(request?.target).toBe('/opentelemetry.proto.collector.logs.v1.LogsService/Export');
    const logs = readLogs(Buffer.from(request?.body ?? '', 'latin1').subarray(5));
    expect(logs).toEqual([
      {
        timeUnixNano: expect.stringMatching(/^[0-9]{16,}$/) as string,
        body: { stringValue: 'GET /a?b=c "say "hi""' },
        plainBody: 'GET /a?b=c "say "hi""',
        attributes: { status: '200', agent: '-' },
        traceId: trace,
        spanId: 'b7ad6b7169203331',
        resource: {
          log_name: 'mesh',
          cluster_name: 'web',
          node_name: 'node-1',
          zone_name: '',
          'service.name': 'shop',
        },
      },
    ]);
  });

  it('has filter state and tags as attributes, where there are some', async () => {
    const run = await logged({
      kind: 'otlp',
      logName: '',
      filterState: ['tenant', 'nobody'],
      customTags: [
        { name: 'zone', kind: 'environment', variable: 'ZONE' },
        { name: 'who', kind: 'header', header: 'X-Who' },
      ],
    });
    await run.test.client().request({ headers: { 'x-tenant': 'ac"me' } });
    await run.plugin.accessLoggers.flush();
    const [log] = readLogs(Buffer.from(run.service.requests[0]?.body ?? '', 'latin1').subarray(5));
    expect(log?.attributes).toEqual({ tenant: '"ac\\"me"', zone: 'z1' });
    expect(log?.resource).toMatchObject({ log_name: '' });
  });

  it('goes over HTTP where that is said, with lists and objects of formats, and typed attributes of the resource', async () => {
    const run = await logged({
      kind: 'otlp',
      http: {
        url: 'http://logs.example:4318/v1/logs',
        headers: { set: [{ name: 'X-Key', value: 'secret' }] },
      },
      statPrefix: 'all.',
      body: { method: '%REQ(:METHOD)%', seen: ['%RESPONSE_CODE%', ['x']] },
      attributes: { codes: ['%RESPONSE_CODE%'], who: { agent: '%REQ(X-AGENT)%' } },
      resource: { whole: 7, part: 1.5, yes: true, list: ['a', 1], env: 'own' },
      environment: true,
    });
    run.service.answer = () => ({ status: 200, body: '' });
    await run.test.client().request({ headers: { 'x-agent': 'me' } });
    await run.plugin.accessLoggers.flush();
    const [request] = run.service.requests;
    expect(request).toMatchObject({ method: 'POST', target: '/v1/logs' });
    expect(['host', 'content-type', 'x-key'].map((name) => request?.header(name))).toEqual([
      'logs.example:4318',
      'application/x-protobuf',
      'secret',
    ]);
    const [log] = readLogs(Buffer.from(request?.body ?? '', 'latin1'));
    expect(log?.plainBody).toEqual({ method: 'GET', seen: ['200', ['x']] });
    expect(log?.attributes).toEqual({ codes: ['200'], who: { agent: 'me' } });
    expect(log?.resource).toEqual({
      log_name: 'mesh',
      cluster_name: 'web',
      node_name: 'node-1',
      zone_name: '',
      region: 'north west',
      whole: 7,
      part: 1.5,
      yes: true,
      list: ['a', 1],
      env: 'own',
    });
    const logger = 'open_telemetry_access_log.all.';
    expect(run.meter.value('tulle_access_log_service_delivered_total', { output: 'als', logger })).toBe(1);
    run.service.answer = () => ({ status: 503, body: '' });
    await run.test.client().request({});
    await run.plugin.accessLoggers.flush();
    expect(run.test.log.lines.map(({ message }) => message)).toContain(
      'access log to als: 1 records given up: answered with 503',
    );
    expect(run.meter.value('tulle_access_log_service_dropped_total', { output: 'als', logger })).toBe(1);
  });

  it('has no labels of the proxy where that is wanted', async () => {
    const run = await logged({ kind: 'otlp', builtinLabels: false });
    await run.test.client().request({});
    await run.plugin.accessLoggers.flush();
    const [log] = readLogs(Buffer.from(run.service.requests[0]?.body ?? '', 'latin1').subarray(5));
    expect([log?.resource, log?.body]).toEqual([{}, undefined]);
  });

  it('is refused with formats that are none, by where they stand', async () => {
    const broken = { kind: 'otlp', body: ['%NOPE%', 3 as never], attributes: { a: '%B%' } } as const;
    await expect(logged(broken)).rejects.toMatchObject({
      issues: [
        { path: '/listeners/0/filterChains/0/handler/accessLogs/0/to/body/0' },
        { path: '/listeners/0/filterChains/0/handler/accessLogs/0/to/body/1' },
        { path: '/listeners/0/filterChains/0/handler/accessLogs/0/to/attributes/a' },
      ],
    });
  });
});
