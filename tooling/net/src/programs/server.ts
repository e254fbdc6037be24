/**
 * An ordinary service, which knows nothing of a mesh: HTTP/1.1 with WebSocket on 8080, 8090, 8091 and 9090 to 9092, gRPC on 8081, HTTP/2 with
 * prior knowledge on 8082, TLS of its own on 8443, a server that speaks first on 2525 to 2527 (as SMTP) and 3306 (as MySQL).
 * Arguments: its name, and the directory of its certificate.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { Server, ServerCredentials } from '@grpc/grpc-js';

const [name = '', directory = ''] = process.argv.slice(2);
/** Every address, of IPv6 and IPv4. */
const HOST = '::';

const quiet = (socket: Socket): Socket => socket.on('error', () => {});

function web(port: number): void {
  const server = createHttpServer((request, response) => {
    const { 'x-forwarded-client-cert': caller, 'x-request-id': id } = request.headers;
    response.end(JSON.stringify({ name, url: request.url, caller, proxied: id !== undefined }));
  });
  server.on('upgrade', (request: IncomingMessage, socket: Socket) => {
    const key = request.headers['sec-websocket-key'];
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    quiet(socket).on('data', (frame: Buffer) => {
      // Short text frames of a client, masked (RFC 6455 §5.2); anything else ends it.
      const length = (frame[1] ?? 0) & 0x7f;
      if (frame[0] !== 0x81 || length > 125 || frame.length < 6 + length) return socket.destroy();
      const text = Buffer.from(frame.subarray(6, 6 + length));
      for (const [i, byte] of text.entries()) text[i] = byte ^ (frame[2 + (i % 4)] as number);
      return socket.write(Buffer.concat([Buffer.from([0x81, length]), text]));
    });
  });
  server.listen(port, HOST);
}

/** Greets at once, then repeats lines. */
function greeter(port: number, greeting: string): void {
  createServer((socket) => {
    quiet(socket).write(greeting);
    socket.pipe(socket);
  }).listen(port, HOST);
}

web(8080);
web(8090);
web(8091);
web(9090);
web(9091);
web(9092);
greeter(2525, `220 ${name} ready\r\n`);
greeter(2526, `220 ${name} ready\r\n`);
greeter(2527, `220 ${name} ready\r\n`);
greeter(3306, `J\0\0\0\n${name}`);
createHttp2Server((request, response) => {
  response.end(
    JSON.stringify({
      name,
      version: request.httpVersion,
      caller: request.headers['x-forwarded-client-cert'],
    }),
  );
}).listen(8082, HOST);
createTlsServer(
  { cert: readFileSync(join(directory, 'origin.pem')), key: readFileSync(join(directory, 'origin.key')) },
  (socket) => quiet(socket).end(`over TLS by ${name}`),
).listen(8443, HOST);
const bytes = {
  requestSerialize: (value: Buffer) => value,
  requestDeserialize: (value: Buffer) => value,
  responseSerialize: (value: Buffer) => value,
  responseDeserialize: (value: Buffer) => value,
};
const grpc = new Server();
grpc.addService(
  { say: { path: '/test.Echo/Say', requestStream: false, responseStream: false, ...bytes } },
  {
    say: (call: { readonly request: Buffer }, done: (error: null, value: Buffer) => void) =>
      done(null, Buffer.from(`${name} heard ${call.request.toString()}`)),
  },
);
grpc.bindAsync(`[${HOST}]:8081`, ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error;
});
