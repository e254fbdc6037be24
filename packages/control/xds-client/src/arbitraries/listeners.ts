import fc from 'fast-check';
import type { ChainMatch, FilterChain, HttpHandler, Listener, TcpHandler } from '@tulle/model';
import { address, allowedIds, cidr, label, milliseconds, object, options, share, uint32 } from './basics.ts';
import { downstreamTls } from './clusters.ts';
import { connectionFilters, httpFilters } from './filters.ts';
import { routeConfig } from './routes.ts';

const httpHandler: fc.Arbitrary<HttpHandler> = object<HttpHandler>(
  {
    kind: fc.constant('http'),
    routes: fc.oneof(routeConfig(), object<{ routeConfigName: string }>({ routeConfigName: label })),
    filters: httpFilters,
  },
  {
    statPrefix: label,
    requestHeadTimeoutMs: milliseconds,
    idleTimeoutMs: milliseconds,
    streamIdleTimeoutMs: milliseconds,
    maxRequestHeadersBytes: fc.oneof(
      fc.integer({ min: 1, max: 8192 }).map((kib) => kib * 1024),
      fc.integer({ min: 1, max: 1 << 20 }),
    ),
    maxRequestHeadersCount: fc.nat(1000),
    maxReplayBytes: uint32,
    allowUpgrades: fc.uniqueArray(fc.constantFrom('websocket', 'h2c'), { maxLength: 2 }),
    allowConnect: fc.boolean(),
    identityHeaders: fc.constantFrom('strip', 'keep'),
    trustedForwarders: allowedIds,
    allowCustomMethods: fc.boolean(),
    targetChars: fc.constantFrom('whatwg', 'rfc3986'),
    pathParameters: fc.constantFrom('keep', 'strip', 'refuse'),
    serverHeader: fc.oneof(fc.constant('pass' as const), object<{ value: string }>({ value: label })),
  },
);

const tcpHandler: fc.Arbitrary<TcpHandler> = object<TcpHandler>(
  {
    kind: fc.constant('tcp'),
    clusters: fc.array(
      object<{ name: string }>({ name: label }, { weight: fc.oneof(share, fc.constant(1)) }),
      { maxLength: 3 },
    ),
  },
  { statPrefix: label, filters: connectionFilters, idleTimeoutMs: milliseconds },
);

const match: fc.Arbitrary<ChainMatch> = options<ChainMatch>({
  serverNames: fc.uniqueArray(
    fc.oneof(
      label,
      label.map((one) => `*.${one}`),
    ),
    { maxLength: 2 },
  ),
  transport: fc.constantFrom('tls', 'plain'),
  sourceCidrs: fc.array(cidr, { maxLength: 2 }),
});

const chain: fc.Arbitrary<FilterChain> = object<FilterChain>(
  { name: label, handler: fc.oneof(httpHandler, tcpHandler) },
  { match, tls: downstreamTls },
);

/** A listener of the given name. */
export function listener(name: fc.Arbitrary<string> = label): fc.Arbitrary<Listener> {
  return object<Listener>(
    { name, address, filterChains: fc.array(chain, { maxLength: 2 }) },
    {
      direction: fc.constantFrom('inbound', 'outbound', 'unspecified'),
      connectionFilters,
      maxConnections: uint32,
      bufferLimitBytes: uint32,
    },
  );
}
