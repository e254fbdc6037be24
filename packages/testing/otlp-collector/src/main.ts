// The collector as a process: `node main.js` prints where it listens, and shows on the other port what it holds.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startCollector } from './collector.ts';

const collector = await startCollector({ keepExports: false });
const server = createServer((request, response) => {
  const { spans, points, faults } = collector;
  const held = { '/spans': spans, '/points': points, '/faults': faults }[request.url ?? ''];
  response.writeHead(held === undefined ? 404 : 200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(held ?? { error: 'there are /spans, /points and /faults' }));
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`collector: OTLP at ${collector.url}, what it holds at http://127.0.0.1:${port}\n`);
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(0));
