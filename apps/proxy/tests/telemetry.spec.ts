import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import {
  Server as GrpcServer,
  ServerCredentials,
  type sendUnaryData,
  type ServerReadableStream,
} from '@grpc/grpc-js';
import { isUnixAddress } from '@tulle/model';
import {
  AccessLogService,
  type StreamAccessLogsMessage,
  type StreamAccessLogsResponse,
  StreamAccessLogsResponseSchema,
} from '@tulle/xds-proto/envoy/service/accesslog/v3/als';
import { grpcService } from '@tulle/xds-proto/grpc';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type EnvoyProxy, startEnvoyProxy } from '../src/envoy-proxy.ts';

// Envoy's own configuration of telemetry, in a proxy of real processes, before peers that share nothing with it: grpc-js
// keeps the access log, an HTTP server reads Zipkin's JSON.

const directory = mkdtempSync(join(tmpdir(), 'tet-')); // short: sockets lie below it
const log = { debug() {}, info() {}, warn() {}, error() {} };

interface Seen {
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** An HTTP server that keeps what it is asked. */
async function httpPeer(): Promise<{ server: Server; port: number; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer((req, res) => {
    let body = '';
    req.setEncoding('utf8').on('data', (piece: string) => void (body += piece));
    req.on('end', () => {
      seen.push({ path: req.url ?? '', headers: req.headers, body });
      res.writeHead(req.url?.startsWith('/api/') === true ? 202 : 200).end('done');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as AddressInfo).port, seen };
}

const messages: StreamAccessLogsMessage[] = [];
const als = new GrpcServer();
let alsPort = 0;
let service: Awaited<ReturnType<typeof httpPeer>>;
let zipkin: Awaited<ReturnType<typeof httpPeer>>;
let proxy: EnvoyProxy;

beforeAll(async () => {
  service = await httpPeer();
  zipkin = await httpPeer();
  als.addService(grpcService(AccessLogService), {
    streamAccessLogs(
      call: ServerReadableStream<StreamAccessLogsMessage, StreamAccessLogsResponse>,
      answer: sendUnaryData<StreamAccessLogsResponse>,
    ) {
      call.on('data', (message: StreamAccessLogsMessage) => messages.push(message));
      call.on('end', () => answer(null, create(StreamAccessLogsResponseSchema)));
    },
  });
  alsPort = await new Promise<number>((resolve, reject) => {
    als.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
  const file = join(directory, 'bootstrap.yaml');
  writeFileSync(file, bootstrap());
  proxy = await startEnvoyProxy({
    configPath: file,
    runDir: join(directory, 'r'),
    log,
    say() {},
    logLevel: 'error',
  });
});
afterAll(async () => {
  await proxy?.stop(0);
  als.forceShutdown();
  for (const { server } of [service, zipkin]) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(directory, { recursive: true, force: true });
});

const cluster = (name: string, port: number, more = ''): string => `
    - name: ${name}
      type: STATIC
      connect_timeout: 1s${more}
      load_assignment: { cluster_name: ${name}, endpoints: [ { lb_endpoints: [ { endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } } } ] } ] }`;
const HTTP2 = `
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          explicit_http_config: { http2_protocol_options: {} }`;

const bootstrap = (): string => `
static_resources:
  listeners:
    - name: front
      traffic_direction: INBOUND
      address: { socket_address: { address: 127.0.0.1, port_value: 0 } }
      filter_chains:
        - filters:
            - name: hcm
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: front
                tracing:
                  spawn_upstream_span: true
                  custom_tags: [ { tag: tenant, request_header: { name: x-tenant } } ]
                  provider:
                    name: envoy.tracers.zipkin
                    typed_config:
                      "@type": type.googleapis.com/envoy.config.trace.v3.ZipkinConfig
                      collector_cluster: zipkin
                      collector_endpoint: /api/v2/spans
                      collector_endpoint_version: HTTP_JSON
                access_log:
                  - name: file
                    filter: { header_filter: { header: { name: x-tenant, string_match: { exact: acme } } } }
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
                      path: ${directory}/access.log
                      log_format: { text_format_source: { inline_string: "%REQ(:METHOD)% %PATH% %RESPONSE_CODE% %TRACE_ID%\\n" } }
                  - name: service
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig
                      common_config:
                        log_name: front
                        transport_api_version: V3
                        buffer_flush_interval: 0.1s
                        grpc_service: { envoy_grpc: { cluster_name: als } }
                      additional_request_headers_to_log: [x-tenant]
                route_config:
                  virtual_hosts:
                    - name: all
                      domains: ["*"]
                      routes: [ { match: { prefix: "/" }, route: { cluster: service } } ]
                http_filters:
                  - name: router
                    typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  clusters:${cluster('service', service.port)}${cluster('zipkin', zipkin.port)}${cluster('als', alsPort, HTTP2)}
`;

async function ask(path: string, headers: Record<string, string>): Promise<void> {
  const [address] = proxy.listening();
  if (address === undefined || isUnixAddress(address)) throw new Error('it does not listen');
  await new Promise<void>((resolve, reject) => {
    const req = request({ host: '127.0.0.1', port: address.port, path, headers, agent: false }, (res) => {
      res.resume().on('end', resolve);
    });
    req.on('error', reject);
    req.end();
  });
}

async function until(good: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 15_000;
  while (!good()) {
    if (performance.now() > deadlineMs) throw new Error('not within 15 s');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

interface ZipkinSpan {
  readonly traceId: string;
  readonly id: string;
  readonly parentId?: string;
  readonly kind: string;
  readonly tags: Readonly<Record<string, string>>;
}

it('a file, a service and Zipkin get what a bootstrap of Envoy sends there', async () => {
  await ask('/a?b=c', { 'x-tenant': 'acme' });
  await ask('/other', {});
  const file = join(directory, 'access.log');
  const entries = (): readonly { request?: { path: string; requestHeaders: object }; code?: number }[] =>
    messages.flatMap(({ logEntries }) =>
      logEntries.case === 'httpLogs'
        ? logEntries.value.logEntry.map(({ request: asked, response }) => ({
            ...(asked && { request: asked }),
            ...(response?.responseCode !== undefined && { code: response.responseCode }),
          }))
        : [],
    );
  const spans = (): readonly ZipkinSpan[] =>
    zipkin.seen.flatMap(({ body }) => JSON.parse(body) as readonly ZipkinSpan[]);
  await until(() => entries().length >= 2 && spans().length >= 4 && readFileSync(file, 'utf8') !== '');

  expect(messages[0]?.identifier?.logName).toBe('front');
  expect(entries()).toMatchObject([
    { request: { path: '/a?b=c', requestHeaders: { 'x-tenant': 'acme' } }, code: 200 },
    { request: { path: '/other', requestHeaders: {} }, code: 200 },
  ]);

  expect(zipkin.seen[0]).toMatchObject({
    path: '/api/v2/spans',
    headers: { 'content-type': 'application/json', host: 'zipkin' },
  });
  const [server, client] = spans();
  expect([server?.kind, client?.kind, client?.parentId]).toEqual(['SERVER', 'CLIENT', server?.id]);
  expect(server?.tags).toMatchObject({ tenant: 'acme', 'http.status_code': '200' });
  expect(service.seen[0]?.headers).toMatchObject({
    'x-b3-traceid': server?.traceId,
    'x-b3-spanid': client?.id,
    'x-b3-sampled': '1',
  });
  expect(readFileSync(file, 'utf8')).toBe(`GET /a?b=c 200 ${server?.traceId.padStart(32, '0')}\n`);
}, 60_000);
