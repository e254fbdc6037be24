import { stringMatchSchema } from '../filters/authz.ts';
import type { JsonSchema } from '../filters/json-schema.ts';
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
import { rateLimitActionsSchema } from './rate-limit-actions.ts';

/** By slot name; each value is the filter's own matter, `null` removes it, `true` puts it in force. */
const filterConfigs: JsonSchema = { type: 'object' };

const pair: JsonSchema = fields(['name', 'value'], { name, value: text });
const edits: JsonSchema = fields([], { set: listOf(pair), add: listOf(pair), remove: names });

/** JSON Schema of `ValueMatch`. */
export const valueMatchSchema: JsonSchema = fields(['name', 'match'], {
  name,
  match: stringMatchSchema,
  invert: flag,
});
const valueMatches: JsonSchema = listOf(valueMatchSchema);

const match: JsonSchema = fields(['path'], {
  path: fields(['kind', 'value'], { kind: oneOf('exact', 'prefix', 'bytes-prefix', 'regex'), value: text }),
  method: name,
  headers: valueMatches,
  query: valueMatches,
  grpc: flag,
});

const path: JsonSchema = fields(['kind', 'value'], { kind: oneOf('full', 'prefix'), value: text });

const weighted: JsonSchema = fields(['name'], {
  name,
  weight: whole(0, 1_000_000),
  subset: labels,
  requestHeaders: edits,
  responseHeaders: edits,
  filterConfigs,
});

const terminal: JsonSchema = flag;
const hashPolicy: JsonSchema = {
  anyOf: [
    fields(['kind', 'name'], { kind: oneOf('header', 'query'), name, terminal }),
    fields(['kind', 'name'], {
      kind: { const: 'cookie' },
      name,
      ttlMs: milliseconds(),
      path: name,
      attributes: listOf(pair),
      terminal,
    }),
    fields(['kind'], { kind: { const: 'source-ip' }, terminal }),
  ],
};

const action: JsonSchema = {
  anyOf: [
    fields(['kind', 'clusters'], {
      kind: { const: 'forward' },
      clusters: listOf(weighted),
      clusterNotFoundStatus: { enum: [404, 500, 503] },
      requestTimeoutMs: milliseconds(),
      maxGrpcTimeoutMs: milliseconds(),
      perTryTimeoutMs: milliseconds(),
      idleTimeoutMs: milliseconds(),
      rewrite: fields([], { host: name, path }),
      hashPolicy: listOf(hashPolicy),
      mirrors: listOf(fields(['cluster'], { cluster: name, percent, shadowHost: flag })),
      allowUpgrades: names,
      trustIdempotencyKey: flag,
      rateLimits: rateLimitActionsSchema,
      includeHostRateLimits: flag,
    }),
    fields(['kind'], {
      kind: { const: 'redirect' },
      scheme: oneOf('http', 'https'),
      host: name,
      port: whole(1, 65_535),
      path,
      status: { enum: [301, 302, 303, 307, 308] },
    }),
    fields(['kind', 'status'], {
      kind: { const: 'direct' },
      status: whole(200, 599),
      body: text,
      code: name,
    }),
  ],
};

/** JSON Schema of `RouteConfig`. */
export const routeConfigSchema: JsonSchema = fields(['name', 'virtualHosts'], {
  name,
  virtualHosts: listOf(
    fields(['name', 'domains', 'routes'], {
      name,
      domains: names,
      routes: listOf(
        fields(['name', 'match', 'action'], {
          name,
          match,
          action,
          requestHeaders: edits,
          responseHeaders: edits,
          filterConfigs,
          priority: oneOf('low', 'default', 'high', 'critical'),
        }),
      ),
      filterConfigs,
      rateLimits: rateLimitActionsSchema,
    }),
  ),
});
