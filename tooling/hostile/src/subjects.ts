import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { cluster, createProxy, httpListener, route } from '@tulle/proxy';
import type { Target } from './client.ts';

/** A proxy under test that this process starts. */
export interface Subject extends Target {
  stop(): Promise<void>;
}

/** Tulle with one route to the origin, WebSocket upgrades allowed, nothing else on. */
export async function tulle(originPort: number, protocol: 'http1' | 'http2' = 'http1'): Promise<Subject> {
  const proxy = createProxy({
    listeners: [
      httpListener({
        name: 'hostile',
        port: 0,
        routes: [route('/', 'origin', { allowUpgrades: ['websocket'] })],
      }),
    ],
    clusters: [cluster('origin', [`127.0.0.1:${originPort}`], { pool: { protocol } })],
    // judged is what passes, on a machine that is busy with sending it
    overload: false,
    log: { debug() {}, info() {}, warn() {}, error() {} },
  });
  await proxy.start();
  const address = proxy.addresses()['hostile'];
  if (address === undefined || !('port' in address)) throw new Error('the listener has no port');
  return { host: '127.0.0.1', port: address.port, stop: () => proxy.stop() };
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
