// The proxy that most people write first.
import http from 'node:http';
import https from 'node:https';
import { nodeProxySetup } from './node-proxy-setup.ts';

const { listenPort, originPort, upstreamTls, downstreamTls } = nodeProxySetup();
const agentOptions = { keepAlive: true, maxSockets: 256 };
const agent =
  upstreamTls === undefined
    ? new http.Agent(agentOptions)
    : new https.Agent({ ...agentOptions, ...upstreamTls });
const send = upstreamTls === undefined ? http.request : https.request;

const forward = (request: http.IncomingMessage, response: http.ServerResponse): void => {
  const onward = send(
    {
      host: '127.0.0.1',
      port: originPort,
      method: request.method,
      path: request.url,
      // What is about the connection is not passed on.
      headers: { ...request.headers, connection: 'keep-alive' },
      agent,
    },
    (reply) => {
      const { connection: _connection, 'keep-alive': _keepAlive, ...headers } = reply.headers;
      response.writeHead(reply.statusCode ?? 502, headers);
      reply.pipe(response);
    },
  );
  onward.on('error', () => {
    if (!response.headersSent) response.writeHead(502);
    response.end();
  });
  request.pipe(onward);
};
const server =
  downstreamTls === undefined ? http.createServer(forward) : https.createServer(downstreamTls, forward);
server.listen(listenPort, '127.0.0.1');
