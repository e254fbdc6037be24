import { type CircuitLimits, formatAddress } from '@tulle/model';
import type { Resources } from '../upstream/resources.ts';
import { isSecretField } from '../explain/describe.ts';
import { explainPages } from './explain-pages.ts';
import type { AdminPageEntry, AdminReply } from './admin-page.ts';
import type { AdminSubject } from './admin-subject.ts';
import { chooseType } from './negotiate.ts';
import { LOG_LEVELS, type LeveledLog, type LogLevel } from './default-log.ts';

/** Every page: the engine's own, then those of telemetry plugins. */
export function adminPages(proxy: AdminSubject): AdminPageEntry[] {
  const pages: AdminPageEntry[] = [
    {
      path: '/',
      method: 'GET',
      help: 'this list',
      reply: () => ({
        body: pages.map((page) => `${page.method.padEnd(5)}${page.path.padEnd(24)}${page.help}\n`).join(''),
      }),
    },
    {
      path: '/ready',
      method: 'GET',
      help: '200 when the proxy serves, 503 while it starts or drains',
      reply: () => ({ status: proxy.state === 'ready' ? 200 : 503, body: `${proxy.state}\n` }),
    },
    {
      path: '/server_info',
      method: 'GET',
      help: 'state, uptime, versions',
      reply: () => json(serverInfo(proxy)),
    },
    {
      path: '/config_dump',
      method: 'GET',
      help: 'the configuration in force, secrets redacted',
      reply: () => json(redacted(proxy.config)),
    },
    {
      path: '/clusters',
      method: 'GET',
      help: 'clusters and endpoints with their health; ?format=json',
      reply: (query) =>
        query.get('format') === 'json' ? json({ clusters: clusters(proxy) }) : { body: clustersText(proxy) },
    },
    {
      path: '/listeners',
      method: 'GET',
      help: 'listeners with their addresses',
      reply: () =>
        json({
          listeners: [...[...proxy.listeners.values()].map((one) => one.describe()), ...proxy.udp.describe()],
        }),
    },
    {
      path: '/plaintext',
      method: 'GET',
      help: 'who still comes in plain text to listeners that take mutual TLS too',
      reply: () =>
        json({
          listeners: [...proxy.listeners.values()].flatMap((listener) => {
            const { name, address, compiled, plaintextClients } = listener;
            const permissive = compiled.mayUseTls && compiled.chains.some(({ tls }) => tls === undefined);
            const clients = plaintextClients.list();
            if (!permissive && clients.length === 0) return [];
            return [
              {
                name,
                address: formatAddress(address),
                permissive,
                clients,
                forgotten: plaintextClients.forgotten,
              },
            ];
          }),
        }),
    },
    {
      path: '/overload',
      method: 'GET',
      help: 'what may run short, how far it has, and what is done about it',
      reply: () => json(proxy.engine.overload.describe()),
    },
    {
      path: '/certs',
      method: 'GET',
      help: 'certificates in use, never keys',
      reply: () => json({ certificates: proxy.transport.certificates() }),
    },
    {
      path: '/logging',
      method: 'POST',
      help: `?level=${LOG_LEVELS.join('|')}`,
      reply: (query) => setLevel(proxy, query.get('level')),
    },
    ...[true, false].map((fail): AdminPageEntry => ({
      path: fail ? '/healthcheck/fail' : '/healthcheck/ok',
      method: 'POST',
      help: fail ? 'fail health checks, and serve on' : 'pass health checks again',
      reply: () => {
        proxy.failHealthChecks(fail);
        return { body: 'OK\n' };
      },
    })),
    {
      path: '/reopen_logs',
      method: 'POST',
      help: 'open files of access logs anew, after they were moved away',
      reply: async () => {
        await Promise.all(proxy.telemetry.map(async (plugin) => plugin.reopen?.()));
        return { body: 'OK\n' };
      },
    },
    {
      path: '/drain_listeners',
      method: 'POST',
      help: 'go out of service; ?graceful spreads it over ?window_ms (5000)',
      reply: (query) => {
        const windowMs = query.has('graceful') ? Number(query.get('window_ms') ?? 5_000) : 0;
        if (!(windowMs >= 0)) return { status: 400, body: 'window_ms is a number of milliseconds.\n' };
        void proxy.drain({ windowMs });
        return { status: 202, body: 'draining\n' };
      },
    },
  ];
  pages.push(...explainPages(proxy));
  for (const page of proxy.telemetry.flatMap((plugin) => plugin.adminPages ?? [])) {
    pages.push({
      path: page.path,
      method: 'GET',
      help: page.help,
      reply(query, accept) {
        const forms = [page, ...(page.alternatives ?? [])];
        const form =
          forms[
            chooseType(
              accept,
              forms.map(({ contentType }) => contentType),
            )
          ] ?? page;
        return { contentType: form.contentType, varies: forms.length > 1, body: form.render(query) };
      },
    });
  }
  return pages;
}

function json(value: unknown): AdminReply {
  return { contentType: 'application/json', body: `${JSON.stringify(value, null, 2)}\n` };
}

function serverInfo(proxy: AdminSubject): object {
  return {
    ...proxy.stats,
    configVersion: proxy.config.version,
    uptimeMs: Math.round(proxy.clock.epochMs() - proxy.startedEpochMs),
    pid: process.pid,
    node: process.version,
    filters: [...proxy.registry.http.values(), ...proxy.registry.connection.values()].map(
      ({ definition }) => `${definition.id}@${definition.version ?? '0.0.0'}`,
    ),
  };
}

/** Fields whose values are secrets wherever they stand. */
const SECRET = /^(?:keyPem|keyBase64|privateKeyPem|password|secret|token|apiKey|clientSecret)$/i;

const PRIVATE_OF_JWK = /^(?:k|d|p|q|dp|dq|qi|oth)$/;

function redacted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(redacted);
  if (typeof value !== 'object' || value === null) return value;
  if ('name' in value && typeof value.name === 'string' && isSecretField(value.name)) {
    if ('value' in value) return { ...value, value: '[redacted]' };
    if ('match' in value && typeof value.match === 'object' && value.match !== null && 'value' in value.match)
      return { ...value, match: { ...value.match, value: '[redacted]' } };
  }
  // Of a JSON Web Key what is not for everybody (RFC 7518 §6).
  const isJwk = 'kty' in value;
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [
      name,
      SECRET.test(name) || (isJwk && PRIVATE_OF_JWK.test(name)) ? '[redacted]' : redacted(part),
    ]),
  );
}

interface LimitsDump {
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  /** Where retries are bounded by a number. */
  readonly maxRetries?: number;
}

function limitsOf(
  { maxConnections, maxPending, maxRequests }: Resources,
  configured: CircuitLimits | undefined,
): LimitsDump {
  const maxRetries = configured?.maxRetries;
  return {
    maxConnections,
    maxPendingRequests: maxPending,
    maxRequests,
    ...(maxRetries !== undefined && { maxRetries }),
  };
}

interface ClusterDump {
  readonly name: string;
  readonly connections: number;
  readonly http2Connections: number;
  readonly pending: number;
  readonly requests: number;
  readonly retries: number;
  /** Of these those of the priority `high`. */
  readonly highPending: number;
  readonly highRequests: number;
  readonly highRetries: number;
  readonly limits: LimitsDump;
  readonly highLimits: LimitsDump;
  readonly endpoints: readonly object[];
}

function clusters(proxy: AdminSubject): ClusterDump[] {
  return [...proxy.refs.values()].flatMap(({ current }) => {
    if (current === undefined) return [];
    current.own.refresh(proxy.clock.nowMs());
    return [
      {
        name: current.name,
        connections: current.connections,
        http2Connections: current.http2Connections,
        pending: current.pending,
        requests: current.requests,
        retries: current.resources.retries + current.highResources.retries,
        highPending: current.highResources.pending,
        highRequests: current.highResources.requests,
        highRetries: current.highResources.retries,
        limits: limitsOf(current.resources, current.config.limits),
        highLimits: limitsOf(current.highResources, current.config.highLimits),
        endpoints: current.own.endpoints.map((state) => ({
          address: formatAddress(state.endpoint.address),
          ...(state.endpoint.hostname !== undefined && { hostname: state.endpoint.hostname }),
          health: state.endpoint.health ?? 'healthy',
          ejected: state.ejected,
          healthCheck: state.check,
          weight: state.weight,
          priority: state.priority,
          locality: state.endpoint.locality ?? {},
          active: state.active,
          started: state.started,
          succeeded: state.succeeded,
          failed: state.failed,
          consecutiveFailures: state.consecutiveFailures,
          ejections: state.ejections,
          latencyMs: Math.round(state.latencyMs * 100) / 100,
          connections: state.data.allConnections,
          opened: state.data.counts.opened,
          connectFailures: state.data.counts.connectFailures,
          carried: state.data.counts.carried,
          uncarried: state.data.counts.uncarried,
          sent: state.data.counts.sent,
          timeouts: state.data.counts.timeouts,
          waiting: state.data.waiting,
          idle: state.data.idle,
          http2: state.data.shared,
          labels: state.endpoint.labels ?? {},
        })),
      },
    ];
  });
}

function clustersText(proxy: AdminSubject): string {
  return (
    clusters(proxy)
      .map((cluster) =>
        [
          `${cluster.name}::cx_active::${cluster.connections}`,
          `${cluster.name}::cx_http2_active::${cluster.http2Connections}`,
          `${cluster.name}::rq_active::${cluster.requests}`,
          `${cluster.name}::rq_pending_active::${cluster.pending}`,
          ...Object.entries(cluster.limits).map(
            ([name, value]) => `${cluster.name}::circuit_breakers::${name}::${value}`,
          ),
          ...cluster.endpoints.flatMap((endpoint) =>
            Object.entries(endpoint)
              .filter(([name]) => name !== 'address')
              .map(
                ([name, value]) =>
                  `${cluster.name}::${(endpoint as { address: string }).address}::${name}::${typeof value === 'object' ? JSON.stringify(value) : String(value)}`,
              ),
          ),
        ].join('\n'),
      )
      .join('\n') + '\n'
  );
}

function setLevel(proxy: AdminSubject, level: string | null): AdminReply {
  const log = proxy.log as Partial<LeveledLog>;
  if (!(LOG_LEVELS as readonly (string | null)[]).includes(level))
    return { status: 400, body: `level is one of ${LOG_LEVELS.join(', ')}.\n` };
  if (log.level === undefined)
    return { status: 409, body: 'The log that was given to createProxy has no level to set.\n' };
  log.level = level as LogLevel;
  return { body: `${level}\n` };
}
