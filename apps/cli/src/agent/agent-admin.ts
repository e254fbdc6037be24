import { chmodSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CONTENT_TYPES, renderText, type Registry } from '@tulle/metrics';
import { isUnixAddress, type Address } from '@tulle/model';

/** An agent's admin interface. */
export interface AgentAdmin {
  readonly address: Address;
  close(): Promise<void>;
}

/**
 * Serves `GET /status` (JSON) and `GET /stats/prometheus`: no secrets, and nothing that can be changed.
 * @param address a Unix socket in a directory that is this process's alone (mode 0600), or a loopback address
 * @throws Error when the address is taken
 */
export async function serveAgentAdmin(
  address: Address,
  registry: Registry,
  status: () => object,
): Promise<AgentAdmin> {
  const pages = new Map<string, () => { type: string; text: string }>([
    ['/status', () => ({ type: 'application/json', text: `${JSON.stringify(status(), null, 2)}\n` })],
    [
      '/stats/prometheus',
      () => ({ type: CONTENT_TYPES.prometheus, text: [...renderText(registry, 'prometheus')].join('') }),
    ],
  ]);
  const server = createServer((request, response) => {
    const page = pages.get(new URL(request.url ?? '/', 'http://admin').pathname);
    const code = request.method !== 'GET' ? 405 : page === undefined ? 404 : 200;
    if (code !== 200 || page === undefined) {
      const error = code === 405 ? 'GET only' : `there are ${[...pages.keys()].join(' and ')}`;
      response.writeHead(code, { 'content-type': 'application/json' }).end(`${JSON.stringify({ error })}\n`);
      return;
    }
    const { type, text } = page();
    response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' }).end(text);
  });
  if (isUnixAddress(address)) rmSync(address.path, { force: true }); // the directory is locked, so nobody listens
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(isUnixAddress(address) ? { path: address.path } : address, () => {
      server.off('error', reject);
      resolve();
    });
  });
  if (isUnixAddress(address)) chmodSync(address.path, 0o600);
  return {
    address: isUnixAddress(address)
      ? address
      : { host: address.host, port: (server.address() as AddressInfo).port },
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
