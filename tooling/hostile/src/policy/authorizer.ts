import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import type { AUTHORIZER_WAYS } from './others.ts';

type Way = (typeof AUTHORIZER_WAYS)[number] | 'allow';

const OK = 'HTTP/1.1 200 OK\r\nX-Verdict: yes\r\nContent-Length: 0\r\n\r\n';

/** What the service writes; `end` and `reset` say how it leaves. Absent: it stays silent. */
const ANSWERS: Readonly<Record<Way, readonly [text: string, then?: 'end' | 'reset']>> = {
  allow: [OK],
  deny: ['HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n'],
  redirect: ['HTTP/1.1 302 Found\r\nLocation: /allow\r\nContent-Length: 0\r\n\r\n'],
  informational: ['HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n'],
  switching: ['HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'],
  'not-http': ['220 mail.test ESMTP\r\n', 'end'],
  empty: ['', 'end'],
  reset: ['', 'reset'],
  'half-head': ['HTTP/1.1 200 OK\r\nContent-Le', 'end'],
  'half-body': ['HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc', 'reset'],
  silent: [''],
  'slow-head': ['HTTP/1.1 200 OK\r\n'],
  error: ['HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n'],
  unavailable: ['HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n'],
  'two-answers': [`HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n${OK}`],
  'bad-status': ['HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n', 'end'],
  'status-000': ['HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n', 'end'],
  'status-2000': ['HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n', 'end'],
  'no-length-reset': ['HTTP/1.1 200 OK\r\n\r\n', 'reset'],
  'huge-head': [
    `HTTP/1.1 200 OK\r\n${`X-Fill: ${'a'.repeat(1000)}\r\n`.repeat(200)}Content-Length: 0\r\n\r\n`,
    'end',
  ],
  'both-framings': [
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'end',
  ],
  'bad-chunks': ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', 'end'],
  'bare-lf': ['HTTP/1.1 200 OK\nContent-Length: 0\n\n', 'end'],
  nul: ['HTTP/1.1 200 OK\r\nX-A: \x00\r\nContent-Length: 0\r\n\r\n', 'end'],
};

/** A service that is asked, and behaves as the path says: `/silent/…`. Paths that it does not know it denies. */
export async function startAuthorizer(): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const way = /^\S+ \/([a-z0-9-]+)/.exec(text)?.[1] ?? '';
        text = text.slice(end + 4);
        const [answer, then] = Object.hasOwn(ANSWERS, way) ? ANSWERS[way as Way] : ANSWERS.deny;
        if (answer !== '') socket.write(Buffer.from(answer, 'latin1'));
        if (then === 'end') socket.end();
        if (then === 'reset') socket.resetAndDestroy();
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
