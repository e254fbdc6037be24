/**
 * Runs inside a network namespace whose rules lead connections from 127.0.0.9 and fd00::9 to port 15001: services, a proxy
 * that sends each connection where it was going, and clients. Prints what each client was answered, as JSON.
 */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { createProxy, nodeTransport, tcpListener } from '@tulle/proxy';
import { kernelDestinations } from '../src/index.ts';

const PROXY_PORT = 15_001;

async function serve(host: string, port: number): Promise<void> {
  const server = createServer((socket) => socket.end(`${host} ${port}`));
  server.listen(port, host);
  await once(server, 'listening');
}

/** @returns what it said until it closed; nothing where it closed at once, by end or reset */
async function ask(host: string, port: number, localAddress: string): Promise<string> {
  const closed = Promise.withResolvers<string>();
  const socket = connect({ host, port, localAddress });
  let said = '';
  socket.on('data', (bytes) => (said += bytes.toString('latin1')));
  socket.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ECONNRESET') said = error.message;
  });
  socket.on('close', () => closed.resolve(said));
  return closed.promise;
}

await serve('127.0.0.2', 7777);
await serve('127.0.0.3', 7778);
await serve('fd00::2', 7777);
const proxy = createProxy({
  log: { debug() {}, info() {}, warn() {}, error() {} },
  transport: nodeTransport({ originalDestination: kernelDestinations }),
  listeners: [
    { ...tcpListener({ host: '::', port: PROXY_PORT, cluster: 'out' }), originalDestination: true },
  ],
  clusters: [{ name: 'out', discovery: { kind: 'original-dst' } }],
});
await proxy.start();
const answers = {
  first: await ask('127.0.0.2', 7777, '127.0.0.9'),
  second: await ask('127.0.0.3', 7778, '127.0.0.9'),
  sixth: await ask('fd00::2', 7777, 'fd00::9'),
  straight: await ask('127.0.0.1', PROXY_PORT, '127.0.0.1'),
  straightSixth: await ask('::1', PROXY_PORT, '::1'),
  connections: 0,
};
answers.connections = proxy.stats.connections;
console.log(JSON.stringify(answers));
process.exit(0);
