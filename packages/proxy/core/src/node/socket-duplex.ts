import { Duplex } from 'node:stream';
import type { Socket } from '../ports.ts';

/** A socket of the engine as a stream of Node, so that Node's TLS runs over it. It may not be open yet. */
export function duplexOver(socket: Socket, firstBytes?: Buffer): Duplex {
  let waiting: (() => void) | undefined;
  const taken = (): void => {
    const done = waiting;
    waiting = undefined;
    done?.();
  };
  const duplex = new Duplex({
    allowHalfOpen: true,
    read: () => socket.resume(),
    write(chunk: Buffer, _encoding, done) {
      socket.write(chunk);
      if (socket.queuedBytes === 0) done();
      else waiting = done;
    },
    final(done) {
      socket.end();
      done();
    },
    destroy(error, done) {
      socket.destroy(error !== null);
      taken();
      done(error);
    },
  });
  socket.events = {
    onOpen() {},
    onRead(chunk, start, end) {
      // Node keeps what it is given, as long as it likes.
      if (!duplex.push(Buffer.from(chunk.subarray(start, end)))) socket.pause();
    },
    onEnd: () => void duplex.push(null),
    onDrain: taken,
    onClose(fault) {
      taken();
      // Both directions came to their end: what has not been read yet is still there, and the stream closes behind it.
      if (fault === undefined && duplex.writableEnded) return void duplex.push(null);
      duplex.destroy(fault && Object.assign(new Error(fault.message), { code: fault.reason }));
    },
  };
  if (firstBytes !== undefined && firstBytes.length > 0) duplex.push(firstBytes);
  return duplex;
}
