// The origin, over raw sockets: answers every HTTP/1.1 request with one fixed response, on another port HTTP/2 likewise, or as
// a gRPC service. With a key, HTTP/1.1 over mutual TLS 1.3.
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { H2Connection } from './wire/h2-connection.ts';
import { grpcMessage } from './wire/grpc-message.ts';
import type { Fields } from './wire/header-encoder.ts';

/** What an origin is told. */
export interface OriginSetup {
  readonly bodyBytes: number;
  /**
   * What HTTP/2 streams get: a response, a gRPC response of one message, or the messages that they send. `long-or-response`:
   * streams with a request body get one of `longBytes`, the others a response.
   */
  readonly http2: 'response' | 'grpc-unary' | 'grpc-echo' | 'long-or-response';
  readonly longBytes?: number;
  readonly tls?: { readonly key: string; readonly cert: string; readonly ca: string };
}

const DATE = 'Sun, 06 Nov 1994 08:49:37 GMT';
const GRPC_HEAD: Fields = [
  [':status', '200'],
  ['content-type', 'application/grpc'],
];
const LONG_HEAD: Fields = [
  [':status', '200'],
  ['content-type', 'application/octet-stream'],
];
const PIECE: Buffer = Buffer.alloc(65_536, 'x');
const GRPC_TRAILERS: Fields = [['grpc-status', '0']];

process.once('message', (setup: OriginSetup) => void serve(setup));

async function serve(setup: OriginSetup): Promise<void> {
  const body = Buffer.alloc(setup.bodyBytes, 'x');
  const http1 =
    setup.tls === undefined
      ? net.createServer((socket) => serveHttp1(socket, body))
      : tls.createServer(
          { ...setup.tls, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' },
          (socket) => serveHttp1(socket, body),
        );
  const http2 = net.createServer((socket) => serveHttp2(socket, body, setup));
  const ports = await Promise.all(
    [http1, http2].map(async (server) => {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      return (server.address() as net.AddressInfo).port;
    }),
  );
  process.send?.({ http1Port: ports[0], http2Port: ports[1] });
}

function serveHttp1(socket: net.Socket, body: Buffer): void {
  const response = Buffer.concat([
    Buffer.from(
      `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\nDate: ${DATE}\r\n\r\n`,
    ),
    body,
  ]);
  let matched = 0;
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('data', (piece: Buffer) => {
    let answers = 0;
    for (let i = 0; i < piece.length; i++) {
      const byte = piece[i];
      if (byte === (matched % 2 === 0 ? 13 : 10)) {
        if (++matched === 4) {
          answers++;
          matched = 0;
        }
      } else matched = byte === 13 ? 1 : 0;
    }
    for (let i = 0; i < answers; i++) socket.write(response);
  });
}

function serveHttp2(socket: net.Socket, body: Buffer, { http2: kind, longBytes = 0 }: OriginSetup): void {
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  const head: Fields = [
    [':status', '200'],
    ['content-type', 'text/plain'],
    ['content-length', String(body.length)],
    ['date', DATE],
  ];
  const message = grpcMessage(body.length);
  const longs = new Map<number, number>();
  const pump = (): void => {
    for (const [stream, left] of longs) {
      let remaining = left;
      // A piece at a time, so that short responses get their turns.
      while (remaining > 0 && !connection.full) {
        const bytes = Math.min(PIECE.length, remaining);
        remaining -= bytes;
        connection.sendData(stream, PIECE.subarray(0, bytes), remaining === 0);
        connection.flush();
      }
      if (remaining === 0) longs.delete(stream);
      else longs.set(stream, remaining);
    }
  };
  const answer = (stream: number, hasBody: boolean): void => {
    if (kind === 'long-or-response' && hasBody) {
      connection.sendHeaders(stream, LONG_HEAD, false);
      longs.set(stream, longBytes);
      pump();
      return;
    }
    if (kind === 'response' || kind === 'long-or-response') {
      connection.sendHeaders(stream, head, body.length === 0);
      if (body.length > 0) connection.sendData(stream, body, true);
      return;
    }
    if (kind === 'grpc-unary') {
      connection.sendHeaders(stream, GRPC_HEAD, false);
      connection.sendData(stream, message, false);
    }
    connection.sendHeaders(stream, GRPC_TRAILERS, true);
    connection.forget(stream);
  };
  const connection = new H2Connection(
    socket,
    {
      headers(stream, endStream) {
        if (kind === 'grpc-echo') connection.sendHeaders(stream, GRPC_HEAD, false);
        if (endStream) answer(stream, false);
      },
      data(stream, bytes, endStream) {
        if (kind === 'grpc-echo' && bytes.length > 0) connection.sendData(stream, bytes, false);
        if (endStream) answer(stream, true);
      },
      reset(stream) {
        longs.delete(stream);
        connection.forget(stream);
      },
      room: pump,
    },
    { role: 'server' },
  );
}
