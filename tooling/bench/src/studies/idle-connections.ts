import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import type { Pki } from '../pki.ts';
import { perItem, withMemoryProxy } from './memory-proxy.ts';
import type { Study } from './study.ts';

const CONNECTIONS = 5000;
/** Opened and closed before, so that code and buffers that are there once do not count. */
const WARM_UP = 500;
/** Handshakes and requests under way at a time. */
const AT_A_TIME = 50;

const REQUEST = 'GET /items/42 HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: bench/1.0\r\n\r\n';

/** Memory of a caller's connection that made a request and rests. */
export const idleConnections: Study = {
  name: 'idle-connections',
  about: `memory of an idle HTTP/1.1 connection of a caller after a request, of ${CONNECTIONS}, plain and mutual TLS 1.3`,
  async run({ pki, directory, progress }) {
    const figures = [];
    for (const [kind, mesh] of [
      ['plain', false],
      ['plain', true],
      ['tls', true],
    ] as const) {
      const name = `${kind}, ${mesh ? 'mesh set' : 'bare'}`;
      progress(`idle-connections: ${name}`);
      const found = await withMemoryProxy(
        {
          directory: join(directory, `idle-${kind}-${mesh}`),
          origin: { bodyBytes: 64, http2: 'response' },
          http2: false,
          mesh,
          ...(kind === 'tls' ? { tls: pki } : {}),
        },
        async (proxy) => {
          close(await open(proxy.port, WARM_UP, kind === 'tls' ? pki : undefined));
          await closed();
          const before = await proxy.memory();
          const sockets = await open(proxy.port, CONNECTIONS, kind === 'tls' ? pki : undefined);
          const after = await proxy.memory();
          close(sockets);
          return perItem(before, after, CONNECTIONS);
        },
      );
      figures.push({ connection: name, ...found });
    }
    const lines = figures.map(
      ({ connection, rssBytes, liveBytes }) =>
        `  ${connection.padEnd(20)}${String(rssBytes).padStart(16)}${String(liveBytes).padStart(22)}`,
    );
    return {
      figures,
      text: `  connection               RSS bytes each   heap and owned bytes\n${lines.join('\n')}\n`,
    };
  },
};

/** Opens connections, each with one request answered. */
async function open(port: number, count: number, pki: Pki | undefined): Promise<net.Socket[]> {
  const sockets: net.Socket[] = [];
  let left = count;
  const one = async (): Promise<void> => {
    while (left-- > 0) sockets.push(await connect(port, pki));
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, one));
  return sockets;
}

function connect(port: number, pki: Pki | undefined): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket =
      pki === undefined
        ? net.connect(port, '127.0.0.1')
        : tls.connect({
            port,
            host: '127.0.0.1',
            servername: 'origin.bench',
            minVersion: 'TLSv1.3',
            key: pki.clientKeyPem,
            cert: pki.clientCertPem,
            ca: pki.caPem,
          });
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('a connection was closed')));
    socket.once(pki === undefined ? 'connect' : 'secureConnect', () => socket.write(REQUEST));
    socket.once('data', (bytes: Buffer) => {
      if (bytes.toString('latin1').startsWith('HTTP/1.1 200')) resolve(socket);
      else reject(new Error(`a response that was not wanted: ${bytes.toString('latin1').slice(0, 200)}`));
    });
  });
}

function close(sockets: readonly net.Socket[]): void {
  for (const socket of sockets) socket.destroy();
}

/** Until the proxy has noticed; it has no way to say so. */
function closed(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 500);
  });
}
