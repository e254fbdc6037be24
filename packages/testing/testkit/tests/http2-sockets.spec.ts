import { createServer, request, type IncomingMessage } from 'node:http';
import {
  connect as connectHttp2,
  createServer as createHttp2Server,
  type ClientHttp2Session,
  type Http2Server,
} from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { createCa, localIdentity, memoryStore } from '@tulle/ca';
import { cluster, createProxy, httpListener, route, type Proxy, type ProxyOptions } from '@tulle/proxy';
import { afterEach, describe, expect, it } from 'vitest';
import { memoryLog, memoryTelemetry, type MemoryTelemetry } from '../src/index.ts';

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

async function listening(server: Server | Http2Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function started(options: ProxyOptions): Promise<[Proxy, MemoryTelemetry]> {
  const telemetry = memoryTelemetry();
  const proxy = createProxy({ log: memoryLog(), telemetry: [telemetry], ...options });
  await proxy.start();
  open.push(() => proxy.stop());
  return [proxy, telemetry];
}

const portOf = (proxy: Proxy, listener = 'http'): number =>
  (proxy.addresses()[listener] as { port: number }).port;

function sumOf(bytes: Buffer, from = 0): number {
  let sum = from;
  for (const octet of bytes) sum = (sum * 31 + octet) | 0;
  return sum;
}

/** Answers PUT with what it was sent, GET with the body of that number. */
async function origin(version: 'http1' | 'http2', bodies: readonly Buffer[]): Promise<number> {
  const answer = (
    incoming: { method?: string | undefined; url?: string | undefined },
    pieces: readonly Buffer[],
  ): Buffer =>
    incoming.method === 'PUT' ? Buffer.concat(pieces) : (bodies[Number(incoming.url?.slice(1))] as Buffer);
  if (version === 'http1') {
    const server = createServer((incoming, response) => {
      const pieces: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => pieces.push(chunk));
      incoming.on('end', () => response.end(answer(incoming, pieces)));
    });
    open.push(
      () => server.closeAllConnections(),
      () => server.close(),
    );
    return listening(server);
  }
  const sessions = new Set<{ destroy(): void }>();
  const server = createHttp2Server((incoming, response) => {
    const pieces: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => pieces.push(chunk));
    incoming.on('end', () => response.end(answer(incoming, pieces)));
  });
  server.on('session', (session) => sessions.add(session));
  open.push(
    () => {
      for (const session of sessions) session.destroy();
    },
    () => server.close(),
  );
  return listening(server);
}

type Answer = [status: number, bytes: number, sum: number];

function askHttp1(port: number, path: string, body?: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const method = body === undefined ? 'GET' : 'PUT';
    const outgoing = request(
      { host: '127.0.0.1', port, path, method, agent: false },
      (response: IncomingMessage) => {
        let bytes = 0;
        let sum = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          sum = sumOf(chunk, sum);
        });
        response.on('end', () => resolve([response.statusCode ?? 0, bytes, sum]));
        response.on('error', reject);
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

function askHttp2(session: ClientHttp2Session, path: string, body?: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':path': path, ':method': body === undefined ? 'GET' : 'PUT' });
    let status = 0;
    let bytes = 0;
    let sum = 0;
    stream.on('response', (head) => (status = head[':status'] ?? 0));
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      sum = sumOf(chunk, sum);
    });
    stream.on('end', () => resolve([status, bytes, sum]));
    stream.on('error', reject);
    stream.end(body);
  });
}

function session(url: string, options: object = {}): ClientHttp2Session {
  const made = connectHttp2(url, options);
  made.on('error', () => {});
  open.push(() => made.destroy());
  return made;
}

const bodies = Array.from({ length: 6 }, (_, index) => {
  const body = Buffer.alloc(700_000 + index);
  for (let at = 0; at < body.length; at++) body[at] = (at * 7 + index * 13) & 0xff;
  return body;
});
const expected = bodies.flatMap((body): Answer[] => [
  [200, body.length, sumOf(body)],
  [200, body.length, sumOf(body)],
]);

describe('HTTP/2 on real sockets', () => {
  for (const caller of ['http1', 'http2'] as const) {
    for (const endpoint of ['http1', 'http2'] as const) {
      it(`large bodies pass both ways unmixed, ${caller} to ${endpoint}`, async () => {
        const port = await origin(endpoint, bodies);
        const [proxy] = await started({
          listeners: [httpListener({ port: 0, routes: [route('/', 'api')] })],
          clusters: [cluster('api', [`127.0.0.1:${port}`], { pool: { protocol: endpoint } })],
        });
        const at = portOf(proxy);
        const shared = caller === 'http2' ? session(`http://127.0.0.1:${at}`) : undefined;
        const ask = (path: string, body?: Buffer): Promise<Answer> =>
          shared === undefined ? askHttp1(at, path, body) : askHttp2(shared, path, body);
        const answers = await Promise.all(
          bodies.flatMap((body, index) => [ask(`/${index}`), ask('/echo', body)]),
        );
        expect(answers).toEqual(expected);
      });
    }
  }

  it('two proxies choose HTTP/2 by ALPN over mutual TLS, whatever the ends speak', async () => {
    const ca = await createCa({ trustDomain: 'mesh.test', store: memoryStore() });
    open.push(() => ca.close());
    const identityOf = async (name: string) => {
      const identity = localIdentity(ca, { spiffeId: `spiffe://mesh.test/ns/default/sa/${name}` });
      open.push(() => identity.close());
      await identity.ready();
      return identity;
    };
    const port = await origin('http1', bodies);
    const [inbound, called] = await started({
      identity: await identityOf('reviews'),
      listeners: [
        httpListener({
          port: 0,
          direction: 'inbound',
          tls: {
            certificate: { kind: 'workload' },
            trust: { kind: 'mesh' },
            clientCertificate: 'require',
          },
          routes: [route('/', 'app')],
        }),
      ],
      clusters: [cluster('app', [`127.0.0.1:${port}`])],
    });
    const [outbound] = await started({
      identity: await identityOf('front'),
      listeners: [httpListener({ port: 0, routes: [route('/', 'reviews')] })],
      clusters: [
        cluster(
          'reviews',
          [
            {
              address: { host: '127.0.0.1', port: portOf(inbound) },
              mode: 'sidecar',
              identity: 'spiffe://mesh.test/ns/default/sa/reviews',
            },
          ],
          {
            tls: { certificate: { kind: 'workload' }, trust: { kind: 'mesh' } },
            pool: { protocol: 'auto' },
          },
        ),
      ],
    });
    const at = portOf(outbound);
    const answers = await Promise.all(
      bodies.flatMap((body, index) => [askHttp1(at, `/${index}`), askHttp1(at, '/echo', body)]),
    );
    expect(answers).toEqual(expected);
    expect(called.records).toHaveLength(answers.length);
    expect(new Set(called.records.map(({ protocol }) => protocol))).toEqual(new Set(['HTTP/2']));
    expect(called.records[0]?.peerIdentity).toBe('spiffe://mesh.test/ns/default/sa/front');
    expect(called.meter.value('tulle_listener_downstream_cx_http2_total', { listener: 'http' })).toBe(1);
  });
});
