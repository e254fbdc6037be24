// An origin that works at a few requests at a time, each for so long; the others wait in line. Told over IPC, answers with its port.
import net from 'node:net';

/** What such an origin is told. */
export interface LimitedOrigin {
  readonly places: number;
  readonly serviceMs: number;
}

const RESPONSE = 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n';

process.once('message', ({ places, serviceMs }: LimitedOrigin) => {
  let busy = 0;
  const line: net.Socket[] = [];
  const work = (socket: net.Socket): void => {
    busy++;
    setTimeout(() => {
      busy--;
      if (!socket.destroyed) socket.write(RESPONSE);
      const next = line.shift();
      if (next !== undefined) work(next);
    }, serviceMs);
  };
  const server = net.createServer((socket) => {
    let text = '';
    socket.setNoDelay(true);
    socket.on('error', () => socket.destroy());
    socket.on('data', (piece: Buffer) => {
      text += piece.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        text = text.slice(end + 4);
        if (busy < places) work(socket);
        else line.push(socket);
      }
    });
  });
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as net.AddressInfo).port));
});
