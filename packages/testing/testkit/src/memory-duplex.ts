import { Duplex } from 'node:stream';
import type { TestConnection } from './test-connection.ts';

/** A test's end of a connection as a stream of Node, so that Node's own protocols run over it. It takes what arrives from now on. */
export function duplexOf(connection: TestConnection): Duplex {
  const { socket } = connection;
  let waiting: (() => void) | undefined;
  let ended = false;
  const duplex = new Duplex({
    allowHalfOpen: true,
    read() {
      socket.resume();
    },
    write(chunk: Buffer, _encoding, done) {
      socket.write(Buffer.from(chunk));
      if (socket.queuedBytes === 0) done();
      else waiting = done;
    },
    final(done) {
      socket.end();
      done();
    },
    destroy(error, done) {
      if (!ended || error !== null) socket.destroy(error !== null);
      else socket.destroy();
      done(error);
    },
  });
  const taken = (): void => {
    const done = waiting;
    waiting = undefined;
    done?.();
  };
  socket.events = {
    onOpen() {},
    onRead(chunk, start, end) {
      if (!duplex.push(Buffer.from(chunk.subarray(start, end)))) socket.pause();
    },
    onEnd() {
      ended = true;
      duplex.push(null);
    },
    onDrain: taken,
    onClose(fault) {
      taken();
      connection.onClose(fault);
      if (fault === undefined) duplex.push(null);
      duplex.destroy(fault === undefined ? undefined : new Error(fault.message));
    },
  };
  if (connection.received !== '') {
    duplex.push(Buffer.from(connection.received, 'latin1'));
    connection.received = '';
  }
  // Node's protocols ask sockets for these.
  return Object.assign(duplex, {
    remoteAddress: socket.remoteAddress,
    remotePort: socket.remotePort,
    setNoDelay: () => duplex,
    setKeepAlive: () => duplex,
    setTimeout: () => duplex,
    ref: () => duplex,
    unref: () => duplex,
  });
}
