/** Runs inside a network that captures what 127.0.0.9 calls: a service, and what callers hear who call it. Prints that as JSON. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

const server = createServer((socket) => socket.end(`from ${socket.remoteAddress}`));
server.listen(7777, '127.0.0.2');
await once(server, 'listening');

async function hear(localAddress: string): Promise<string> {
  const socket = connect({ host: '127.0.0.2', port: 7777, localAddress });
  let said = '';
  socket.on('data', (bytes) => (said += bytes.toString('latin1')));
  await once(socket, 'end');
  return said;
}

console.log(JSON.stringify({ captured: await hear('127.0.0.9'), free: await hear('127.0.0.8') }));
process.exit(0);
