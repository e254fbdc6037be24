import type { IncomingMessage, ServerResponse } from 'node:http';
import { chmodSync, rmSync } from 'node:fs';
import { type AddressInfo, isIP } from 'node:net';
import type { Log } from '@tulle/filter';
import { formatAddress, isUnixAddress, type Address } from '@tulle/model';
import type { AdminHost, AdminPage, PageReply } from './admin-host.ts';
import { helpOf } from './help.ts';
import { adminPages } from './pages.ts';

// Not imported: an import makes every export of the module, WebSocket too, and with it a whole HTTP client: 13 MiB.
const { createServer } = process.getBuiltinModule('node:http');

/** Where and for whom. */
export interface AdminServerOptions {
  readonly address: Address;
  /** Whether callers of other machines get every page. */
  readonly open: boolean;
  readonly host: AdminHost;
  readonly log: Log;
}

/** A running admin interface. */
export interface AdminServer {
  /** With the real port. */
  readonly address: Address;
  close(): Promise<void>;
}

/**
 * Envoy's admin interface. It listens where the bootstrap says, also on every address; what it answers to callers of other machines is
 * readiness and statistics alone unless `open` says otherwise, since whoever can ask for more owns the proxy.
 * @throws Error when the address cannot be had
 */
export async function serveAdmin({ address, open, host, log }: AdminServerOptions): Promise<AdminServer> {
  const pages = adminPages(host);
  const server = createServer((req, res) => {
    void answer(pages, open, req).then(
      (reply) => send(req, res, reply),
      (error: unknown) => {
        log.error('admin: a page failed', { path: req.url, error: String(error) });
        send(req, res, { status: 500, body: 'The page failed; the log says why.\n' });
      },
    );
    req.resume();
  });
  server.headersTimeout = 5_000;
  server.requestTimeout = 30_000;
  server.maxConnections = 256;
  if (isUnixAddress(address)) rmSync(address.path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        new Error(`admin: cannot listen on ${formatAddress(address)}: ${error.message}`, { cause: error }),
      ),
    );
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

async function answer(pages: readonly AdminPage[], open: boolean, req: IncomingMessage): Promise<PageReply> {
  const url = new URL(req.url ?? '/', 'http://admin');
  const page = pages.find(({ path }) => path === url.pathname);
  const method = req.method === 'HEAD' ? 'GET' : req.method;
  const { remoteAddress } = req.socket;
  const near = remoteAddress === undefined || isLoopback(remoteAddress);
  if (!near && !open && page?.remote !== true)
    return {
      status: 403,
      body: 'Callers of other machines get /ready and /stats; --admin-open gives them everything.\n',
    };
  if (
    near &&
    !open &&
    remoteAddress !== undefined &&
    !isLoopback(hostOf(req.headers.host ?? '')) &&
    isIP(hostOf(req.headers.host ?? '')) === 0
  )
    return { status: 403, body: 'The Host header names no address of this machine.\n' }; // DNS rebinding
  if (isForeign(req))
    return { status: 403, body: 'A page of another site may not call the admin interface.\n' };
  if (page === undefined) return { status: 404, body: `invalid path. admin commands are:\n${helpOf(pages)}` };
  if (page.method !== method)
    return {
      status: 405,
      body: `Method ${method} not allowed, ${page.method} required.
`,
    };
  return page.reply(url.searchParams);
}

function send(
  req: IncomingMessage,
  res: ServerResponse,
  { status = 200, contentType = 'text/plain; charset=UTF-8', body }: PageReply,
): void {
  if (res.headersSent) return;
  res.writeHead(status, {
    'content-type': contentType,
    'cache-control': 'no-cache, max-age=0',
    'x-content-type-options': 'nosniff',
    ...(status === 405 ? { allow: body.includes('POST required') ? 'POST' : 'GET' } : {}),
    'content-length': Buffer.byteLength(body),
  });
  res.end(req.method === 'HEAD' ? undefined : body);
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^(?:::ffff:)?127(?:\.\d{1,3}){3}$/.test(host);

const hostOf = (header: string): string => /^\[([^\]]*)\]/.exec(header)?.[1] ?? header.replace(/:\d+$/, '');

/** A page of another site in a browser of this machine may send a POST unasked, and cannot hide that it does. */
function isForeign({ headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true;
  const { origin } = headers;
  return origin !== undefined && hostOf(origin.replace(/^https?:\/\//, '')) !== hostOf(headers.host ?? '');
}
