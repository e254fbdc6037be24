import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import {
  connect,
  createServer as createTcpServer,
  type AddressInfo,
  type Server as TcpServer,
} from 'node:net';
import { cluster, createProxy, httpListener, route, tcpListener, type Proxy } from '@tulle/proxy';
import type { TcpKeepalive } from '@tulle/model';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { memoryLog } from '../src/index.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close();
});

async function listening<T extends Server | TcpServer>(server: T): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push({ close: () => new Promise((resolve) => server.close(resolve)) });
  return (server.address() as AddressInfo).port;
}

async function started(options: Parameters<typeof createProxy>[0]): Promise<Proxy> {
  const proxy = createProxy({ log: memoryLog(), ...options });
  await proxy.start();
  open.push({ close: () => proxy.stop() });
  return proxy;
}

const portOf = (proxy: Proxy, listener: string): number =>
  (proxy.addresses()[listener] as { port: number }).port;

/** @returns status and body length, hashed by summing octets so that a foreign byte shows */
function send(
  port: number,
  path: string,
  body?: Buffer,
): Promise<[status: number, bytes: number, sum: number]> {
  return new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port,
      path,
      method: body === undefined ? 'GET' : 'PUT',
      agent: false,
    };
    const outgoing = request(options, (response: IncomingMessage) => {
      let bytes = 0;
      let sum = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        for (const octet of chunk) sum = (sum * 31 + octet) | 0;
      });
      response.on('end', () => resolve([response.statusCode ?? 0, bytes, sum]));
      response.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

function sumOf(bytes: Buffer): number {
  let sum = 0;
  for (const octet of bytes) sum = (sum * 31 + octet) | 0;
  return sum;
}

it.runIf(process.platform === 'linux')(
  'the kernel asks callers that are silent, where a listener says so',
  async () => {
    const timers = async (tcpKeepalive?: TcpKeepalive): Promise<string[]> => {
      const proxy = await started({
        listeners: [
          {
            ...httpListener({ name: 'front', host: '127.0.0.1', port: 0, routes: [route('/', 'api')] }),
            ...(tcpKeepalive && { tcpKeepalive }),
          },
        ],
        clusters: [cluster('api', ['127.0.0.1:1'])],
      });
      const port = portOf(proxy, 'front');
      const caller = connect(port, '127.0.0.1');
      open.push({ close: () => caller.destroy() });
      await once(caller, 'connect');
      await vi.waitFor(() => expect(proxy.stats.connections).toBe(1));
      const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
      // Of the established connection at that port: which timer runs (02 is that of keepalive), and when it ends.
      return readFileSync('/proc/net/tcp', 'utf8')
        .split('\n')
        .map((line) => line.trim().split(/\s+/))
        .filter(([, at = '', , state]) => at.endsWith(local) && state === '01')
        .map(([, , , , , timer = '']) => timer);
    };
    expect(await timers({ idleMs: 30_000, intervalMs: 5_000, probes: 3 })).toEqual([
      expect.stringMatching(/^02:00000B[0-9A-F]{2}$/),
    ]);
    expect(await timers()).toEqual([expect.stringMatching(/^00:/)]);
  },
);

describe('on real sockets', () => {
  it('large bodies pass both ways unmixed while many stream at once', async () => {
    const bodies = Array.from({ length: 8 }, (_, index) => {
      const body = Buffer.alloc(700_000 + index);
      for (let at = 0; at < body.length; at++) body[at] = (at * 7 + index * 13) & 0xff;
      return body;
    });
    const origin = createServer((incoming, response) => {
      const pieces: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => pieces.push(chunk));
      incoming.on('end', () =>
        response.end(
          incoming.method === 'PUT' ? Buffer.concat(pieces) : bodies[Number(incoming.url?.slice(1))],
        ),
      );
    });
    const port = await listening(origin);
    const proxy = await started({
      listeners: [httpListener({ port: 0, routes: [route('/', 'api')] })],
      clusters: [cluster('api', [`127.0.0.1:${port}`])],
    });
    const results = await Promise.all(
      bodies.flatMap((body, index) => [
        send(portOf(proxy, 'http'), `/${index}`),
        send(portOf(proxy, 'http'), '/echo', body),
      ]),
    );
    expect(results).toEqual(
      bodies.flatMap((body) => [
        [200, body.length, sumOf(body)],
        [200, body.length, sumOf(body)],
      ]),
    );
    await proxy.stop();
    origin.closeAllConnections();
  });

  it('TCP keeps half-close', async () => {
    const echo = createTcpServer({ allowHalfOpen: true }, (socket) => {
      socket.on('data', (chunk) => socket.write(chunk));
      socket.on('end', () => socket.end('bye'));
      socket.on('error', () => {});
    });
    const port = await listening(echo);
    const proxy = await started({
      listeners: [tcpListener({ port: 0, cluster: 'echo' })],
      clusters: [cluster('echo', [`127.0.0.1:${port}`])],
    });
    const received = await new Promise<string>((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port: portOf(proxy, 'tcp'), allowHalfOpen: true });
      let text = '';
      socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
      socket.on('end', () => resolve(text));
      socket.on('error', reject);
      socket.end('hello');
    });
    expect(received).toBe('hellobye');
  });

  it('says which address cannot be had, and what to do', async () => {
    const port = await listening(createTcpServer());
    const proxy = createProxy({
      log: memoryLog(),
      listeners: [httpListener({ port, routes: [route('/', { kind: 'direct', status: 200 })] })],
    });
    await expect(proxy.start()).rejects.toThrow(/cannot listen on 127\.0\.0\.1:\d+: the address is in use/);
    expect(proxy.state).toBe('stopped');
  });
});
