import { createServer, type Server, type Socket } from 'node:net';
import type { Seen } from './origins.ts';

/** How an origin behaves that speaks no protocol. @param name its own */
type Behaviour = (socket: Socket, name: string) => void;

const BEHAVIOURS: Readonly<Record<string, Behaviour>> = {
  echo,
  'echo-b': echo,
  // Answers when it has everything.
  waits(socket) {
    let length = 0;
    socket.on('data', (piece: Buffer) => (length += piece.length));
    socket.on('end', () => socket.end(`${length} bytes`));
  },
  resets(socket) {
    socket.once('data', () => socket.resetAndDestroy());
  },
  // Has said everything at once, and goes on listening.
  greets(socket) {
    socket.end('welcome');
  },
};

/** Sends back what it gets, after its name. */
function echo(socket: Socket, name: string): void {
  socket.write(`${name}:`);
  socket.on('data', (piece: Buffer) => void socket.write(piece));
  socket.on('end', () => socket.end());
}

/**
 * Origins of bytes, by name.
 * @param arrived gets what one connection brought, as one request, when it has ended
 * @param opened is told of each that begins
 */
export function tcpOrigins(arrived: (one: Seen) => void, opened: () => void): (readonly [string, Server])[] {
  return Object.entries(BEHAVIOURS).map(([origin, behave]) => [
    origin,
    createServer({ allowHalfOpen: true }, (socket) => {
      opened();
      let body = '';
      let fault: string | undefined;
      socket.on('data', (piece: Buffer) => void (body += piece.toString('latin1')));
      socket.on('error', ({ code }: Error & { readonly code?: string }) => {
        if (code === 'ECONNRESET') fault = 'reset';
      });
      behave(socket, origin);
      socket.on('close', () =>
        arrived({
          ...{ origin, version: 'tcp', method: '', path: '', host: '', headers: [], body, trailers: [] },
          ...(fault === undefined ? {} : { fault }),
        }),
      );
    }),
  ]);
}
