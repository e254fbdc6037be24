import type net from 'node:net';
import { Duplex } from 'node:stream';

/**
 * A stream in memory that has what comes on `socket`, and writes to it: `node:http2` takes the handle of a real socket, so
 * that neither octets read before nor what it answers could be looked at.
 */
export function relay(
  socket: net.Socket,
  read?: (chunk: Buffer) => void,
  written?: (chunk: Buffer) => void,
): Duplex {
  const behind = new Duplex({
    read: () => socket.resume(),
    write: (chunk: Buffer, _encoding, done) => {
      written?.(chunk);
      if (socket.write(chunk)) done();
      else socket.once('drain', done);
    },
    final: (done) => {
      socket.end();
      done();
    },
  });
  socket.on('data', (chunk: Buffer) => {
    read?.(chunk);
    if (!behind.push(chunk)) socket.pause();
  });
  socket.on('end', () => behind.push(null));
  socket.on('error', () => {});
  socket.on('close', () => behind.destroy());
  behind.on('error', () => {});
  behind.on('close', () => socket.destroy());
  return behind;
}
