import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { createCa, localIdentity, memoryStore } from '@tulle/ca';
import { cluster, createProxy, httpListener, route } from '@tulle/proxy';
import type { Target } from './client.ts';

/** A proxy under test that this process starts. */
export interface Subject extends Target {
  stop(): Promise<void>;
}

/** Tulle with one route to the origin, WebSocket upgrades allowed, nothing else on. */
export function tulle(originPort: number, protocol: 'http1' | 'http2' = 'http1'): Promise<Subject> {
  return tulleWith(originPort, protocol, undefined);
}

/** The same, to callers over TLS 1.3. */
export async function tulleOverTls(originPort: number): Promise<Subject> {
  const ca = await createCa({ trustDomain: 'hostile.test', store: memoryStore() });
  const identity = localIdentity(ca, { spiffeId: 'spiffe://hostile.test/ns/default/sa/proxy' });
  await identity.ready();
  const subject = await tulleWith(originPort, 'http1', identity);
  return {
    ...subject,
    async stop() {
      await subject.stop();
      identity.close();
      await ca.close();
    },
  };
}

async function tulleWith(
  originPort: number,
  protocol: 'http1' | 'http2',
  identity: ReturnType<typeof localIdentity> | undefined,
): Promise<Subject> {
  const proxy = createProxy({
    listeners: [
      httpListener({
        name: 'hostile',
        port: 0,
        ...(identity === undefined ? {} : { tls: { certificate: { kind: 'workload' } } }),
        routes: [route('/', 'origin', { allowUpgrades: ['websocket'] })],
      }),
    ],
    ...(identity === undefined ? {} : { identity }),
    clusters: [cluster('origin', [`127.0.0.1:${originPort}`], { pool: { protocol } })],
    // judged is what passes, on a machine that is busy with sending it
    overload: false,
    log: { debug() {}, info() {}, warn() {}, error() {} },
  });
  await proxy.start();
  const address = proxy.addresses()['hostile'];
  if (address === undefined || !('port' in address)) throw new Error('the listener has no port');
  return {
    host: '127.0.0.1',
    port: address.port,
    tls: identity !== undefined,
    stop: () => proxy.stop(),
  };
}

/** The fifteen lines that many Node proxies are, to see that the judges see something. */
export async function nodeHttp(originPort: number): Promise<Subject> {
  const agent = new http.Agent({ keepAlive: true });
  const server = http.createServer((request, response) => {
    const upstream = http.request(
      {
        port: originPort,
        host: '127.0.0.1',
        method: request.method,
        path: request.url,
        headers: request.headers,
        agent,
      },
      (answer) => {
        try {
          response.writeHead(answer.statusCode ?? 502, answer.headers);
        } catch {
          response.writeHead(502).end();
          return answer.destroy();
        }
        answer.pipe(response);
        answer.on('error', () => response.destroy());
      },
    );
    upstream.on('error', () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
    request.on('error', () => upstream.destroy());
    request.pipe(upstream);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    async stop() {
      agent.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
