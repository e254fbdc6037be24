import type { IncomingMessage, ServerResponse } from 'node:http';
import { chmodSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { formatAddress, isUnixAddress, type Address } from '@tulle/model';
import { removeStaleSocket } from '@tulle/unix-socket';
import { createMetricsView, type MetricsView, type ProcessPage } from './metrics-view.ts';
import { PAGE_TIMEOUT_MS } from './ask-process.ts';
import { explainInAll, type FrontAnswer } from './explain-front.ts';
import { oneView, tellAll } from './one-view.ts';
import type { Supervisor } from './supervisor.ts';

// Not imported: an import makes every export of the module, WebSocket too, and with it a whole HTTP client: 13 MiB.
const { createServer, request } = process.getBuiltinModule('node:http');

/** Where and for whom the front is. */
export interface AdminFrontOptions {
  readonly supervisor: Supervisor;
  /** A Unix socket (mode 0600), or a loopback address; port 0 lets the system choose. */
  readonly address: Address;
  /** Further pages of the app itself, by path; JSON. */
  readonly pages?: Readonly<Record<string, () => unknown>>;
  /**
   * What the app itself measures, in the format that is asked for; stands at the end of the metrics page. Its families
   * must be others than those of the engine processes.
   */
  readonly metrics?: (format: 'prometheus' | 'openmetrics') => string;
}

/** One admin address for the life of the app, whichever process serves behind it. */
export interface AdminFront {
  readonly address: Address;
  close(): Promise<void>;
}

/**
 * Passes admin requests on to the newest ready engine process (`?worker=N` chooses another slot), and answers
 * `GET /supervisor` (status) and `POST /supervisor/restart` itself; `POST /drain_listeners`, `POST /logging`,
 * `POST /healthcheck/fail`, `POST /healthcheck/ok` and `POST /reopen_logs` go to every process. Pages of metrics are one view of all processes ({@link MetricsView}; `?worker=each` tells gauges apart), so are
 * `/clusters`, `/listeners`, `/plaintext`, `/certs` and `/server_info`, and `GET /explain` asks all of them; with
 * `?worker=N` they are of that one alone. `/config_dump` is the same in all.
 * @throws Error when the address is not loopback or taken, or when a file that is no socket stands there
 */
export async function serveAdminFront(options: AdminFrontOptions): Promise<AdminFront> {
  const { supervisor, address } = options;
  if (!isUnixAddress(address) && !isLoopback(address.host)) {
    throw new Error(
      `the admin interface is for this machine only; ${formatAddress(address)} is no loopback address`,
    );
  }
  /** By path, query and content type: a page may be text or OpenMetrics, as the scraper prefers. */
  const views = new Map<string, MetricsView>();
  const server = createServer((req, res) => {
    // A browser that was sent to a name resolving to 127.0.0.1 still names that other host.
    if (!isUnixAddress(address) && !isLoopback(hostOf(req.headers.host ?? '')))
      return answer(res, 403, { error: 'the admin interface answers to loopback names only' });
    if (isForeign(req))
      return answer(res, 403, { error: 'a page of another site may not call the admin interface' });
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
    const worker = url.searchParams.get('worker');
    const each = worker === 'each';
    const slot = worker === null || each ? undefined : Number(worker);
    if (slot === undefined) {
      const whole = answerOfAll(supervisor, req.method ?? '', url);
      if (whole !== undefined)
        return void whole.then(
          (one) => (one === undefined ? passOn() : answerFront(res, one)),
          (error: unknown) => answer(res, 502, { error: String(error) }),
        );
    }
    return passOn();

    function passOn(): void {
      const target =
        supervisor.adminAddress(slot ?? 0) ?? (slot === undefined ? anyReady(supervisor) : undefined);
      if (target === undefined || !isUnixAddress(target))
        return answer(res, 503, { error: `no engine process is ready in slot ${worker ?? 0}` });
      return void pass(req, res, target.path, (reply) => {
        if (req.method !== 'GET' || slot !== undefined || reply.statusCode !== 200 || !isMetrics(reply))
          return false;
        const key = `${req.url ?? '/'} ${reply.headers['content-type'] ?? ''}`;
        let view = views.get(key);
        if (view === undefined) {
          view = createMetricsView(undefined, each);
          if (views.size < MAX_VIEWS) views.set(key, view);
        }
        void answerMetrics(supervisor, view, target.path, reply, req, res, options.metrics);
        return true;
      });
    }
  });
  server.headersTimeout = 5_000;
  server.requestTimeout = 30_000;
  server.maxConnections = 64;
  if (isUnixAddress(address))
    await removeStaleSocket(address.path).catch((cause: Error) => {
      throw new Error(`the admin interface cannot listen: ${cause.message}; is the app running already?`, {
        cause,
      });
    });
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

function answerFront(res: ServerResponse, { status, body }: FrontAnswer): void {
  if (typeof body !== 'string') return answer(res, status, body);
  res.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(body);
}

const NOT_REOPENED = 'not every engine process opened its files anew';
const STILL_WRITING = ['ready', 'draining'] as const;

/**
 * What concerns every process.
 * @returns `undefined`, at once or later: one process can answer it
 */
function answerOfAll(
  supervisor: Supervisor,
  method: string,
  url: URL,
): Promise<FrontAnswer | undefined> | undefined {
  const path = `${url.pathname}${url.search}`;
  if (method === 'POST') {
    // Out of service means every process: one that served on would take the others' share.
    if (url.pathname === '/drain_listeners') return drainAll(supervisor, path);
    if (url.pathname === '/healthcheck/fail' || url.pathname === '/healthcheck/ok')
      return tellAll(supervisor, path, 200);
    // One that drains still writes, to the file that was moved away.
    if (url.pathname === '/reopen_logs') return tellAll(supervisor, path, 200, NOT_REOPENED, STILL_WRITING);
    return url.pathname === '/logging' && url.searchParams.has('level')
      ? setAllLevels(supervisor, path)
      : undefined;
  }
  if (method !== 'GET') return undefined;
  return url.pathname === '/explain' ? explainInAll(supervisor, path) : oneView(supervisor, url);
}

async function drainAll(supervisor: Supervisor, path: string): Promise<FrontAnswer> {
  const { told, ...all } = await tellAll(supervisor, path, 202, 'not every engine process drains');
  return all.status === 202 ? { status: 202, body: { draining: told } } : all;
}

/** What the engines refuse, one of them says better. */
async function setAllLevels(supervisor: Supervisor, path: string): Promise<FrontAnswer | undefined> {
  const all = await tellAll(supervisor, path, 200);
  return all.told === 0 ? undefined : all;
}

/** A page of another site in a browser of this machine may send a POST unasked, and cannot hide that it does. */
function isForeign({ headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true;
  const { origin } = headers;
  return origin !== undefined && !isLoopback(hostOf(origin.replace(/^https?:\/\//, '')));
}

/**
 * Hands a request to an engine process. Its body is gathered before: an engine that has answered closes the connection, and
 * writing even the empty end of a body into it then fails.
 * @param take may take the reply over; false: it is passed on as it is
 */
async function pass(
  req: IncomingMessage,
  res: ServerResponse,
  socketPath: string,
  take: (reply: IncomingMessage) => boolean,
): Promise<void> {
  const body = await bodyOf(req).catch(() => undefined);
  if (body === undefined)
    return answer(res, 413, { error: `a body has at most ${MAX_BODY_BYTES} bytes` }, { connection: 'close' });
  const { 'transfer-encoding': _, expect: __, ...headers } = req.headers;
  const upstream = request(
    {
      socketPath,
      method: req.method,
      path: req.url,
      headers: {
        ...headers,
        connection: 'close',
        ...(body.length > 0 ? { 'content-length': body.length } : {}),
      },
    },
    (reply) => {
      reply.on('error', () => res.destroy());
      if (take(reply)) return;
      res.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(res);
    },
  );
  upstream.on('error', (error) => {
    if (res.headersSent) res.destroy();
    else answer(res, 503, { error: `the engine process does not answer: ${error.message}` });
  });
  res.on('close', () => upstream.destroy());
  upstream.end(body);
}

/** What an engine takes at most. */
const MAX_BODY_BYTES = 65_536;

/** @returns `undefined` past the bound */
async function bodyOf(req: IncomingMessage): Promise<Buffer | undefined> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of req as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > MAX_BODY_BYTES) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** Pages of metrics that are remembered; a caller who makes up queries gets sums without memory past it. */
const MAX_VIEWS = 8;
/** Ends a page of OpenMetrics, and no other. */
const EOF = '# EOF\n';

const isMetrics = (reply: IncomingMessage): boolean =>
  /^(?:text\/plain;\s*version=0\.0\.4|application\/openmetrics-text)/.test(
    reply.headers['content-type'] ?? '',
  );

async function answerMetrics(
  supervisor: Supervisor,
  view: MetricsView,
  askedPath: string,
  reply: IncomingMessage,
  req: IncomingMessage,
  res: ServerResponse,
  ownMetrics: AdminFrontOptions['metrics'],
): Promise<void> {
  const processes = supervisor.status().processes.filter((process) => process.state !== 'starting');
  if (!processes.some(({ adminAddress: at }) => isUnixAddress(at) && at.path === askedPath)) reply.resume(); // it ended
  const pages = await Promise.all(
    processes.map(async ({ slot, generation, state, adminAddress }): Promise<ProcessPage> => {
      const path = isUnixAddress(adminAddress) ? adminAddress.path : '';
      const text = path === askedPath ? textOf(reply) : pageOf(path, req);
      return { slot, generation, current: state === 'ready', text: await text.catch(() => undefined) };
    }),
  );
  if (res.destroyed) return;
  const { 'content-length': _, ...headers } = reply.headers;
  const text = view.merge(pages);
  const openMetrics = text.endsWith(EOF);
  const own = ownMetrics?.(openMetrics ? 'openmetrics' : 'prometheus') ?? '';
  res
    .writeHead(200, headers)
    .end(own === '' ? text : `${openMetrics ? text.slice(0, -EOF.length) : text}${own}`);
}

async function textOf(reply: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of reply.setEncoding('utf8')) text += String(piece);
  return text;
}

/** The same page of another process, in the same form. */
async function pageOf(socketPath: string, { url, headers: { accept } }: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = {
      socketPath,
      path: url ?? '/',
      headers: accept === undefined ? {} : { accept },
      agent: false,
      timeout: PAGE_TIMEOUT_MS,
    };
    const req = request(asked, (reply) => {
      if (reply.statusCode === 200) resolve(textOf(reply));
      else reject(new Error(`status ${reply.statusCode}`));
    });
    req.on('timeout', () => req.destroy(new Error(`no page within ${PAGE_TIMEOUT_MS} ms`)));
    req.on('error', reject);
    req.end();
  });
}

/** Of a slot that is up while the first is between two processes. */
function anyReady(supervisor: Supervisor): Address | undefined {
  return supervisor.status().processes.find((process) => process.state === 'ready')?.adminAddress;
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);

const hostOf = (header: string): string => /^\[([^\]]*)\]/.exec(header)?.[1] ?? header.replace(/:\d+$/, '');
