import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { connect as netConnect, type Socket } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCa, memoryStore } from '@tulle/ca';
import type { Cluster, ProxyProtocolVersion, TcpAddress } from '@tulle/model';
import { createProxy, httpListener, nodeTransport, route, tcpListener, type Proxy } from '@tulle/proxy';
import { createKeyAndCsr } from '@tulle/spiffe';
import { afterEach, describe, expect, it } from 'vitest';
import {
  fakeClock,
  memoryLog,
  memoryNetwork,
  memoryTelemetry,
  type TestConnection,
  type TestProxyOptions,
} from '../src/index.ts';
import { started } from './support.ts';

const V2_START = '\r\n\r\n\0\r\nQUIT\n';

/** An origin that keeps what each connection began with, and answers each request. */
async function withOrigin(cluster: Partial<Cluster>, more: Partial<TestProxyOptions> = {}) {
  const clock = fakeClock();
  const network = memoryNetwork(clock);
  const connections: TestConnection[] = [];
  const firsts: string[] = [];
  network.listen('10.0.0.1:80', (connection) => {
    const index = connections.push(connection) - 1;
    connection.onBytes = () => {
      if (!/ HTTP\/1\.1\r\n[^]*\r\n\r\n$/.test(connection.received)) return;
      firsts[index] ??= connection.received;
      connection.received = '';
      connection.send('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
    };
  });
  const test = await started({
    clock,
    network,
    listeners: [httpListener({ host: '127.0.0.1', port: 8080, routes: [route('/', 'api')] })],
    clusters: [
      {
        name: 'api',
        discovery: { kind: 'static', endpoints: [{ address: { host: '10.0.0.1', port: 80 } }] },
        ...cluster,
      },
    ],
    ...more,
  });
  return { test, connections, firsts };
}

describe('a cluster that says who called', () => {
  it('does so by a header of the PROXY protocol, over connections of each caller', async () => {
    const { test, connections, firsts } = await withOrigin({ proxyProtocol: 1 });
    const [one, two] = [
      test.client({ host: '192.0.2.7', port: 1111 }),
      test.client({ host: '192.0.2.8', port: 2222 }),
    ];
    for (const client of [one, one, two, one, two]) expect((await client.request()).status).toBe(200);
    expect(connections).toHaveLength(2);
    expect(firsts.map((first) => first.slice(0, first.indexOf('\r\n')))).toEqual([
      'PROXY TCP4 192.0.2.7 127.0.0.1 1111 8080',
      'PROXY TCP4 192.0.2.8 127.0.0.1 2222 8080',
    ]);
    expect(firsts[0]).toMatch(/^PROXY [^\r]*\r\nGET \/ HTTP\/1.1\r\n/);
  });

  it('says it of connections that are passed on, in version 2', async () => {
    const { test, firsts } = await withOrigin(
      { proxyProtocol: 2 },
      { listeners: [tcpListener({ host: '127.0.0.1', port: 8080, cluster: 'api' })] },
    );
    const caller = test.connect({ host: '192.0.2.7', port: 1111 });
    caller.send('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    await caller.take('ok');
    expect(firsts[0]?.slice(0, 12)).toBe(V2_START);
    expect(Buffer.from(firsts[0]?.slice(12, 28) ?? '', 'latin1').toString('hex')).toBe(
      '2111000cc00002077f00000104571f90',
    );
  });

  it('lets a caller go: what served it alone is forgotten when its connections are gone', async () => {
    const { test, connections } = await withOrigin({ proxyProtocol: 1 });
    const client = test.client({ host: '192.0.2.7', port: 1111 });
    await client.request();
    await test.clock.advance(10_000); // they rested too long
    expect(connections[0]?.ended).toBe(true);
    await client.request();
    expect(connections).toHaveLength(2);
    expect(test.meter.value('tulle_cluster_upstream_cx_active', { cluster: 'api' })).toBe(1);
  });

  it('says of health checks that it calls itself', async () => {
    const { test, firsts } = await withOrigin({
      proxyProtocol: 2,
      healthCheck: {
        kind: 'http',
        path: '/well',
        intervalMs: 1_000,
        timeoutMs: 500,
        unhealthyThreshold: 1,
        healthyThreshold: 1,
      },
    });
    await test.clock.advance(100);
    expect(firsts[0]).toMatch(/^\r\n\r\n\0\r\nQUIT\n \0\0\0GET \/well /);
    expect(test.meter.value('tulle_cluster_health_check_healthy', { cluster: 'api' })).toBe(1);
  });

  it('does so where an endpoint’s labels say so, and not to others', async () => {
    const { test, firsts } = await withOrigin({
      proxyProtocol: 1,
      tlsMatches: [{ name: 'plain', labels: { kind: 'plain' } }],
      discovery: {
        kind: 'static',
        endpoints: [{ address: { host: '10.0.0.1', port: 80 }, tlsLabels: { kind: 'plain' } }],
      },
    });
    await test.client().request();
    expect(firsts[0]).toMatch(/^GET /);
  });
});

it('a cluster with connections for each caller shares none, and says nothing', async () => {
  const { test, connections, firsts } = await withOrigin({ pool: { perDownstreamConnection: true } });
  const [one, two] = [test.client(), test.client()];
  for (const client of [one, two, one, two]) await client.request();
  expect(connections).toHaveLength(2);
  expect(firsts.every((first) => first.startsWith('GET '))).toBe(true);
});

describe('on real sockets', () => {
  const open: { stop(): Promise<void> }[] = [];
  let directory: string | undefined;
  afterEach(async () => {
    for (const one of open.splice(0)) await one.stop();
    if (directory !== undefined) await rm(directory, { recursive: true });
    directory = undefined;
  });

  async function certificates() {
    directory = await mkdtemp(join(tmpdir(), 'tulle-proxy-header-'));
    const ca = await createCa({ trustDomain: 'mesh.test', store: memoryStore() });
    open.push({ stop: () => ca.close() });
    const id = 'spiffe://mesh.test/ns/default/sa/back';
    const { csrDer, privateKeyPem } = await createKeyAndCsr(id);
    const { certificateChainPem } = await ca.issueLocal(id, csrDer);
    const files = { certificateFile: join(directory, 'c.pem'), keyFile: join(directory, 'k.pem') };
    await writeFile(files.certificateFile, certificateChainPem);
    await writeFile(files.keyFile, privateKeyPem);
    const roots = ca.published().bundles.flatMap(({ rootsPem }) => rootsPem);
    return { id, certificate: { kind: 'files' as const, ...files }, caPem: roots.join('') };
  }

  it.each([
    ['plain text', 1, false],
    ['plain text', 2, false],
    ['TLS', 1, true],
    ['TLS', 2, true],
  ] as const)('the header comes before %s: version %i', async (_, version: ProxyProtocolVersion, secured) => {
    const { id, certificate, caPem } = await certificates();
    const telemetry = memoryTelemetry();
    const back = createProxy({
      log: memoryLog(),
      transport: nodeTransport(),
      telemetry: [telemetry],
      listeners: [
        {
          ...httpListener({
            name: 'back',
            port: 0,
            ...(secured && { tls: { certificate } }),
            routes: [route('/', { kind: 'direct', status: 200, body: 'ok' })],
          }),
          proxyProtocol: {},
        },
      ],
    });
    await back.start();
    open.push(back);
    const { port } = back.addresses()['back'] as TcpAddress;
    const front = createProxy({
      log: memoryLog(),
      transport: nodeTransport(),
      listeners: [httpListener({ name: 'front', port: 0, routes: [route('/', 'back')] })],
      clusters: [
        {
          name: 'back',
          discovery: { kind: 'static', endpoints: [{ address: { host: '127.0.0.1', port } }] },
          proxyProtocol: version,
          ...(secured && { tls: { trust: { kind: 'inline', caPem }, allowedIds: [id] } }),
        },
      ],
    });
    await front.start();
    open.push(front);
    const caller = await connected(front);
    const { localPort } = caller;
    for (let count = 1; count <= 3; count++) expect(await ask(caller)).toBe('ok');
    caller.destroy();
    expect(telemetry.records.map(({ remotePort }) => remotePort)).toEqual([localPort, localPort, localPort]);
  });
});

async function connected(proxy: Proxy): Promise<Socket> {
  const { port } = proxy.addresses()['front'] as TcpAddress;
  const socket = netConnect({ host: '127.0.0.1', port });
  await once(socket, 'connect');
  return socket;
}

function ask(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({ createConnection: () => socket, headers: { connection: 'keep-alive' } });
    outgoing.on('error', reject).on('response', (response) => {
      let body = '';
      response.on('data', (piece: Buffer) => (body += piece.toString()));
      response.on('end', () => resolve(body));
    });
    outgoing.end();
  });
}
