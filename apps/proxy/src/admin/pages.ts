import type { LogLevel } from '@tulle/supervisor';
import { askFront, frontJson } from './ask-front.ts';
import { type AdminHost, type AdminPage, JSON_TYPE, jsonReply, type PageReply } from './admin-host.ts';
import { certificatesPage } from './certificates-page.ts';
import { clustersJson, clustersText } from './clusters-page.ts';
import { configDump } from './config-dump.ts';
import { memoryPage } from './memory-page.ts';
import { listenersJson, listenersText } from './listeners-page.ts';
import { runtimePage } from './runtime-page.ts';
import { helpOf } from './help.ts';
import { serverInfo } from './server-info.ts';
import { statsPage } from './stats/stats-page.ts';

const OK: PageReply = { body: 'OK\n' };
/** Envoy's words for how much is logged, in words of this proxy. */
const LEVELS: Readonly<Record<string, LogLevel>> = {
  trace: 'debug',
  debug: 'debug',
  info: 'info',
  warning: 'warn',
  error: 'error',
  critical: 'error',
  off: 'error',
};
const DRAIN_MS = 600_000;

/** Pages of Envoy's admin interface. */
export function adminPages(host: AdminHost): AdminPage[] {
  const { front } = host;
  const pages: AdminPage[] = [
    { path: '/', method: 'GET', help: 'Admin home page', reply: () => ({ body: helpOf(pages) }) },
    {
      path: '/help',
      method: 'GET',
      help: 'print out list of admin commands',
      reply: () => ({ body: `admin commands are:\n${helpOf(pages)}` }),
    },
    {
      path: '/ready',
      method: 'GET',
      help: 'print server state, return 200 if LIVE, otherwise return 503',
      remote: true,
      reply: () => ({ status: host.state() === 'LIVE' ? 200 : 503, body: `${host.state()}\n` }),
    },
    {
      path: '/server_info',
      method: 'GET',
      help: 'print server version/status information',
      reply: () => jsonReply(serverInfo(host)),
    },
    {
      path: '/config_dump',
      method: 'GET',
      help: 'dump current Envoy configs; ?resource=, ?mask=, ?name_regex=, ?include_eds',
      reply: (query) => configDump(host, query),
    },
    {
      path: '/clusters',
      method: 'GET',
      help: 'upstream cluster status; ?format=json',
      async reply(query) {
        const page = await frontJson(front, '/clusters?format=json');
        return query.get('format') === 'json'
          ? jsonReply(clustersJson(page, host))
          : { body: clustersText(page, host) };
      },
    },
    {
      path: '/listeners',
      method: 'GET',
      help: 'print listener info; ?format=json',
      async reply(query) {
        const page = await frontJson(front, '/listeners');
        return query.get('format') === 'json'
          ? jsonReply(listenersJson(page))
          : { body: listenersText(page) };
      },
    },
    {
      path: '/certs',
      method: 'GET',
      help: 'print certs on machine',
      reply: async () => jsonReply(certificatesPage(await frontJson(front, '/certs'))),
    },
    {
      path: '/stats',
      method: 'GET',
      help: 'print server stats; ?usedonly, ?filter=, ?format=text|json|prometheus, ?type=',
      remote: true,
      reply: async (query) => statsPage(host, query),
    },
    {
      path: '/stats/prometheus',
      method: 'GET',
      help: 'print server stats in prometheus format',
      remote: true,
      async reply(query) {
        query.set('format', 'prometheus');
        return statsPage(host, query);
      },
    },
    {
      path: '/runtime',
      method: 'GET',
      help: 'print runtime values',
      reply: () => jsonReply(runtimePage(host.bootstrap())),
    },
    {
      path: '/memory',
      method: 'GET',
      help: 'print current allocation/heap usage, of all processes',
      reply: async () => jsonReply(memoryPage((await askFront(front, '/stats/prometheus')).body)),
    },
    {
      path: '/hot_restart_version',
      method: 'GET',
      help: 'print the hot restart compatibility version',
      reply: () => ({ body: 'disabled\n' }),
    },
    {
      path: '/drain_listeners',
      method: 'POST',
      help: 'drain listeners; ?graceful spreads it over --drain-time-s',
      async reply(query) {
        if (query.has('inboundonly'))
          return { status: 400, body: 'inboundonly is not supported: all listeners are drained, or none.\n' };
        const windowMs = host.options.drainTimeMs ?? DRAIN_MS;
        const { status, body } = await askFront(
          front,
          `/drain_listeners${query.has('graceful') ? `?graceful&window_ms=${windowMs}` : ''}`,
          'POST',
        );
        if (status !== 202) return { status, body };
        host.draining();
        return OK;
      },
    },
    {
      path: '/healthcheck/fail',
      method: 'POST',
      help: 'cause the server to fail health checks',
      async reply() {
        await host.failHealthCheck(true);
        return OK;
      },
    },
    {
      path: '/healthcheck/ok',
      method: 'POST',
      help: 'cause the server to pass health checks',
      async reply() {
        await host.failHealthCheck(false);
        return OK;
      },
    },
    {
      path: '/quitquitquit',
      method: 'POST',
      help: 'exit the server',
      reply() {
        setImmediate(() => host.quit()); // the answer first
        return OK;
      },
    },
    {
      path: '/logging',
      method: 'POST',
      help: `query/change logging levels; ?level=${Object.keys(LEVELS).join('|')}`,
      reply: async (query) => setLevel(host, query),
    },
    {
      path: '/reopen_logs',
      method: 'POST',
      help: 'reopen access logs',
      async reply() {
        await host.reopenLogs();
        return OK;
      },
    },
    {
      path: '/explain',
      method: 'GET',
      help: 'why a request went as it did; ?request-id=',
      reply: async (query) => passed(front, `/explain?${query.toString()}`),
    },
    {
      path: '/overload',
      method: 'GET',
      help: 'what may run short, how far it has, and what is done about it',
      reply: async () => passed(front, '/overload'),
    },
  ];
  return pages;
}

async function passed(front: string, path: string): Promise<PageReply> {
  const { status, body } = await askFront(front, path);
  return { status, body, contentType: JSON_TYPE };
}

async function setLevel(host: AdminHost, query: URLSearchParams): Promise<PageReply> {
  if (query.has('paths') || [...query.keys()].some((key) => key !== 'level'))
    return { status: 400, body: 'There is one logger; give level.\n' };
  const given = query.get('level');
  if (given === null) return { body: `active loggers:\n  tulle\n` };
  const level = Object.hasOwn(LEVELS, given) ? LEVELS[given] : undefined;
  if (level === undefined)
    return { status: 400, body: `level is one of ${Object.keys(LEVELS).join(', ')}.\n` };
  const { status, body } = await askFront(host.front, `/logging?level=${level}`, 'POST');
  if (status === 200) host.setLogLevel(level);
  return status === 200 ? { body: `active loggers:\n  tulle: ${given}\n` } : { status, body };
}
