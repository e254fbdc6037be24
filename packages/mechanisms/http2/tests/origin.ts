import { FieldTable } from '@tulle/fields';
import { RequestHead } from '@tulle/http1';
import { createServer, type Server, type Socket } from 'node:net';
import {
  H2_NO_ERROR,
  type Http2Events,
  type Http2Options,
  type Http2Stream,
  ServerSession,
} from '../src/index.ts';
import { SocketOutput } from './socket-output.ts';

/** What the origin knows of one request. */
export interface Exchange {
  readonly head: RequestHead;
  readonly body: Buffer[];
}

/** Answers a request that is whole. */
export type Answer = (
  session: ServerSession<Exchange>,
  stream: Http2Stream<Exchange>,
  exchange: Exchange,
) => void;

/** Answers 200 with what came as body, or a line of text. */
export const echo: Answer = (session, stream, exchange) => {
  const body =
    exchange.body.length > 0
      ? Buffer.concat(exchange.body)
      : Buffer.from('The quick brown fox jumps over the lazy dog.\n');
  const fields = new FieldTable();
  fields.add('content-type', 'text/plain');
  if (exchange.head.method === 'HEAD') {
    session.writeHead(stream, 200, fields, body.length, true);
    return;
  }
  session.writeHead(stream, 200, fields, body.length, false);
  session.writeData(stream, body, 0, body.length, true, true);
};

/** Serves HTTP/2 with prior knowledge on a socket. */
export function serveConnection(
  socket: Socket,
  answer: Answer = echo,
  options: Partial<Http2Options> = {},
  on: Partial<Http2Events<Exchange>> = {},
): ServerSession<Exchange> {
  const output = new SocketOutput(socket);
  const whole = (stream: Http2Stream<Exchange>): void => answer(session, stream, stream.user);
  const events: Http2Events<Exchange> = {
    requestHead(stream) {
      stream.user = { head: new RequestHead(), body: [] };
      return stream.user.head;
    },
    onHead(stream, endStream) {
      if (endStream) whole(stream);
    },
    onHeadFault(stream, fault, endStream) {
      session.writeHead(stream, fault.status, new FieldTable(), 0, true);
      if (!endStream) session.reset(stream, H2_NO_ERROR);
    },
    onInformational() {},
    onData(stream, chunk, start, end, endStream) {
      stream.user.body.push(Buffer.from(chunk.subarray(start, end)));
      session.consume(stream, end - start);
      if (endStream) whole(stream);
    },
    onEnd: whole,
    onReset() {},
    onClosed() {},
    onDrain() {},
    onSettings() {},
    onSettingsAck() {},
    onGoaway() {},
    onPong() {},
    onStreamFault() {},
    onFault() {
      output.flush();
      socket.end();
    },
    ...on,
  };
  const session = new ServerSession<Exchange>(events, output, options);
  session.start();
  socket.setNoDelay(true);
  socket.on('data', (chunk: Buffer) => session.receive(chunk, 0, chunk.length, performance.now()));
  socket.on('drain', () => session.pump());
  socket.on('end', () => {
    session.peerEnded();
    output.flush();
    socket.end();
  });
  socket.on('error', () => socket.destroy());
  socket.on('close', () => session.abort());
  return session;
}

/** Listens on a free port of the loopback. */
export async function listen(onConnection: (socket: Socket) => void, port = 0): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, onConnection);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return server;
}
