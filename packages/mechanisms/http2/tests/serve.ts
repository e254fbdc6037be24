/** A cleartext HTTP/2 server to point a conformance suite at: `node tests/serve.ts [port]`. */
import type { AddressInfo } from 'node:net';
import { listen, serveConnection } from './origin.ts';

const server = await listen((socket) => serveConnection(socket), Number(process.argv[2] ?? 0));
process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
