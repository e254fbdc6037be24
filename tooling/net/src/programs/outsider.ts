/** A service outside of the mesh: says at 7070, over IPv4 and IPv6, who said what. */
import { createServer } from 'node:net';

const server = createServer((socket) => {
  socket.on('error', () => {});
  socket.once('data', (bytes) =>
    socket.end(`${socket.remoteAddress?.replace('::ffff:', '')} said ${bytes.toString()}`),
  );
});
server.listen(7070, '::', () => process.stdout.write('listening\n'));
