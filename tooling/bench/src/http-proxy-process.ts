// npm's http-proxy, which webpack's and Vite's development servers and many gateways use.
import http from 'node:http';
import https from 'node:https';
import httpProxy from 'http-proxy';
import { nodeProxySetup } from './node-proxy-setup.ts';

const { listenPort, origin, upstreamTls, downstreamTls } = nodeProxySetup();
const agentOptions = { keepAlive: true, maxSockets: 256 };
const proxy = httpProxy.createProxyServer({
  target: origin,
  agent:
    upstreamTls === undefined
      ? new http.Agent(agentOptions)
      : new https.Agent({ ...agentOptions, ...upstreamTls }),
});
proxy.on('error', (_error, _request, response) => {
  if (response instanceof http.ServerResponse) response.writeHead(502).end();
});
const forward = (request: http.IncomingMessage, response: http.ServerResponse): void =>
  proxy.web(request, response);
const server =
  downstreamTls === undefined ? http.createServer(forward) : https.createServer(downstreamTls, forward);
server.listen(listenPort, '127.0.0.1');
