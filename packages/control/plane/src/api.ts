import { chmodSync } from 'node:fs';
import { isTulleError, TulleError } from '@tulle/filter';
import { fastify, type FastifyInstance, type FastifyReply } from 'fastify';
import {
  analyze,
  findKind,
  KINDS,
  readResources,
  readResourceValues,
  refOf,
  resourceKey,
  type Diagnostic,
  type FilterCatalogue,
  type ReadResult,
} from '@tulle/resources';
import { noMeter, type Meter } from '@tulle/telemetry';
import { removeStaleSocket } from '@tulle/unix-socket';
import type { LoadReports, XdsServer } from '@tulle/xds-server';
import { refusalOf } from './api-access.ts';
import { apiMetrics } from './api-metrics.ts';
import { problem } from './api-problem.ts';
import { addCaRoutes, type CaHooks } from './ca-api.ts';
import { addLoadReportRoutes, addXdsRoutes } from './xds-api.ts';
import type { ControlPlane } from './control-plane-types.ts';
import { openApi } from './openapi.ts';
import type { ResourceStatus } from './status/resource-status.ts';
import type { Held } from './world.ts';

/** Options of {@link createApi}. */
export interface ApiOptions {
  readonly controlPlane: ControlPlane;
  readonly ca?: CaHooks;
  /** A server of resources as they are put, whose sets and status the API has. Absent: that part is not there. */
  readonly xds?: XdsServer;
  /** What clients report of their load (LRS). Absent: that part is not there. */
  readonly loadReports?: LoadReports;
  /** Filters whose configuration is validated. Default: the standard ones. */
  readonly filters?: FilterCatalogue;
  /** A page of metrics in the Prometheus format. */
  readonly metrics?: () => string;
  /**
   * What callers show as `Authorization: Bearer …`; needed on a port, which everybody on the machine can reach. Health,
   * metrics and the description of the API are open. Absent: whoever can open the Unix socket may do everything.
   */
  readonly secret?: string;
  /** Where its numbers go. Default: nowhere. */
  readonly meter?: Meter;
  /** Largest body. Default 8 MiB, as for files. */
  readonly maxBodyBytes?: number;
  /** Connections at once; past it new ones are closed. Default 256: people and scripts of one machine. */
  readonly maxConnections?: number;
  /** A connection whose request is not there whole after this long, from its begin or the request's, is ended. Default 10,000. */
  readonly requestTimeoutMs?: number;
  /** A connection without a request is ended after this long. Default 5,000: clients open another. */
  readonly keepAliveTimeoutMs?: number;
}

/** The REST API. */
export interface Api {
  readonly app: FastifyInstance;
  /**
   * Listens on a Unix socket (mode 0600) or a loopback port.
   * @returns the address as printed
   * @throws TulleError `TULLE_CONFIG_INVALID` for a port without a secret
   */
  listen(at: { readonly path: string } | { readonly port: number }): Promise<string>;
  close(): Promise<void>;
}

/** Longest that a request may wait for proxies. */
const MAX_WAIT_MS = 60_000;

/** The API of a control plane: same validation as for files, errors as `application/problem+json` (RFC 9457). */
export function createApi(options: ApiOptions): Api {
  const { controlPlane: cp } = options;
  const metrics = apiMetrics(options.meter ?? noMeter);
  const requestTimeoutMs = options.requestTimeoutMs ?? 10_000;
  const app = fastify({
    bodyLimit: options.maxBodyBytes ?? 8 * 1024 * 1024,
    forceCloseConnections: true,
    // Node ids and names of resources are whole URIs.
    routerOptions: { maxParamLength: 2_048 },
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: options.keepAliveTimeoutMs ?? 5_000,
    // Node looks for late requests so often; its default of 30 s would be the real bound.
    http: {
      headersTimeout: requestTimeoutMs,
      connectionsCheckingInterval: Math.min(1_000, requestTimeoutMs),
    },
    clientErrorHandler(error, socket) {
      if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') metrics.requestTimedOut();
      socket.destroy();
    },
  });
  app.server.maxConnections = options.maxConnections ?? 256;
  app.server.on('drop', () => metrics.connectionDropped());
  app.addHook('onRequest', async (request, reply) => {
    const refusal = refusalOf(request, options.secret);
    if (refusal === undefined) return undefined;
    return problem(reply, refusal.status, refusal.code, refusal.detail, refusal.hint);
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  app.setErrorHandler(
    (error: Error & { statusCode?: number }, _request, reply) =>
      void (isTulleError(error)
        ? problem(reply, error.row.http || 500, error.code, error.message, error.row.hint)
        : problem(reply, error.statusCode ?? 500, 'TULLE_API_ERROR', error.message)),
  );
  app.setNotFoundHandler(
    (request, reply) =>
      void problem(
        reply,
        404,
        'TULLE_API_NOT_FOUND',
        `there is no ${request.method} ${request.url}`,
        'see /openapi.json',
      ),
  );

  const catalogue = options.filters === undefined ? {} : { filters: options.filters };
  const read = async (body: unknown, type: string): Promise<ReadResult> => {
    const text = typeof body === 'string' ? body : '';
    if (!type.includes('json')) return readResources([{ text, file: '' }], catalogue);
    try {
      return await readResourceValues(JSON.parse(text), catalogue);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      return readResources([{ text, file: '' }], catalogue); // gives the fault its place
    }
  };

  /** @param ifVersion what must still hold, as `KEY@VERSION`; nothing is applied otherwise */
  const applied = async (
    reply: FastifyReply,
    result: ReadResult,
    dryRun: boolean,
    ifVersion: readonly string[] = [],
  ): Promise<unknown> => {
    if (result.diagnostics.some((d) => d.class === 'invalid')) {
      metrics.invalid();
      return invalid(reply, result.diagnostics);
    }
    metrics.valid(result.resources.length);
    const moved = ifVersion.find((text) => {
      const at = text.lastIndexOf('@');
      return cp.resource(text.slice(0, at))?.version !== text.slice(at + 1);
    });
    if (moved !== undefined)
      return problem(
        reply,
        412,
        'TULLE_API_CHANGED',
        `${moved.slice(0, moved.lastIndexOf('@'))} is not of that version any more; nothing was applied`,
        'read it again, and decide anew',
      );
    const context = cp.resources().map((h) => h.resource);
    const outcome = cp.apply(
      result.resources.map((r) => r.resource),
      [],
      { dryRun, cause: 'apply over REST' },
    );
    if (outcome.refused.length > 0)
      return problem(
        reply,
        409,
        'TULLE0212',
        outcome.refused.map((d) => d.message).join('; '),
        outcome.refused[0]?.hint,
        outcome.refused,
      );
    return {
      changeId: outcome.changeId,
      changed: outcome.changed,
      unchanged: outcome.unchanged,
      dryRun,
      findings: analyze(result, { context, ...catalogue }),
    };
  };

  app.post<{ Querystring: { dryRun?: string; ifVersion?: string | string[] } }>(
    '/api/v1/apply',
    async (request, reply) =>
      applied(
        reply,
        await read(request.body, request.headers['content-type'] ?? ''),
        request.query.dryRun === 'true',
        [request.query.ifVersion ?? []].flat(),
      ),
  );
  const withStatus = (key: string, held: Held): Held & { status?: ResourceStatus } => {
    const status = cp.resourceStatus(key);
    return status === undefined ? held : { ...held, status };
  };
  app.get<{ Querystring: { kind?: string; namespace?: string } }>(
    '/api/v1/resources',
    async (request, reply) => {
      const kind = request.query.kind === undefined ? undefined : findKind(request.query.kind);
      if (request.query.kind !== undefined && kind === undefined)
        return unknownKind(reply, request.query.kind);
      return {
        items: cp
          .resources()
          .filter(
            ({ resource: r }) =>
              (kind === undefined || r.kind === kind.kind) &&
              (request.query.namespace === undefined || r.metadata.namespace === request.query.namespace),
          )
          .map((held) => withStatus(resourceKey(refOf(held.resource)), held)),
      };
    },
  );
  type One = { Params: { kind: string; namespace: string; name: string } };
  const one = '/api/v1/resources/:kind/:namespace/:name';
  const keyOf = (params: One['Params']): string | undefined => {
    const kind = findKind(params.kind);
    return kind && resourceKey({ kind: kind.kind, namespace: params.namespace, name: params.name });
  };
  app.get<One>(one, async (request, reply) => {
    const key = keyOf(request.params);
    if (key === undefined) return unknownKind(reply, request.params.kind);
    const held = cp.resource(key);
    if (held !== undefined) return { ...withStatus(key, held), conditions: cp.conditions(key) };
    return problem(reply, 404, 'TULLE_API_NOT_FOUND', `there is no ${key}`);
  });
  app.put<One>(one, async (request, reply) => {
    const key = keyOf(request.params);
    const result = await read(request.body, request.headers['content-type'] ?? '');
    const resource = result.resources[0]?.resource;
    if (resource === undefined && result.diagnostics.length === 0)
      return problem(
        reply,
        400,
        'TULLE_API_MISMATCH',
        'the body holds no resource',
        'send the resource itself',
      );
    if (
      resource !== undefined &&
      (result.resources.length > 1 || resourceKey({ kind: resource.kind, ...resource.metadata }) !== key)
    )
      return problem(
        reply,
        400,
        'TULLE_API_MISMATCH',
        `the body is not ${key ?? request.params.kind}`,
        'the path and the resource must name the same',
      );
    return applied(reply, result, false);
  });
  app.delete<One>(one, async (request, reply) => {
    const key = keyOf(request.params);
    if (key === undefined) return unknownKind(reply, request.params.kind);
    if (cp.resource(key) === undefined)
      return problem(reply, 404, 'TULLE_API_NOT_FOUND', `there is no ${key}`);
    const outcome = cp.apply([], [key], { cause: 'delete over REST' });
    if (outcome.refused.length > 0)
      return problem(
        reply,
        409,
        'TULLE0212',
        outcome.refused.map((d) => d.message).join('; '),
        outcome.refused[0]?.hint,
        outcome.refused,
      );
    return { changeId: outcome.changeId, changed: outcome.changed };
  });
  app.get('/api/v1/mtls', async () => ({ ports: cp.mtls() }));
  app.get('/api/v1/status', async () => cp.status());
  app.get<{ Params: { id: string } }>(
    '/api/v1/proxies/:id/config',
    async (request, reply) =>
      cp.proxyConfig(request.params.id) ??
      problem(
        reply,
        404,
        'TULLE_API_NOT_FOUND',
        `no proxy ${request.params.id} is connected`,
        'see /api/v1/status',
      ),
  );
  app.get<{ Params: { id: string }; Querystring: { waitMs?: string } }>(
    '/api/v1/changes/:id',
    async (request, reply) => {
      const { id } = request.params;
      const waitMs = Number(request.query.waitMs ?? 0);
      if (!(waitMs >= 0 && waitMs <= MAX_WAIT_MS))
        return problem(
          reply,
          400,
          'TULLE_API_QUERY',
          `waitMs is ${JSON.stringify(request.query.waitMs)}`,
          `milliseconds, at most ${MAX_WAIT_MS}`,
        );
      return (
        (await cp.settled(id, waitMs)) ??
        problem(reply, 404, 'TULLE_API_NOT_FOUND', `the change ${id} is not remembered`)
      );
    },
  );
  const { ca } = options;
  if (ca !== undefined) addCaRoutes(app, ca);
  if (options.xds !== undefined) addXdsRoutes(app, options.xds);
  if (options.loadReports !== undefined) addLoadReportRoutes(app, options.loadReports);
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/readyz', async (_request, reply) => {
    const { unsaved, sources } = cp.status();
    const unread = sources.filter(({ faults }) => faults.length > 0).map(({ id }) => id);
    if (unsaved === undefined && unread.length === 0) return { status: 'ok' };
    return problem(
      reply,
      503,
      'TULLE_API_NOT_READY',
      unsaved === undefined
        ? `faults in ${unread.join(', ')}; what they said before is in force`
        : `the state is not saved: ${unsaved}`,
      'see /api/v1/status',
    );
  });
  app.get('/metrics', async (_request, reply) =>
    reply.type('text/plain; version=0.0.4').send(options.metrics?.() ?? ''),
  );
  app.get('/openapi.json', async () =>
    openApi({
      ca: ca !== undefined,
      xds: options.xds !== undefined,
      loadReports: options.loadReports !== undefined,
    }),
  );

  return {
    app,
    async listen(at) {
      if ('path' in at) {
        await removeStaleSocket(at.path);
        const address = await app.listen({ path: at.path });
        chmodSync(at.path, 0o600);
        return address;
      }
      if (options.secret === undefined)
        throw new TulleError(
          'TULLE_CONFIG_INVALID',
          'REST on a port needs a secret, since everybody on this machine can reach it; give one, or a path for a Unix socket',
        );
      return app.listen({ host: '127.0.0.1', port: at.port });
    },
    close: () => app.close(),
  };
}

function invalid(reply: FastifyReply, issues: readonly Diagnostic[]): FastifyReply {
  return problem(
    reply,
    422,
    'TULLE_CONFIG_INVALID',
    `${issues.length} ${issues.length === 1 ? 'fault' : 'faults'}; nothing was applied`,
    undefined,
    issues,
  );
}

function unknownKind(reply: FastifyReply, kind: string): FastifyReply {
  return problem(
    reply,
    404,
    'TULLE0103',
    `unknown kind ${JSON.stringify(kind)}`,
    `kinds: ${KINDS.map((k) => k.plural).join(', ')}`,
  );
}
