import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { startLoad, type LoadCounts } from './load.ts';

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** Loads a server until some requests of each sort were sent. */
async function loaded(
  answer: (request: IncomingMessage, response: ServerResponse, nthOnSocket: number) => void,
): Promise<LoadCounts> {
  const seen = new WeakMap<Socket, number>();
  const server = createServer((request, response) => {
    const nth = (seen.get(request.socket) ?? 0) + 1;
    seen.set(request.socket, nth);
    answer(request, response, nth);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const load = startLoad((server.address() as AddressInfo).port);
  await expect
    .poll(() => Math.min(load.counts.fresh / 50, load.counts.kept / 100), { timeout: 10_000, interval: 5 })
    .toBeGreaterThan(1);
  return load.stop();
}

describe('load', () => {
  it('counts nothing against a server that answers right', async () => {
    const counts = await loaded((request, response) => response.end(request.url));
    expect(counts).toMatchObject({
      freshFailed: 0,
      keptFailed: 0,
      idleCloses: 0,
      quietCloses: 0,
      failures: [],
    });
  });

  it('takes a wrong answer, a wrong status and an answer that breaks off for failures', async () => {
    const counts = await loaded((request, response) => {
      const kind = Number(/\d+$/.exec(request.url ?? '')?.[0]) % 3;
      if (kind === 0) response.end('something else');
      else if (kind === 1) response.writeHead(503).end(request.url);
      else {
        response.writeHead(200, { 'content-length': '100' });
        response.write('x', () => request.socket.destroy());
      }
    });
    expect(counts.freshFailed).toBe(counts.fresh);
    expect(counts.keptFailed).toBe(counts.kept);
    expect(counts.idleCloses).toBe(0);
    expect(counts.failures.join('\n')).toMatch(/answered 200: something else[^]*answered 503|cut off/);
  });

  it('sends again what found its kept-alive connection closed, and counts that apart', async () => {
    const counts = await loaded((request, response, nth) => {
      if (nth > 1) request.socket.destroy();
      else response.end(request.url);
    });
    expect(counts).toMatchObject({ freshFailed: 0, keptFailed: 0 });
    expect(counts.idleCloses).toBeGreaterThan(10);
  });

  it('counts connections that are closed while idle, but not those whose end was announced', async () => {
    const quiet = await loaded((request, response) => {
      response.end(request.url, () => setTimeout(() => request.socket.destroy(), 1));
    });
    expect(quiet.quietCloses + quiet.idleCloses).toBeGreaterThan(50);
    expect(quiet.keptFailed).toBe(0);
    const announced = await loaded((request, response) => {
      response.setHeader('connection', 'close').end(request.url);
    });
    expect(announced).toMatchObject({ keptFailed: 0, idleCloses: 0, quietCloses: 0 });
  });

  it('takes a connection that is closed before its first answer for a failure, also on a kept-alive one', async () => {
    const counts = await loaded((request) => request.socket.destroy());
    expect(counts.freshFailed).toBe(counts.fresh);
    expect(counts.keptFailed).toBe(counts.kept);
    expect(counts.idleCloses).toBe(0);
  });
});
