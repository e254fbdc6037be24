import { readFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { join } from 'node:path';
import { service } from '@tulle/envoy-proxy/corpus';
import { type ReceivedLog, readLogs } from '@tulle/otlp-collector';
import { startAuthorizer } from './authorizer.ts';
import { startLimiter } from './limiter.ts';
import { startProcessor } from './processor.ts';

/** The services that configurations of the corpus name. */
export interface Services {
  /** Real ports by the port that a configuration names. */
  readonly ports: ReadonlyMap<number, number>;
  readonly socket: string;
  /** What the collector was sent since the last {@link reset}. */
  readonly logs: readonly CollectedLogs[];
  /** What depends on earlier requests begins anew. */
  reset(): void;
  close(): Promise<void>;
}

/** An export of logs over HTTP. */
export interface CollectedLogs {
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly records: readonly ReceivedLog[];
}

/**
 * Ports of HTTP services, of one that speaks TLS, of an external processor, of an authorization service, of a collector of logs and of a
 * service that limits rates.
 */
const [PLAIN, TLS, PROCESSOR, AUTHORIZER, COLLECTOR, LIMITER] = [
  [9001, 9002],
  9003,
  9004,
  9005,
  9006,
  9007,
] as const;

export async function startServices(directory: string): Promise<Services> {
  const answers = new Map<string, ReturnType<typeof service>>();
  const logs: CollectedLogs[] = [];
  const reset = (): void => {
    logs.length = 0;
    for (const name of [...PLAIN.map(String), String(TLS), 'unix']) answers.set(name, service(name));
  };
  reset();
  const listenerOf =
    (name: string): RequestListener =>
    (req, res) => {
      req.resume();
      const headers = [];
      for (let i = 0; i < req.rawHeaders.length; i += 2)
        headers.push([req.rawHeaders[i] ?? '', req.rawHeaders[i + 1] ?? ''] as const);
      const said = answers.get(name)?.({ method: req.method ?? '', target: req.url ?? '', headers });
      if (said === 'silence' || said === undefined) return;
      res.writeHead(said.status, said.headers).end(said.body);
    };
  const servers: Server[] = [];
  const listen = async (server: Server, at: number | string): Promise<number> => {
    servers.push(server);
    await new Promise<void>((resolve) =>
      typeof at === 'string' ? server.listen(at, resolve) : server.listen(at, '127.0.0.1', resolve),
    );
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  };
  const ports = new Map<number, number>();
  for (const port of PLAIN) ports.set(port, await listen(createServer(listenerOf(String(port))), 0));
  const tls = {
    cert: readFileSync(join(directory, 'server.pem')),
    key: readFileSync(join(directory, 'server-key.pem')),
  };
  ports.set(TLS, await listen(createTlsServer(tls, listenerOf(String(TLS))), 0));
  const collector = createServer((req, res) => {
    const parts: Buffer[] = [];
    req.on('data', (part: Buffer) => parts.push(part));
    req.on('end', () => {
      logs.push({
        target: req.url ?? '',
        headers: req.headers,
        records: readLogs(Buffer.concat(parts)),
      });
      res.end();
    });
  });
  ports.set(COLLECTOR, await listen(collector, 0));
  const processor = await startProcessor();
  ports.set(PROCESSOR, processor.port);
  const authorizer = await startAuthorizer();
  ports.set(AUTHORIZER, authorizer.port);
  const limiter = await startLimiter();
  ports.set(LIMITER, limiter.port);
  const socket = join(directory, 'service.sock');
  await listen(createServer(listenerOf('unix')), socket);
  return {
    ports,
    socket,
    logs,
    reset,
    async close() {
      processor.close();
      authorizer.close();
      limiter.close();
      for (const server of servers) {
        server.closeAllConnections();
        await new Promise<void>((resolve) => server.close(() => resolve()));
      }
    },
  };
}
