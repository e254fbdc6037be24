import type { JsonSchema } from '../filters/json-schema.ts';
import {
  addressOrInternal,
  fields,
  flag,
  labels,
  listOf,
  metadata,
  milliseconds,
  name,
  oneOf,
  percent,
  text,
  whole,
} from './parts.ts';
import { clusterPolicies } from './cluster-policies.ts';
import { hashPolicySchema } from './hash-policy.ts';
import { healthCheckSchema } from './health-check.ts';
import { http2OptionsSchema } from './http2.ts';
import { proxyHeaderSchema, proxyVersionSchema } from './proxy-protocol.ts';
import { routeChoiceDefinitions } from './route-choice.ts';
import { tcpKeepaliveSchema } from './tcp-keepalive.ts';
import { upstreamTlsSchema } from './tls.ts';

/** No name. */
const IP_ADDRESS = '^(?:[0-9]{1,3}(?:\\.[0-9]{1,3}){3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)$';

/** JSON Schema of `Endpoint`. */
export const endpointSchema: JsonSchema = fields(['address'], {
  address: addressOrInternal(1),
  additionalAddresses: {
    ...listOf(
      fields(['host', 'port'], { host: { type: 'string', pattern: IP_ADDRESS }, port: whole(1, 65_535) }),
    ),
    maxItems: 100,
  },
  hostname: name,
  weight: whole(1, 1_000_000),
  health: oneOf('healthy', 'unhealthy', 'draining', 'degraded'),
  locality: fields(['region'], { region: text, zone: text, subZone: text }),
  localityWeight: whole(1, 4_294_967_295),
  priority: whole(0, 127),
  identity: name,
  mode: oneOf('sidecar', 'captured', 'none', 'hbone'),
  tunnel: fields([], {
    address: fields(['host', 'port'], { host: name, port: whole(1, 65_535) }),
    authority: name,
  }),
  healthCheck: fields([], { port: whole(1, 65_535), host: name, hostname: name, disabled: flag }),
  tlsLabels: labels,
  labels,
  metadata,
});

const endpoints: JsonSchema = listOf(endpointSchema);

const policy: JsonSchema = fields([], {
  overprovisioningPercent: whole(1, 4_294_967_295),
  weightedHealth: flag,
  drops: listOf(fields(['category', 'perMillion'], { category: name, perMillion: whole(0, 1_000_000) })),
});

/** JSON Schema of `EndpointSet`. */
export const endpointSetSchema: JsonSchema = fields(['name', 'endpoints'], { name, endpoints, policy });

const someNames: JsonSchema = { type: 'array', minItems: 1, items: name };

/** Of `MetadataPlace`. */
const metadataPlace: Readonly<Record<string, JsonSchema>> = { namespace: name, path: someNames };

const family: JsonSchema = oneOf('v4', 'v6', 'v4-first', 'v6-first');
const failureRefresh: JsonSchema = fields(['baseMs'], { baseMs: milliseconds(1), maxMs: milliseconds(1) });

const discovery: JsonSchema = {
  anyOf: [
    fields(['kind', 'endpoints'], { kind: { const: 'static' }, endpoints, policy }),
    fields(['kind'], { kind: { const: 'eds' }, serviceName: name }),
    fields(['kind', 'clusters'], { kind: { const: 'aggregate' }, clusters: someNames }),
    fields(['kind'], {
      kind: { const: 'forward-proxy' },
      family,
      refreshMs: milliseconds(1),
      failureRefresh,
      queryTimeoutMs: milliseconds(1),
      hostTtlMs: milliseconds(1),
      maxHosts: whole(1, 1_000_000),
      maxPendingRequests: whole(0, 4_294_967_295),
      preresolve: listOf(fields(['host', 'port'], { host: name, port: whole(1, 65_535) })),
    }),
    fields(['kind'], {
      kind: { const: 'original-dst' },
      metadata: fields(['namespace', 'path'], metadataPlace),
      header: name,
      port: whole(1, 65_535),
      cleanupMs: milliseconds(1),
      maxHosts: whole(1, 1_000_000),
    }),
    fields(['kind', 'endpoints', 'use'], {
      kind: { const: 'dns' },
      endpoints,
      policy,
      use: oneOf('all', 'first'),
      refreshMs: { type: 'number', minimum: 100, maximum: 86_400_000 },
      family,
      respectTtl: flag,
      jitterMs: milliseconds(),
      failureRefresh,
    }),
  ],
};

const slowStart: JsonSchema = fields(['windowMs'], {
  windowMs: milliseconds(1),
  aggression: { type: 'number', minimum: 0.01, maximum: 100 },
  minWeightPercent: percent,
});

/** Envoy's bound as well: 64 MiB of points. */
const MAX_RING = 8_388_608;

const hashing: Readonly<Record<string, JsonSchema>> = {
  useHostname: flag,
  balanceFactorPercent: whole(100, 1_000_000),
};

const balance: JsonSchema = {
  anyOf: [
    fields(['policy'], { policy: { const: 'round-robin' }, slowStart }),
    fields(['policy'], {
      policy: { const: 'client-side-weighted-round-robin' },
      blackoutMs: milliseconds(),
      expirationMs: milliseconds(),
      updateMs: milliseconds(100),
      errorPenalty: { type: 'number', minimum: 0, maximum: 1_000_000 },
    }),
    fields(['policy'], { policy: { const: 'random' } }),
    fields(['policy'], {
      policy: { const: 'least-request' },
      choices: whole(2, 1_000),
      fullScan: flag,
      activeRequestBias: { type: 'number', minimum: 0, maximum: 100 },
      slowStart,
    }),
    fields(['policy'], { policy: { const: 'pick-first' }, shuffle: flag }),
    fields(['policy'], {
      policy: { const: 'peak-ewma' },
      defaultRttMs: milliseconds(0.001),
      decayMs: milliseconds(1),
    }),
    fields(['policy'], {
      policy: { const: 'ring-hash' },
      minRingSize: whole(1, MAX_RING),
      maxRingSize: whole(1, MAX_RING),
      ...hashing,
    }),
    fields(['policy'], { policy: { const: 'maglev' }, tableSize: whole(2, 5_000_011), ...hashing }),
  ],
};

/** As in Envoy, whose operators say "no limit" by the largest number of 32 bits. */
const limit: JsonSchema = whole(0, 4_294_967_295);

const counts: Readonly<Record<string, JsonSchema>> = {
  maxConnections: limit,
  maxPendingRequests: limit,
  maxRequests: limit,
  maxRetries: limit,
  retryConcurrency: fields([], { percent, least: limit, intervalMs: milliseconds() }),
  trackRemaining: flag,
};

const passthrough: JsonSchema = fields([], {
  metadata: listOf({
    anyOf: [
      fields(['from', 'namespace'], { from: { const: 'endpoint' }, namespace: name }),
      fields(['from', 'namespace', 'values'], {
        from: { const: 'cluster' },
        namespace: name,
        values: { type: 'object' },
      }),
    ],
  }),
});

const chance: JsonSchema = whole(0, 100);
const consecutive: JsonSchema = fields(['count'], { count: whole(1, 1_000_000), enforcedPercent: chance });
const compared: Readonly<Record<string, JsonSchema>> = {
  minimumEndpoints: whole(0, 4_294_967_295),
  minimumRequests: whole(0, 4_294_967_295),
  enforcedPercent: chance,
  localEnforcedPercent: chance,
};

const cluster: JsonSchema = fields(['name', 'discovery'], {
  name,
  statName: name,
  discovery,
  balance,
  connectTimeoutMs: milliseconds(1),
  highLimits: fields([], counts),
  limits: fields([], {
    ...counts,
    maxConnectionsPerEndpoint: whole(1, 4_294_967_295),
    retryBudget: fields([], {
      percent,
      minPerSecond: { type: 'number', minimum: 0, maximum: 1_000_000 },
      intervalMs: milliseconds(10),
    }),
  }),
  panicThresholdPercent: percent,
  failOnPanic: flag,
  hostOverride: fields(['sources'], {
    sources: {
      type: 'array',
      minItems: 1,
      items: {
        anyOf: [
          fields(['kind', 'name'], { kind: { const: 'header' }, name }),
          fields(['kind', 'namespace', 'path'], { kind: { const: 'metadata' }, ...metadataPlace }),
        ],
      },
    },
    chosenIn: fields(['namespace', 'path'], metadataPlace),
  }),
  subsets: fields(['selectors'], {
    fallback: oneOf('none', 'any', 'default'),
    defaultSubset: labels,
    selectors: {
      type: 'array',
      minItems: 1,
      items: fields(['keys'], {
        keys: someNames,
        fallback: oneOf('none', 'any', 'default', 'keys'),
        fallbackKeys: someNames,
        singleHost: flag,
      }),
    },
    localityWeighted: flag,
  }),
  localityWeighted: flag,
  zoneRouting: fields([], { percent, minEndpoints: whole(0, 4_294_967_295) }),
  healthCheck: healthCheckSchema,
  moreHealthChecks: listOf(healthCheckSchema),
  outlier: fields([], {
    consecutiveFailures: whole(0, 1_000_000),
    successRate: fields(['belowPercent', 'windowMs', 'minimumRequests'], {
      belowPercent: percent,
      windowMs: milliseconds(1),
      minimumRequests: whole(1, 10_000_000),
    }),
    consecutiveFailuresEnforcedPercent: chance,
    gatewayFailures: consecutive,
    splitLocalFailures: flag,
    localFailures: consecutive,
    deviation: fields(['minimumEndpoints', 'minimumRequests', 'factor'], {
      ...compared,
      factor: { type: 'number', minimum: 0, maximum: 4_294_967 },
    }),
    failurePercentage: fields(['minimumEndpoints', 'minimumRequests', 'thresholdPercent'], {
      ...compared,
      thresholdPercent: chance,
    }),
    intervalMs: milliseconds(1),
    baseEjectionMs: milliseconds(1),
    maxEjectionMs: milliseconds(1),
    ejectionJitterMs: milliseconds(),
    healthCheckReturns: flag,
    maxEjectionPercent: percent,
    eventLog: name,
  }),
  tls: upstreamTlsSchema,
  proxyProtocol: proxyVersionSchema,
  proxyHeader: proxyHeaderSchema,
  passthrough,
  serverNameFrom: fields([], { header: name, verified: flag }),
  hashPolicy: listOf(hashPolicySchema),
  ...clusterPolicies,
  tlsMatches: listOf(
    fields(['name', 'labels'], {
      name,
      labels,
      tls: upstreamTlsSchema,
      proxyProtocol: proxyVersionSchema,
      proxyHeader: proxyHeaderSchema,
      passthrough,
    }),
  ),
  pool: fields([], {
    idleTimeoutMs: milliseconds(),
    maxRequestsPerConnection: whole(0, 1_000_000_000),
    maxIdlePerEndpoint: whole(0, 1_000_000),
    protocol: oneOf('http1', 'http2', 'auto', 'downstream'),
    http2: http2OptionsSchema,
    perDownstreamConnection: flag,
    bufferLimitBytes: whole(1, 4_294_967_295),
    tcpKeepalive: tcpKeepaliveSchema,
    sourceAddress: name,
    addressOrder: fields([], { first: oneOf('v4', 'v6'), count: whole(1, 4_294_967_295) }),
    drainsOnSetChange: flag,
    closesOnFailure: flag,
    network: fields([], { namespace: name, mark: whole(1, 4_294_967_295) }),
  }),
  labels,
});

/** JSON Schema of `Cluster`. */
export const clusterSchema: JsonSchema = { ...cluster, $defs: routeChoiceDefinitions };
