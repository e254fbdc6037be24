// npm's fastify with @fastify/http-proxy, which asks origins through undici.
import httpProxy from '@fastify/http-proxy';
import fastify from 'fastify';
import { nodeProxySetup } from './node-proxy-setup.ts';

const { listenPort, origin, upstreamTls, downstreamTls } = nodeProxySetup();
const server = fastify({ https: downstreamTls ?? null });
await server.register(httpProxy, {
  upstream: origin,
  undici: {
    connections: 128,
    pipelining: 1,
    ...(upstreamTls === undefined ? {} : { connect: upstreamTls }),
  },
});
await server.listen({ port: listenPort, host: '127.0.0.1' });
