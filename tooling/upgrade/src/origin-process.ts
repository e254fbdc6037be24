// The program behind the sidecar: answers what it was asked, so that a wrong answer shows.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const server = createServer((request, response) => response.end(request.url));
server.keepAliveTimeout = 600_000;
server.listen(0, '127.0.0.1', () =>
  process.stdout.write(`listens on ${(server.address() as AddressInfo).port}\n`),
);
