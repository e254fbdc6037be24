// A collector for the traces of the measured: takes each export over HTTP. Asked over IPC it tells how many there were,
// as soon as there is one, or after 10 s.
import http from 'node:http';
import type { AddressInfo } from 'node:net';

let exports = 0;
let tell: (() => void) | undefined;
const server = http.createServer((request, response) => {
  request.resume().on('end', () => {
    exports++;
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    tell?.();
  });
});
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.on('message', () => {
  const limit = setTimeout(() => tell?.(), 10_000);
  tell = () => {
    tell = undefined;
    clearTimeout(limit);
    process.send?.({ exports });
  };
  if (exports > 0) tell();
});
process.once('disconnect', () => process.exit());
