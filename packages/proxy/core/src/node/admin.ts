import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { chmod } from 'node:fs/promises';
import { TulleError } from '@tulle/filter';
import { formatAddress, type Address } from '@tulle/model';
import { removeStaleSocket } from '@tulle/unix-socket';
import type { AdminAddress } from '../options.ts';
import type { AdminSubject } from './admin-subject.ts';
import { adminPages } from './admin-pages.ts';
import type { AdminReply } from './admin-page.ts';
import { isFromForeignPage, isLoopbackHost } from './foreign-page.ts';

/** A running admin interface. */
export interface AdminServer {
  readonly address: Address;
  close(): Promise<void>;
}

/**
 * Starts the admin interface on a Unix socket (mode 0600) or a loopback address: who can reach it owns the proxy.
 * @throws TulleError `TULLE_CONFIG_INVALID` for another address
 */
export async function startAdmin(proxy: AdminSubject, at: AdminAddress): Promise<AdminServer> {
  if ('host' in at && !isLoopbackHost(at.host)) {
    throw new TulleError(
      'TULLE_CONFIG_INVALID',
      `admin.host ${JSON.stringify(at.host)} is no loopback address; use 127.0.0.1, ::1 or a Unix socket ({ path })`,
    );
  }
  // Not imported: an import makes every export of the module there and then, WebSocket too, and with it a whole HTTP
  // client that nobody uses: 13 MiB of each process.
  const { createServer } = process.getBuiltinModule('node:http');
  const server = createServer((request, response) => void answer(proxy, request, response));
  // Anything else stays, and listening there fails by itself.
  if ('path' in at) await removeStaleSocket(at.path).catch(() => {});
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        new TulleError(
          'TULLE_CONFIG_INVALID',
          `admin: cannot listen on ${formatAddress(at)}: ${'code' in error && error.code === 'EADDRINUSE' ? 'it is in use, or a file that is no socket stands there; choose another, or remove it' : error.message}`,
          { cause: error },
        ),
      ),
    );
    if ('path' in at) server.listen(at.path, resolve);
    else server.listen(at.port, at.host, resolve);
  });
  if ('path' in at) await chmod(at.path, 0o600);
  return { address: boundAddress(server, at), close: () => closeServer(server) };
}

function boundAddress(server: Server, at: AdminAddress): Address {
  const bound = server.address();
  return 'path' in at || bound === null || typeof bound === 'string'
    ? 'path' in at
      ? { path: at.path }
      : at
    : { host: at.host, port: bound.port };
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** A page in a browser may not read us through a name of its own (DNS rebinding). */
function isOwnHost(request: IncomingMessage): boolean {
  if (request.socket.remoteAddress === undefined) return true; // Unix socket
  return isLoopbackHost(request.headers.host ?? '');
}

async function answer(
  proxy: AdminSubject,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    if (!isOwnHost(request))
      return send(response, { status: 403, body: 'The Host header names no loopback address.\n' });
    if (isFromForeignPage(request.headers))
      return send(response, {
        status: 403,
        body: 'A page of another site may not call the admin interface.\n',
      });
    const url = new URL(request.url ?? '/', 'http://localhost');
    const pages = adminPages(proxy).filter((other) => other.path === url.pathname);
    if (pages.length === 0)
      return send(response, { status: 404, body: `No page ${url.pathname}; / lists them.\n` });
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const page = pages.find((other) => other.method === method);
    if (page === undefined) {
      const allow = pages.map((other) => other.method).join(', ');
      return send(response, {
        status: 405,
        headers: { allow },
        body: `${url.pathname} takes ${allow}.\n`,
      });
    }
    const body = page.method === 'POST' ? await bodyOf(request) : '';
    if (body === undefined)
      return send(response, { status: 413, body: `A body has at most ${MAX_BODY_BYTES} bytes.\n` });
    await sendPieces(response, await page.reply(url.searchParams, request.headers.accept, body));
  } catch (error) {
    proxy.log.error(`admin: ${error instanceof Error ? error.message : String(error)}`);
    if (!response.headersSent) send(response, { status: 500, body: 'The page failed; the log says why.\n' });
    else response.destroy();
  }
}

/** What a POST to the admin interface may bring. */
const MAX_BODY_BYTES = 65_536;

/** @returns `undefined` past the bound */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  let text = '';
  for await (const piece of request.setEncoding('utf8')) {
    text += String(piece);
    if (text.length > MAX_BODY_BYTES) return undefined;
  }
  return text;
}

function send(
  response: ServerResponse,
  reply: { readonly status: number; readonly headers?: Record<string, string>; readonly body: string },
): void {
  response.writeHead(reply.status, {
    'content-type': 'text/plain; charset=utf-8',
    'cache-control': 'no-store',
    ...reply.headers,
  });
  response.end(reply.body);
}

/** One piece a turn of the loop, so that a large page does not stall the bytes of others. */
async function sendPieces(response: ServerResponse, reply: AdminReply): Promise<void> {
  response.writeHead(reply.status ?? 200, {
    'content-type': reply.contentType ?? 'text/plain; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(reply.varies === true ? { vary: 'accept' } : {}),
  });
  if (typeof reply.body === 'string') {
    response.end(reply.body);
    return;
  }
  for (const piece of reply.body) {
    if (response.destroyed) return;
    response.write(piece);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  response.end();
}
