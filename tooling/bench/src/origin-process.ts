// The origin: answers every request head with one fixed response, over raw sockets. With a key, over mutual TLS 1.3.
import net from 'node:net';
import tls from 'node:tls';

interface Setup {
  readonly bodyBytes: number;
  readonly tls?: { readonly key: string; readonly cert: string; readonly ca: string };
}

process.once('message', (setup: Setup) => {
  const body = Buffer.alloc(setup.bodyBytes, 'x');
  const response = Buffer.concat([
    Buffer.from(
      `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n`,
    ),
    body,
  ]);
  const serve = (socket: net.Socket): void => {
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
  };
  const server =
    setup.tls === undefined
      ? net.createServer(serve)
      : tls.createServer(
          { ...setup.tls, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' },
          serve,
        );
  server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as net.AddressInfo).port }));
});
