import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { chmodSync, rmSync } from 'node:fs';
import { connect, type AddressInfo } from 'node:net';
import { formatAddress, isUnixAddress, type Address } from '@tulle/model';
import type { Supervisor } from './supervisor.ts';

/** Where and for whom the front is. */
export interface AdminFrontOptions {
  readonly supervisor: Supervisor;
  /** A Unix socket (mode 0600), or a loopback address; port 0 lets the system choose. */
  readonly address: Address;
  /** Further pages of the app itself, by path; JSON. */
  readonly pages?: Readonly<Record<string, () => unknown>>;
}

/** One admin address for the life of the app, whichever process serves behind it. */
export interface AdminFront {
  readonly address: Address;
  close(): Promise<void>;
}

/**
 * Passes admin requests on to the newest ready engine process (`?worker=N` chooses another slot), and answers
 * `GET /supervisor` (status) and `POST /supervisor/restart` itself.
 * @throws Error when the address is not loopback, or taken
 */
export async function serveAdminFront(options: AdminFrontOptions): Promise<AdminFront> {
  const { supervisor, address } = options;
  if (!isUnixAddress(address) && !isLoopback(address.host)) {
    throw new Error(
      `the admin interface is for this machine only; ${formatAddress(address)} is no loopback address`,
    );
  }
  const server = createServer((req, res) => {
    // A browser that was sent to a name resolving to 127.0.0.1 still names that other host.
    if (!isUnixAddress(address) && !isLoopback(hostOf(req.headers.host ?? '')))
      return answer(res, 403, { error: 'the admin interface answers to loopback names only' });
    const url = new URL(req.url ?? '/', 'http://admin');
    if (url.pathname === '/supervisor') return answer(res, 200, supervisor.status());
    if (url.pathname === '/supervisor/restart') {
      if (req.method !== 'POST') return answer(res, 405, { error: 'POST only' }, { allow: 'POST' });
      return void supervisor.restart().then(
        () => answer(res, 200, supervisor.status()),
        (error: unknown) => answer(res, 500, { error: String(error) }),
      );
    }
    const page = options.pages?.[url.pathname];
    if (page !== undefined) return answer(res, 200, page());
    const slot = Number(url.searchParams.get('worker') ?? 0);
    const target = supervisor.adminAddress(slot);
    if (target === undefined || !isUnixAddress(target))
      return answer(res, 503, { error: `no engine process is ready in slot ${slot}` });
    return pass(req, res, target.path);
  });
  server.headersTimeout = 5_000;
  server.requestTimeout = 30_000;
  server.maxConnections = 64;
  if (isUnixAddress(address)) await removeStale(address.path);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(
      isUnixAddress(address) ? { path: address.path } : { host: address.host, port: address.port },
      resolve,
    );
  });
  if (isUnixAddress(address)) chmodSync(address.path, 0o600);
  const bound: Address = isUnixAddress(address)
    ? address
    : { host: address.host, port: (server.address() as AddressInfo).port };
  return {
    address: bound,
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function answer(
  res: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  res
    .writeHead(status, { 'content-type': 'application/json', ...headers })
    .end(`${JSON.stringify(body, null, 2)}\n`);
}

function pass(req: IncomingMessage, res: ServerResponse, socketPath: string): void {
  const upstream = request(
    { socketPath, method: req.method, path: req.url, headers: { ...req.headers, connection: 'close' } },
    (reply) => {
      res.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(res);
      reply.on('error', () => res.destroy());
    },
  );
  upstream.on('error', (error) => {
    if (res.headersSent) res.destroy();
    else answer(res, 503, { error: `the engine process does not answer: ${error.message}` });
  });
  res.on('close', () => upstream.destroy());
  req.pipe(upstream);
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);

const hostOf = (header: string): string => /^\[([^\]]*)\]/.exec(header)?.[1] ?? header.replace(/:\d+$/, '');

/** A socket file that nobody answers on was left by a process that was killed. */
async function removeStale(path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      reject(new Error(`another process serves its admin interface on ${path}; is the app running already?`));
    });
    probe.once('error', () => {
      rmSync(path, { force: true });
      resolve();
    });
  });
}
