/**
 * Tulle in a process of its own, so that its memory and time are its own: routes to a sound origin, to an HTTP/2 origin that
 * attacks, and to nowhere. Told its ports as JSON; answers each message with what it uses.
 */
import { cluster, createProxy, httpListener, route } from '@tulle/proxy';
import {
  HEAD_TIMEOUT_MS,
  REQUEST_TIMEOUT_MS,
  STREAM_IDLE_TIMEOUT_MS,
  type ProxyPorts,
  type ProxyReply,
} from './proxy-options.ts';

const ports = JSON.parse(process.argv[2] ?? '{}') as ProxyPorts;
const reply = (message: ProxyReply): void => {
  process.send?.(message);
};

const proxy = createProxy({
  listeners: [
    httpListener({
      name: 'floods',
      port: 0,
      requestHeadTimeoutMs: HEAD_TIMEOUT_MS,
      streamIdleTimeoutMs: STREAM_IDLE_TIMEOUT_MS,
      // as RFC 9113 §6.5.2 and the model recommend at an edge
      http2: { maxConcurrentStreams: 100 },
      routes: [
        route('/attack', 'origin', { requestTimeoutMs: REQUEST_TIMEOUT_MS }),
        route('/evil', 'evil', { requestTimeoutMs: 5000 }),
        route('/refused', 'refusing'),
        route('/', 'origin'),
      ],
    }),
  ],
  clusters: [
    cluster('origin', [`127.0.0.1:${ports.originPort}`]),
    cluster('evil', [`127.0.0.1:${ports.evilPort}`], { pool: { protocol: 'http2' } }),
    cluster('refusing', [`127.0.0.1:${ports.refusingPort}`]),
  ],
  // judged is what bounds an attack, not what sheds its load, and the machine has other work
  overload: false,
  limits: { handshakeTimeoutMs: HEAD_TIMEOUT_MS },
  log: { debug() {}, info() {}, warn() {}, error() {} },
});
await proxy.start();
const address = proxy.addresses()['floods'];
if (address === undefined || !('port' in address)) throw new Error('the listener has no port');

process.on('message', (message) => {
  if (message === 'settle') globalThis.gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  reply({ rssBytes: rss, heapBytes: heapUsed, cpuMs: (user + system) / 1000 });
});
process.on('disconnect', () => process.exit(0));
reply({ port: address.port });
