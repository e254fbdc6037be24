import { CHECKED_CONTROLS } from '../caller-controls.ts';
import type { JsonSchema } from '../filters/json-schema.ts';
import { chainChoiceDefinitions, chainChoiceSchema } from './chain-choice.ts';
import { routeChoiceDefinitions } from './route-choice.ts';
import { accessLogsSchema } from './access-log.ts';
import { onDemandClustersSchema } from './on-demand.ts';
import {
  address,
  addressOrInternal,
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
import { forwardingSchema } from './forwarding.ts';
import { http2OptionsSchema } from './http2.ts';
import { localRepliesSchema } from './local-reply.ts';
import { proxyProtocolSchema, proxyTlvsSchema } from './proxy-protocol.ts';
import { routeHeaderAdditionsSchema, routeHeaderEditsSchema } from './header-edits.ts';
import { routeConfigSchema } from './route.ts';
import { tcpKeepaliveSchema } from './tcp-keepalive.ts';
import { downstreamTlsSchema } from './tls.ts';
import { udpProxySchema } from './udp.ts';
import { handlerTracingSchema } from './tracing.ts';

const filters: JsonSchema = listOf(
  fields(['name', 'filter'], {
    name,
    filter: name,
    config: {},
    mandatory: flag,
    failOpen: flag,
    overriddenBy: name,
    disabled: flag,
    optional: flag,
  }),
);

const shares: JsonSchema = listOf(fields(['name'], { name, weight: whole(0, 1_000_000), subset: labels }));

const routesSchema: JsonSchema = {
  anyOf: [routeConfigSchema, fields(['routeConfigName'], { routeConfigName: name })],
};

const http: JsonSchema = fields(['kind', 'routes', 'filters'], {
  kind: { const: 'http' },
  statPrefix: name,
  routes: routesSchema,
  earlyEdits: listOf(routeHeaderEditsSchema),
  scopes: fields(['key', 'scopes'], {
    key: listOf(
      fields(['header', 'element'], {
        header: name,
        separator: name,
        element: {
          anyOf: [whole(0, 4_294_967_295), fields(['key', 'separator'], { key: name, separator: name })],
        },
      }),
    ),
    scopes: listOf(fields(['name', 'key', 'routes'], { name, key: listOf(text), routes: routesSchema })),
  }),
  filters,
  connectionFilters: filters,
  codec: oneOf('auto', 'http1', 'http2'),
  otherwise: fields(['clusters'], { clusters: shares, filters, idleTimeoutMs: milliseconds() }),
  http2: http2OptionsSchema,
  requestHeadTimeoutMs: milliseconds(),
  idleTimeoutMs: milliseconds(),
  streamIdleTimeoutMs: milliseconds(),
  maxRequestHeadersBytes: whole(1_024, 16_777_216),
  maxRequestHeadersCount: whole(1, 10_000),
  maxReplayBytes: whole(0, 1_073_741_824),
  allowUpgrades: names,
  allowConnect: flag,
  identityHeaders: oneOf('strip', 'keep'),
  trustedForwarders: names,
  allowCustomMethods: flag,
  targetChars: oneOf('whatwg', 'rfc3986'),
  forwarding: forwardingSchema,
  onDemand: fields([], { clusters: onDemandClustersSchema }),
  pathParameters: oneOf('keep', 'strip', 'refuse'),
  escapedSlashes: oneOf('refuse', 'keep', 'unescape', 'redirect'),
  stripPort: oneOf('any', 'matching'),
  requestId: fields([], { generate: flag, external: oneOf('keep', 'replace'), inResponse: flag }),
  via: name,
  requestTimeoutMs: milliseconds(),
  maxStreamDurationMs: milliseconds(),
  delayedCloseMs: milliseconds(),
  drainTimeoutMs: milliseconds(),
  drainTimeoutJitterPercent: percent,
  maxConnectionDurationMs: milliseconds(),
  maxConnectionDurationJitterPercent: percent,
  maxRequestsPerConnection: whole(0, 4_294_967_295),
  underscores: oneOf('allow', 'refuse', 'drop'),
  http10: oneOf('accept', 'refuse'),
  defaultHost: name,
  callerControls: fields([], { checks: listOf(oneOf(...CHECKED_CONTROLS)), timeout: flag }),
  localReplies: localRepliesSchema,
  tracing: handlerTracingSchema,
  logMoments: fields([], { start: flag, tunnel: flag, everyMs: milliseconds(1) }),
  accessLogs: accessLogsSchema,
  serverHeader: { anyOf: [{ const: 'pass' }, fields(['value'], { value: text, ifAbsent: flag })] },
});

const tcp: JsonSchema = fields(['kind', 'clusters'], {
  kind: { const: 'tcp' },
  statPrefix: name,
  clusters: shares,
  filters,
  hash: oneOf('source-ip'),
  maxConnectAttempts: whole(1, 100),
  connectBackoff: fields(['baseMs'], { baseMs: milliseconds(1), maxMs: milliseconds(1) }),
  maxDurationMs: milliseconds(),
  maxDurationJitterPercent: percent,
  idleTimeoutMs: milliseconds(),
  tunnel: fields(['authority'], {
    authority: name,
    post: fields([], { path: name }),
    headers: routeHeaderAdditionsSchema,
    keeps: listOf(oneOf('head', 'trailers')),
  }),
  proxyTlvs: proxyTlvsSchema,
  logMoments: fields([], { start: flag, connected: flag, everyMs: milliseconds(1) }),
  accessLogs: accessLogsSchema,
});

const portRanges: JsonSchema = listOf(
  fields(['from', 'to'], { from: whole(0, 65_535), to: whole(0, 65_535) }),
);

/** JSON Schema of `Listener`. */
export const listenerSchema: JsonSchema = {
  ...fields(['name', 'address', 'filterChains'], {
    name,
    statPrefix: name,
    address: addressOrInternal(0),
    additionalAddresses: listOf(address(0)),
    direction: oneOf('inbound', 'outbound', 'unspecified'),
    filterChains: listOf(
      fields(['name', 'handler'], {
        name,
        match: fields([], {
          destinationPort: whole(0, 65_535),
          destinationCidrs: names,
          serverNames: names,
          transport: oneOf('tls', 'plain'),
          applicationProtocols: names,
          directSourceCidrs: names,
          sourceType: oneOf('local', 'external'),
          sourceCidrs: names,
          sourcePorts: listOf(whole(0, 65_535)),
        }),
        handshakeTimeoutMs: milliseconds(1),
        tls: downstreamTlsSchema,
        handler: { anyOf: [http, tcp] },
      }),
    ),
    udp: udpProxySchema,
    chainOrder: oneOf('first', 'specific'),
    chainChoice: chainChoiceSchema,
    defaultChain: name,
    proxyProtocol: proxyProtocolSchema,
    hbone: fields(['tls'], { tls: downstreamTlsSchema, http2: http2OptionsSchema, trustedForwarders: names }),
    originalDestination: flag,
    handsOver: flag,
    unbound: flag,
    unlookedPorts: fields([], { tls: portRanges, http: portRanges }),
    firstBytesTimeoutMs: milliseconds(),
    continueWithoutFirstBytes: flag,
    connectionFilters: filters,
    accessLogs: accessLogsSchema,
    maxConnections: whole(1, 10_000_000),
    ignoresConnectionLimit: flag,
    bypassesOverload: flag,
    tcpKeepalive: tcpKeepaliveSchema,
    bufferLimitBytes: whole(1_024, 1_073_741_824),
  }),
  $defs: { ...routeChoiceDefinitions, ...chainChoiceDefinitions },
};
