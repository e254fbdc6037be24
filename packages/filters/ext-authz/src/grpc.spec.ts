import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server as TcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServerCredentials } from '@grpc/grpc-js';
import type { ExtAuthzFilterConfig, ExtAuthzGrpcService, FilterConfigs } from '@tulle/model';
import {
  fakeClock,
  testProxy,
  type Caller,
  type FakeClock,
  type TestProxy,
  type TestRequest,
  wallClock,
} from '@tulle/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { authServer, type Answer, type AuthServer } from '../tests/auth-server.ts';
import { extAuthz } from './index.ts';

const running: { stop(): unknown }[] = [];
afterEach(async () => {
  for (const one of running.splice(0).toReversed()) await one.stop();
});

const OK: Answer = { status: { code: 0 } };

async function serve(
  answer: AuthServer['answer'],
  ...rest: [string?, ServerCredentials?]
): Promise<AuthServer> {
  const server = await authServer(answer, ...rest);
  running.push(server);
  return server;
}

async function proxy(
  grpc: ExtAuthzGrpcService['grpc'],
  config: Partial<ExtAuthzFilterConfig> = {},
  filterConfigs: FilterConfigs = {},
  clock: FakeClock = wallClock(),
): Promise<TestProxy> {
  const test = await testProxy({
    clock,
    listeners: [
      {
        name: 'test',
        address: { host: '127.0.0.1', port: 8080 },
        filterChains: [
          {
            name: 'http',
            ...(config.contextExtensions?.['tls'] === undefined
              ? {}
              : {
                  tls: {
                    certificate: { kind: 'workload' as const },
                    trust: { kind: 'mesh' as const },
                    clientCertificate: 'accept' as const,
                  },
                }),
            handler: {
              kind: 'http',
              filters: [extAuthz({ timeoutMs: 5_000, ...config, service: { grpc } }, { name: 'ext-authz' })],
              routes: {
                name: 'all',
                virtualHosts: [
                  {
                    name: 'all',
                    domains: ['*'],
                    routes: [
                      {
                        name: 'all',
                        match: { path: { kind: 'prefix', value: '/' } },
                        action: { kind: 'forward', clusters: [{ name: 'service' }] },
                        filterConfigs,
                      },
                    ],
                  },
                ],
              },
            },
          },
        ],
      },
    ],
    clusters: [
      {
        name: 'service',
        discovery: { kind: 'static', endpoints: [{ address: { host: '10.0.0.1', port: 80 } }] },
      },
    ],
    upstreams: { '10.0.0.1:80': () => ({ headers: { 'set-cookie': 'app=1' }, body: 'ok' }) },
  });
  running.push(test);
  return test;
}

async function ask(test: TestProxy, request: TestRequest = {}, caller: Caller = {}) {
  const response = await test.client(caller).request(request);
  return {
    response,
    status: response.status,
    sent: test.upstream('10.0.0.1:80').requests.at(-1),
    record: test.records.at(-1),
  };
}

describe('a gRPC service', () => {
  it('is told the beginning of a body that is larger, where that is enough, and the rest passes', async () => {
    const server = await serve(() => OK);
    const test = await proxy({ target: server.address }, { body: { maxBytes: 4, partial: true } });
    const { status, sent } = await ask(test, { method: 'POST', body: 'abcdefgh' });
    expect([status, sent?.body, sent?.header('content-length')]).toEqual([200, 'abcdefgh', '8']);
    expect(server.requests[0]?.attributes?.request?.http?.body).toBe('abcd');
  });

  it('is asked about everything that Envoy would tell it', async () => {
    const server = await serve(() => OK);
    const test = await proxy(
      { target: server.address },
      { contextExtensions: { tls: 'yes', a: '1' }, body: { maxBytes: 100 } },
      { 'ext-authz': { contextExtensions: { a: '2', b: '3' } } },
    );
    const { status } = await ask(
      test,
      {
        method: 'PUT',
        path: '/orders/1?x=%20',
        headers: [
          ['host', 'Shop.example'],
          ['x-a', '1'],
          ['x-a', '2'],
          ['cookie', 'a=1'],
          ['cookie', 'b=2'],
          ['x-name', Buffer.from('Zoë').toString('latin1')],
        ],
        body: 'hello',
      },
      {
        host: '192.0.2.7',
        port: 4711,
        tls: { identity: 'spiffe://mesh.local/ns/a/sa/b', serverName: 'shop.example' },
      },
    );
    expect(status).toBe(200);
    const { attributes } = server.requests[0] ?? {};
    const http = attributes?.request?.http;
    expect(http).toMatchObject({
      method: 'PUT',
      path: '/orders/1?x=%20',
      host: 'shop.example',
      scheme: 'https',
      protocol: 'HTTP/1.1',
      size: 5n,
      body: 'hello',
    });
    expect(Buffer.from(http?.rawBody ?? []).toString()).toBe('hello');
    expect(http?.id).toMatch(/^[\da-f-]{36}$/);
    expect(http?.headers).toMatchObject({
      ':method': 'PUT',
      ':path': '/orders/1?x=%20',
      ':authority': 'shop.example',
      ':scheme': 'https',
      'x-a': '1,2',
      cookie: 'a=1; b=2',
      'x-name': 'Zoë',
      'x-forwarded-for': '192.0.2.7',
    });
    expect(attributes?.source?.principal).toBe('spiffe://mesh.local/ns/a/sa/b');
    expect(attributes?.source?.address?.address).toMatchObject({
      case: 'socketAddress',
      value: { address: '192.0.2.7', portSpecifier: { case: 'portValue', value: 4711 } },
    });
    expect(attributes?.destination?.address?.address).toMatchObject({
      value: { address: '127.0.0.1', portSpecifier: { value: 8080 } },
    });
    expect(attributes?.contextExtensions).toEqual({ tls: 'yes', a: '2', b: '3' });
    expect(attributes?.tlsSession?.sni).toBe('shop.example');
  });

  it('gets bytes that are no text as bytes, and no body that nobody asked for', async () => {
    const server = await serve(() => OK);
    const withBody = await proxy({ target: server.address }, { body: { maxBytes: 100 } });
    await ask(withBody, { method: 'POST', body: '\u00ff\u0000\u00fe' });
    expect(Buffer.from(server.requests[0]?.attributes?.request?.http?.rawBody ?? []).toString('hex')).toBe(
      'ff00fe',
    );
    const without = await proxy({ target: server.address, requestHeaders: ['x-a*'] });
    await ask(without, {
      method: 'POST',
      body: 'secret',
      headers: { 'x-a1': '1', authorization: 'Bearer t' },
    });
    const http = server.requests[1]?.attributes?.request?.http;
    expect([http?.body, http?.size]).toEqual(['', -1n]);
    expect(Object.keys(http?.headers ?? {}).filter((name) => !name.startsWith(':'))).toEqual(['x-a1']);
  });

  it('changes the request and the response as it says, but never who calls', async () => {
    const server = await serve(() => ({
      status: { code: 0 },
      httpResponse: {
        case: 'okResponse',
        value: {
          headers: [
            { header: { key: 'x-user', value: 'alice' } },
            { header: { key: 'x-forwarded-for', value: '10.0.0.1' } },
            { header: { key: 'X-Forwarded-Client-Cert', value: 'URI=spiffe://evil' } },
          ],
          headersToRemove: ['authorization', 'x-forwarded-for'],
          queryParametersToRemove: ['token'],
          queryParametersToSet: [{ key: 'tenant', value: 'a' }],
          responseHeadersToAdd: [{ header: { key: 'set-cookie', value: 's=1' }, append: true }],
        },
      },
    }));
    const test = await proxy({ target: server.address });
    const { sent, response } = await ask(
      test,
      { path: '/a?token=t&b=1', headers: { 'x-user': 'root', authorization: 'Bearer t' } },
      { host: '192.0.2.7' },
    );
    expect(sent?.target).toBe('/a?b=1&tenant=a');
    expect(sent?.headerAll('x-user')).toEqual(['alice']);
    expect(sent?.headerAll('x-forwarded-for')).toEqual(['192.0.2.7']);
    expect(sent?.headerAll('x-forwarded-client-cert')).toEqual([]);
    expect(sent?.headerAll('authorization')).toEqual([]);
    expect(response.headerAll('set-cookie')).toEqual(['app=1', 's=1']);
  });

  it('refuses with what it says', async () => {
    const server = await serve(() => ({
      status: { code: 16 },
      httpResponse: {
        case: 'deniedResponse',
        value: {
          status: { code: 401 },
          headers: [{ header: { key: 'www-authenticate', value: 'Bearer' } }],
          body: 'who are you',
        },
      },
    }));
    const test = await proxy({ target: server.address });
    const { response, sent, record } = await ask(test);
    expect(response).toMatchObject({ status: 401, body: 'who are you' });
    expect(response.header('www-authenticate')).toBe('Bearer');
    expect(sent).toBe(undefined);
    expect(record).toMatchObject({ code: 'TULLE_EXT_AUTHZ_DENIED', flags: ['UAEX'] });
  });

  it('may listen on a Unix socket', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'tulle-auth-'));
    running.push({ stop: () => rmSync(directory, { recursive: true }) });
    const server = await serve(() => OK, `unix:${directory}/auth.sock`);
    expect((await ask(await proxy({ target: server.address }))).status).toBe(200);
  });

  it('is believed over TLS by the roots that are configured, and by the name', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'tulle-auth-'));
    running.push({ stop: () => rmSync(directory, { recursive: true }) });
    const [keyFile, caFile] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-days',
        '2',
        '-keyout',
        keyFile,
        '-out',
        caFile,
        '-subj',
        '/CN=auth.example',
        '-addext',
        'subjectAltName=DNS:auth.example',
      ],
      { stdio: 'ignore' },
    );
    const server = await serve(
      () => OK,
      '127.0.0.1:0',
      ServerCredentials.createSsl(null, [
        { private_key: readFileSync(keyFile), cert_chain: readFileSync(caFile) },
      ]),
    );
    const target = server.address;
    expect((await ask(await proxy({ target, tls: { caFile, serverName: 'auth.example' } }))).status).toBe(
      200,
    );
    for (const tls of [{ caFile }, { serverName: 'auth.example' }]) {
      const { status, record } = await ask(await proxy({ target, tls }));
      expect([status, record?.details]).toEqual([403, 'ext_authz_error{unavailable}']);
    }
    expect(server.requests).toHaveLength(1);
  });
});

/** A server that speaks no gRPC. */
async function tcpServer(onConnection: (socket: import('node:net').Socket) => void): Promise<string> {
  const server: TcpServer = createServer((socket) => {
    socket.on('error', () => {});
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  running.push({ stop: () => server.close() });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('a gRPC service that gives no answer', () => {
  it.each<[string, Answer, string]>([
    ['a status', Object.assign(new Error('no'), { code: 14, details: 'down' }), 'unavailable'],
    ['a status of its own', Object.assign(new Error('no'), { code: 7, details: 'denied' }), 'status'],
    ['an internal error', Object.assign(new Error('no'), { code: 13 }), 'invalid'],
    ['an empty message', Buffer.alloc(0), 'invalid'],
    ['bytes that are no message', Buffer.from('ffffffffffffffffff', 'hex'), 'invalid'],
    [
      'a contradiction',
      { status: { code: 0 }, httpResponse: { case: 'deniedResponse', value: {} } },
      'invalid',
    ],
    [
      'a header that splits',
      {
        status: { code: 0 },
        httpResponse: {
          case: 'okResponse',
          value: { headers: [{ header: { key: 'a', value: 'b\r\nc: d' } }] },
        },
      },
      'invalid',
    ],
    ['too much', { status: { code: 0, message: 'x'.repeat(2_000_000) } }, 'invalid'],
  ])('%s: refused, or let pass where that was said', async (_what, answer, reason) => {
    const server = await serve(() => answer);
    const closed = await ask(await proxy({ target: server.address }));
    expect([closed.status, closed.record?.details, closed.sent]).toEqual([
      403,
      `ext_authz_error{${reason}}`,
      undefined,
    ]);
    const opened = await proxy({ target: server.address }, { failureMode: 'allow' });
    expect((await ask(opened)).status).toBe(200);
    expect(opened.meter.value('tulle_filter_ext_authz_failure_mode_allowed_total')).toBe(1);
    expect(opened.meter.value('tulle_filter_ext_authz_checks_total', { result: reason })).toBe(1);
  });

  it('silence: refused after the time-out, and the service is told', async () => {
    const server = await serve(() => 'silence');
    const clock = fakeClock();
    const test = await proxy({ target: server.address }, { timeoutMs: 100 }, {}, clock);
    const [asked, answered] = [server.next(), ask(test)];
    await asked;
    await clock.advance(99);
    expect(test.records).toHaveLength(0);
    await clock.advance(1);
    const { status, record } = await answered;
    expect([status, record?.details, record?.durationMs]).toEqual([403, 'ext_authz_error{timeout}', 100]);
    await server.gone;
  });

  it('a caller that goes away: the service is told, and no filter failed', async () => {
    const server = await serve(() => 'silence');
    const test = await proxy({ target: server.address });
    const client = test.client();
    const asked = server.next();
    client.send({});
    await asked;
    client.connection.close(true);
    await server.gone;
    expect(test.meter.value('tulle_filter_errors_total')).toBe(0);
    expect(test.meter.value('tulle_filter_ext_authz_checks_active')).toBe(0);
  });

  it.each<[string, (socket: import('node:net').Socket) => void]>([
    ['resets', (socket) => socket.resetAndDestroy()],
    ['closes', (socket) => socket.end()],
    ['speaks HTTP/1.1', (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')],
    ['speaks nonsense', (socket) => socket.write(Buffer.alloc(1_000, 0xff))],
  ])('a server that %s: refused', async (_what, onConnection) => {
    const target = await tcpServer(onConnection);
    const test = await proxy({ target }, { timeoutMs: 1_000 });
    const { status, record } = await ask(test);
    expect(status).toBe(403);
    expect(record?.details).toMatch(/^ext_authz_error\{(unavailable|timeout|invalid)\}$/);
  });

  it('nobody there: refused at once, and asked again soon after it comes back', async () => {
    const server = await serve(() => OK);
    const { address } = server;
    server.stop();
    const test = await proxy({ target: address }, { timeoutMs: 2_000 });
    expect((await ask(test)).record?.details).toBe('ext_authz_error{unavailable}');
    await serve(() => OK, address);
    const until = performance.now() + 5_000;
    let { status } = await ask(test);
    while (status !== 200 && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      ({ status } = await ask(test));
    }
    expect(status).toBe(200);
  });
});
