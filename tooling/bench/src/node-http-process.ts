// The proxy that most people write first.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';

interface Setup {
  readonly listenPort: number;
  readonly originPort: number;
  readonly tls: { readonly key: string; readonly cert: string; readonly ca: string } | null;
}

const { listenPort, originPort, tls } = JSON.parse(process.argv[2] ?? '{}') as Setup;
const agentOptions = { keepAlive: true, maxSockets: 256 };
const agent =
  tls === null
    ? new http.Agent(agentOptions)
    : new https.Agent({
        ...agentOptions,
        key: readFileSync(tls.key),
        cert: readFileSync(tls.cert),
        ca: readFileSync(tls.ca),
        servername: 'origin.bench',
        minVersion: 'TLSv1.3',
      });
const send = tls === null ? http.request : https.request;

http
  .createServer((request, response) => {
    const onward = send(
      {
        host: '127.0.0.1',
        port: originPort,
        method: request.method,
        path: request.url,
        headers: request.headers,
        agent,
      },
      (reply) => {
        response.writeHead(reply.statusCode ?? 502, reply.headers);
        reply.pipe(response);
      },
    );
    onward.on('error', () => {
      if (!response.headersSent) response.writeHead(502);
      response.end();
    });
    request.pipe(onward);
  })
  .listen(listenPort, '127.0.0.1');
