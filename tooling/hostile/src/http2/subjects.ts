import { once } from 'node:events';
import http from 'node:http';
import * as http2 from 'node:http2';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import { relay } from './relay.ts';
import type { Subject } from '../subjects.ts';

/** What many Node proxies are: `node:http2` in front, `node:http` behind, fields handed over as they are. */
export async function nodeHttp2(originPort: number): Promise<Subject> {
  const agent = new http.Agent({ keepAlive: true });
  const pass = (
    request: http.IncomingMessage | http2.Http2ServerRequest,
    response: http.ServerResponse | http2.Http2ServerResponse,
  ): void => {
    const headers = Object.fromEntries(
      Object.entries(request.headers).filter(([name]) => !/^(?::|connection$|te$)/.test(name)),
    );
    const authority = request.headers[':authority'];
    if (typeof authority === 'string') headers['host'] = authority;
    let upstream: http.ClientRequest;
    try {
      upstream = http.request({
        port: originPort,
        host: '127.0.0.1',
        method: request.method,
        path: request.url,
        headers,
        agent,
      });
    } catch {
      response.statusCode = 400;
      response.end();
      return;
    }
    upstream.on('response', (answer) => {
      response.statusCode = answer.statusCode ?? 502;
      for (const [name, value] of Object.entries(answer.headers))
        if (name !== 'connection' && name !== 'keep-alive' && value !== undefined)
          response.setHeader(name, value);
      answer.pipe(response as http.ServerResponse);
      answer.on('error', () => response.destroy());
    });
    upstream.on('error', () => {
      if (response.headersSent) response.destroy();
      else {
        response.statusCode = 502;
        response.end();
      }
    });
    request.on('error', () => upstream.destroy());
    request.on('aborted', () => upstream.destroy());
    request.pipe(upstream);
  };
  const one = http.createServer(pass);
  const two = http2.createServer(pass);
  two.on('sessionError', () => {});
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (first) => {
      const second = first.toString('latin1').startsWith('PRI');
      socket.pause();
      const behind = relay(socket);
      behind.push(first);
      (second ? two : one).emit('connection', behind);
    });
  });
  const sockets = new Set<net.Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    async stop() {
      agent.destroy();
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
