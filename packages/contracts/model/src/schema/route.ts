import { stringMatchSchema } from '../filters/authz.ts';
import { filterStateTestSchema, metadataTestSchema } from '../filters/authz-expression.ts';
import type { JsonSchema } from '../filters/json-schema.ts';
import { headerMatchesSchema } from './header-match.ts';
import { onDemandClustersSchema } from './on-demand.ts';
import {
  fields,
  flag,
  labels,
  listOf,
  milliseconds,
  name,
  names,
  oneOf,
  percent,
  text,
  whole,
} from './parts.ts';
import { localReplyFormatSchema } from './local-reply.ts';
import { hashPolicySchema } from './hash-policy.ts';
import { routeHeaderEditsSchema } from './header-edits.ts';
import { mirrorsSchema } from './mirror.ts';
import { regexRewriteSchema } from './regex-rewrite.ts';
import { routeChoiceDefinitions, routeChoiceSchema } from './route-choice.ts';
import { routeDecoratorSchema, routeTracingSchema } from './tracing.ts';
import { rateLimitActionsSchema } from './rate-limit-actions.ts';

/** By slot name; each value is the filter's own matter, `null` removes it, `true` puts it in force. */
const filterConfigs: JsonSchema = { type: 'object' };

/** JSON Schema of `ValueMatch`. */
export const valueMatchSchema: JsonSchema = fields(['name', 'match'], {
  name,
  match: stringMatchSchema,
  invert: flag,
});
const valueMatches: JsonSchema = listOf(valueMatchSchema);

/** Values within values that are looked at: as in filters of access logs. */
const MAX_DEPTH = 4;

const match: JsonSchema = fields(['path'], {
  path: fields(['kind', 'value'], {
    kind: oneOf('exact', 'prefix', 'bytes-prefix', 'regex', 'template', 'connect'),
    value: text,
    ignoreCase: flag,
  }),
  method: name,
  headers: headerMatchesSchema,
  query: valueMatches,
  cookies: valueMatches,
  grpc: flag,
  percent,
  provenPeer: flag,
  metadata: listOf(metadataTestSchema(MAX_DEPTH)),
  filterState: listOf(filterStateTestSchema),
});

const pathRewrite = (...kinds: readonly string[]): JsonSchema => ({
  anyOf: [
    fields(['kind', 'value'], { kind: oneOf(...kinds), value: text }),
    fields(['kind', 'value'], { kind: { const: 'format' }, value: text }),
    regexRewriteSchema,
  ],
});

const share = {
  weight: whole(0, 1_000_000),
  subset: labels,
  host: name,
  requestHeaders: routeHeaderEditsSchema,
  responseHeaders: routeHeaderEditsSchema,
  filterConfigs,
};
const weighted: JsonSchema = {
  ...fields([], { name, clusterHeader: name, ...share }),
  oneOf: [{ required: ['name'] }, { required: ['clusterHeader'] }],
};

/** Schema of `SessionPersistence`, which the xds packages check what they are sent by too. */
export const sessionPersistenceSchema: JsonSchema = fields(['kind', 'name', 'secret'], {
  kind: oneOf('cookie', 'header'),
  name,
  secret: { type: 'string', pattern: '^[0-9a-f]{32}$' },
  absoluteTimeoutMs: milliseconds(),
  idleTimeoutMs: milliseconds(),
  path: name,
  permanent: flag,
});

const action: JsonSchema = {
  anyOf: [
    fields(['kind', 'clusters'], {
      kind: { const: 'forward' },
      clusters: listOf(weighted),
      clusterHeader: name,
      onDemand: { anyOf: [onDemandClustersSchema, { const: 'none' }] },
      splitHeader: name,
      splitByHash: flag,
      clusterNotFoundStatus: { enum: [404, 500, 503] },
      requestTimeoutMs: milliseconds(),
      maxGrpcTimeoutMs: milliseconds(),
      grpcTimeoutOffsetMs: milliseconds(),
      maxStreamDurationMs: milliseconds(),
      perTryTimeoutMs: milliseconds(),
      perTryIdleTimeoutMs: milliseconds(),
      avoidOnRetry: listOf(labels),
      newPriorityEvery: whole(0, 2_147_483_647),
      idleTimeoutMs: milliseconds(),
      rewrite: fields([], {
        host: name,
        hostFrom: {
          anyOf: [
            fields(['kind', 'name'], { kind: { const: 'header' }, name }),
            fields(['kind'], { kind: { const: 'endpoint' } }),
            fields(['kind', 'value'], { kind: { const: 'format' }, value: name }),
            regexRewriteSchema,
          ],
        },
        forwardHost: flag,
        path: pathRewrite('full', 'prefix', 'template'),
      }),
      hashPolicy: listOf(hashPolicySchema),
      persistence: sessionPersistenceSchema,
      mirrors: mirrorsSchema,
      maxReplayBytes: whole(0, 4_294_967_295),
      allowUpgrades: names,
      allowConnect: flag,
      connect: fields([], { proxyProtocol: { enum: [1, 2] }, post: flag }),
      circuitPriority: oneOf('default', 'high'),
      trustIdempotencyKey: flag,
      rateLimits: rateLimitActionsSchema,
      includeHostRateLimits: flag,
      internalRedirect: fields([], {
        max: whole(0, 4_294_967_295),
        statuses: listOf({ enum: [301, 302, 303, 307, 308] }),
        schemes: oneOf('same', 'safe', 'any'),
        routes: names,
        newRoutes: flag,
        copyHeaders: names,
      }),
    }),
    fields(['kind'], {
      kind: { const: 'redirect' },
      scheme: oneOf('http', 'https'),
      host: name,
      port: { anyOf: [whole(1, 65_535), { const: 'asked' }] },
      path: pathRewrite('full', 'prefix'),
      stripQuery: flag,
      status: { enum: [301, 302, 303, 307, 308] },
    }),
    fields(['kind', 'status'], {
      kind: { const: 'direct' },
      status: whole(200, 599),
      body: text,
      format: localReplyFormatSchema,
      code: name,
    }),
  ],
};

/** JSON Schema of `RouteConfig`. */
export const routeConfigSchema: JsonSchema = {
  ...fields(['name', 'virtualHosts'], {
    name,
    requestHeaders: routeHeaderEditsSchema,
    responseHeaders: routeHeaderEditsSchema,
    headerOrder: oneOf('specific-last', 'specific-first'),
    internalOnlyHeaders: names,
    comparesPorts: flag,
    hostHeader: name,
    ignoresPathParameters: flag,
    discoversHosts: flag,
    filterConfigs,
    virtualHosts: listOf(
      fields(['name', 'domains', 'routes'], {
        name,
        domains: names,
        routes: listOf(
          fields(['name', 'match', 'action'], {
            name,
            match,
            action,
            requestHeaders: routeHeaderEditsSchema,
            responseHeaders: routeHeaderEditsSchema,
            filterConfigs,
            priority: oneOf('low', 'default', 'high', 'critical'),
            statPrefix: name,
            decorator: routeDecoratorSchema,
            tracing: routeTracingSchema,
            metadata: { type: 'object', additionalProperties: { type: 'object' } },
          }),
        ),
        requestHeaders: routeHeaderEditsSchema,
        responseHeaders: routeHeaderEditsSchema,
        filterConfigs,
        rateLimits: rateLimitActionsSchema,
        choice: routeChoiceSchema,
        requireTls: oneOf('all', 'external'),
        tellsTimeoutRetry: flag,
        attemptCount: fields([], { request: flag, response: flag }),
        virtualClusters: listOf(fields(['name', 'headers'], { name, headers: headerMatchesSchema })),
      }),
    ),
  }),
  $defs: routeChoiceDefinitions,
};
