import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { cluster, createProxy, httpListener, route, type Proxy } from '@tulle/proxy';
import { afterEach, describe, expect, it } from 'vitest';
import { memoryLog } from '../src/index.ts';

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

const HI = Buffer.from([0x81, 2, 0x68, 0x69]); // a text frame

/** An application that takes WebSockets as RFC 6455 has them, says hi and repeats what comes. */
async function application(): Promise<{ port: number; keys: string[] }> {
  const keys: string[] = [];
  const server = createServer((_, response) => void response.writeHead(404).end()).on(
    'upgrade',
    (request, socket) => {
      const key = request.headers['sec-websocket-key'] ?? '';
      keys.push(key);
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      socket.on('error', () => {});
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      );
      socket.write(HI);
      socket.on('data', (frame: Buffer) => {
        const text = frame.subarray(6).map((octet, i) => octet ^ (frame[2 + (i % 4)] as number));
        socket.write(Buffer.concat([Buffer.from([0x81, text.length]), text])); // masked by callers only
      });
      open.push(() => socket.destroy());
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(() => server.close());
  return { port: (server.address() as AddressInfo).port, keys };
}

/** @returns its port */
async function proxyTo(
  port: number,
  protocol: 'http1' | 'http2',
  more: { readonly maxStreamDurationMs?: number } = {},
): Promise<number> {
  const proxy: Proxy = createProxy({
    log: memoryLog(),
    listeners: [
      httpListener({ name: 'http', port: 0, host: '127.0.0.1', routes: [route('/', 'next')], ...more }),
    ],
    clusters: [cluster('next', [`127.0.0.1:${port}`], { pool: { protocol } })],
  });
  await proxy.start();
  open.push(() => proxy.stop());
  return (proxy.addresses()['http'] as { port: number }).port;
}

describe('a WebSocket', () => {
  it.each(['http1', 'http2'] as const)(
    'ends when its stream has lasted as long as it may, %s, and leaves nothing to later ones',
    async (protocol) => {
      const app = await application();
      const next = protocol === 'http2' ? await proxyTo(app.port, 'http1') : app.port;
      const entry = await proxyTo(next, protocol, { maxStreamDurationMs: 300 });
      for (let round = 0; round < 3; round++) {
        const socket = new WebSocket(`ws://127.0.0.1:${entry}/`);
        open.push(() => socket.close());
        const said: unknown[] = [];
        socket.addEventListener('message', ({ data }) => void said.push(data));
        await new Promise((resolve) => socket.addEventListener('close', resolve));
        expect(said).toEqual(['hi']);
        // The application answers what is no upgrade with nothing but an end: each is told so, none waits.
        const others = await Promise.all(
          [1, 2, 3].map(async () => (await fetch(`http://127.0.0.1:${entry}/`)).status),
        );
        expect(others).toEqual([404, 404, 404]);
      }
    },
  );

  it('of a caller of HTTP/1.1 goes over HTTP/2 between two proxies, with the handshake that both ends ask for', async () => {
    const app = await application();
    const entry = await proxyTo(await proxyTo(app.port, 'http1'), 'http2');
    const socket = new WebSocket(`ws://127.0.0.1:${entry}/`);
    open.push(() => socket.close());
    const said: unknown[] = [];
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener('error', () => reject(new Error('the handshake failed')));
      socket.addEventListener('message', ({ data }) => {
        said.push(data);
        if (said.length === 1) socket.send('there');
        else resolve();
      });
    });
    expect(said).toEqual(['hi', 'there']);
  });

  it('of a caller of HTTP/2 reaches an application of HTTP/1.1, which is given a key', async () => {
    const app = await application();
    const session = connectHttp2(`http://127.0.0.1:${await proxyTo(app.port, 'http1')}`);
    open.push(() => session.destroy());
    await new Promise((resolve) => session.once('remoteSettings', resolve));
    expect(session.remoteSettings.enableConnectProtocol).toBe(true);
    const stream = session.request({
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':path': '/',
      'sec-websocket-version': '13',
    });
    const [head, first] = await new Promise<[Record<string, unknown>, Buffer]>((resolve) => {
      stream.once('response', (headers) => stream.once('data', (data: Buffer) => resolve([headers, data])));
    });
    expect([head[':status'], head['sec-websocket-accept']]).toEqual([200, undefined]);
    expect(first).toEqual(HI);
    expect(app.keys).toEqual([expect.stringMatching(/^[A-Za-z0-9+/]{21}[AQgw]==$/)]);
  });
});
