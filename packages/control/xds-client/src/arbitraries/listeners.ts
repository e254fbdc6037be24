import fc from 'fast-check';
import {
  type CallerControls,
  CHECKED_CONTROLS,
  type CertificatePart,
  type Forwarding,
  type RequestIds,
  type ChainMatch,
  type FilterChain,
  type HboneOptions,
  type HttpHandler,
  type Listener,
  type UdpProxy,
  type LocalReplies,
  type LocalReplyFormat,
  type LocalReplyMapper,
  type ConnectBackoff,
  type TcpHandler,
  type HttpLogMoments,
  type TcpLogMoments,
  type TcpTunnel,
} from '@tulle/model';
import {
  http2Options,
  address,
  allowedIds,
  cidr,
  headerEdits,
  label,
  milliseconds,
  object,
  options,
  routeHeaderEdits,
  share,
  subset,
  uint32,
} from './basics.ts';
import { downstreamTls } from './tls.ts';
import { accessLogs } from './access-logs.ts';
import { connectionFilters, httpFilters } from './filters.ts';
import { readHeader, tcpTlvs } from './proxy-protocol.ts';
import { routeConfig } from './routes.ts';
import { tracing } from './tracing.ts';

const replyFormat: fc.Arbitrary<LocalReplyFormat> = fc.oneof(
  object<LocalReplyFormat>({ text: label }, { contentType: label, omitEmpty: fc.constant(true) }),
  object<LocalReplyFormat>(
    {
      json: fc.dictionary(
        label,
        fc.oneof(label, fc.dictionary(label, label, { maxKeys: 2, noNullPrototype: true })),
        { maxKeys: 2, noNullPrototype: true },
      ),
    },
    { contentType: label, omitEmpty: fc.constant(true) },
  ),
);

const localReplies: fc.Arbitrary<LocalReplies> = options<LocalReplies>({
  format: replyFormat,
  mappers: fc.array(
    object<LocalReplyMapper>(
      {
        match: fc.oneof(
          object<LocalReplyMapper['match']>(
            { minStatus: fc.integer({ min: 100, max: 300 }) },
            { maxStatus: fc.integer({ min: 300, max: 599 }), flags: fc.array(fc.constantFrom('UH', 'NR')) },
          ),
          object<LocalReplyMapper['match']>({ flags: fc.array(fc.constantFrom('UH', 'NR')) }),
        ),
      },
      {
        status: fc.integer({ min: 200, max: 599 }),
        body: label,
        format: replyFormat,
        headers: headerEdits.map(({ set, add }) => ({
          ...(set === undefined ? {} : { set }),
          ...(add === undefined ? {} : { add }),
        })),
      },
    ),
    { maxLength: 2 },
  ),
});

const plainHandler: fc.Arbitrary<HttpHandler> = object<HttpHandler>(
  {
    kind: fc.constant('http'),
    routes: fc.oneof(routeConfig(), object<{ routeConfigName: string }>({ routeConfigName: label })),
    filters: httpFilters,
  },
  {
    connectionFilters,
    statPrefix: label,
    codec: fc.constantFrom('auto', 'http1', 'http2'),
    http2: http2Options,
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
    allowCustomMethods: fc.boolean(),
    targetChars: fc.constantFrom('whatwg', 'rfc3986'),
    otherwise: object<NonNullable<HttpHandler['otherwise']>>(
      { clusters: fc.array(object<{ name: string }>({ name: label }, {}), { minLength: 1, maxLength: 2 }) },
      { idleTimeoutMs: milliseconds },
    ),
    pathParameters: fc.constantFrom('keep', 'strip', 'refuse'),
    escapedSlashes: fc.constantFrom('refuse', 'keep', 'unescape', 'redirect'),
    stripPort: fc.constantFrom('any', 'matching'),
    via: label,
    requestTimeoutMs: milliseconds,
    maxStreamDurationMs: milliseconds,
    logMoments: options<HttpLogMoments>({
      start: fc.boolean(),
      tunnel: fc.boolean(),
      everyMs: fc.integer({ min: 1, max: 60_000 }),
    }),
    delayedCloseMs: milliseconds,
    drainTimeoutMs: milliseconds,
    drainTimeoutJitterPercent: fc.integer({ min: 0, max: 100 }),
    maxConnectionDurationMs: milliseconds,
    maxConnectionDurationJitterPercent: fc.integer({ min: 0, max: 100 }),
    callerControls: options<CallerControls>({
      checks: fc.shuffledSubarray([...CHECKED_CONTROLS]),
      timeout: fc.boolean(),
    }),
    maxRequestsPerConnection: uint32,
    underscores: fc.constantFrom('allow', 'refuse', 'drop'),
    http10: fc.constantFrom('accept', 'refuse'),
    defaultHost: label,
    localReplies,
    accessLogs: accessLogs('http'),
    tracing,
    serverHeader: fc.oneof(
      fc.constant('pass' as const),
      object<{ value: string }>({ value: label }, { ifAbsent: fc.boolean() }),
    ),
  },
);

const forwarding: fc.Arbitrary<Forwarding> = object<Forwarding>(
  { client: fc.constantFrom('peer', 'header') },
  {
    trustedHops: fc.nat(3),
    append: fc.boolean(),
    port: fc.boolean(),
    clientCertificate: fc.constantFrom('sanitize', 'forward', 'append', 'replace', 'always-forward'),
    certificateParts: fc.subarray<CertificatePart>(['subject', 'cert', 'chain', 'dns', 'uri']),
    internalCidrs: fc.array(cidr, { minLength: 1, maxLength: 2 }),
  },
);

/** Who called is told in Tulle's words or in Envoy's; in those ids from outside are replaced at an edge only. */
const httpHandler: fc.Arbitrary<HttpHandler> = fc.oneof(
  fc
    .tuple(
      plainHandler,
      options<Pick<HttpHandler, 'identityHeaders' | 'trustedForwarders' | 'requestId'>>({
        identityHeaders: fc.constantFrom('strip', 'keep'),
        trustedForwarders: allowedIds,
        requestId: options<Omit<RequestIds, 'external'>>({
          generate: fc.boolean(),
          inResponse: fc.boolean(),
        }),
      }),
    )
    .map(([plain, more]): HttpHandler => ({ ...plain, ...more })),
  fc
    .tuple(plainHandler, forwarding, fc.boolean(), fc.boolean())
    .map(([plain, rules, replace, inResponse]): HttpHandler => ({
      ...plain,
      forwarding: rules,
      requestId: {
        ...(replace && rules.client === 'peer' && { external: 'replace' as const }),
        inResponse,
      },
    })),
);

const tcpHandler: fc.Arbitrary<TcpHandler> = object<TcpHandler>(
  {
    kind: fc.constant('tcp'),
    clusters: fc.array(
      object<TcpHandler['clusters'][number]>(
        { name: label },
        { weight: fc.oneof(share, fc.constant(1)), subset },
      ),
      { maxLength: 3 },
    ),
  },
  {
    hash: fc.constant('source-ip' as const),
    maxConnectAttempts: fc.integer({ min: 1, max: 100 }),
    connectBackoff: object<ConnectBackoff>(
      { baseMs: fc.integer({ min: 1, max: 1_000 }) },
      { maxMs: fc.integer({ min: 1_000, max: 60_000 }) },
    ),
    maxDurationMs: milliseconds,
    maxDurationJitterPercent: fc.integer({ min: 0, max: 100 }),
    statPrefix: label,
    filters: connectionFilters,
    idleTimeoutMs: milliseconds,
    logMoments: options<TcpLogMoments>({
      start: fc.boolean(),
      connected: fc.boolean(),
      everyMs: fc.integer({ min: 1, max: 60_000 }),
    }),
    tunnel: object<TcpTunnel>(
      { authority: fc.constantFrom('db.example:5432', '%REQUESTED_SERVER_NAME%:443') },
      {
        post: object<NonNullable<TcpTunnel['post']>>({}, { path: label.map((one) => `/${one}`) }),
        headers: routeHeaderEdits.filter(({ remove }) => remove === undefined),
        keeps: fc.constantFrom<NonNullable<TcpTunnel['keeps']>>(['head'], ['trailers'], ['head', 'trailers']),
      },
    ),
    proxyTlvs: tcpTlvs,
    accessLogs: accessLogs('tcp'),
  },
).map((one) => {
  if (one.tunnel === undefined) return one;
  const { proxyTlvs: _, ...rest } = one;
  return rest;
});

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
  destinationPort: fc.integer({ min: 0, max: 65_535 }),
  destinationCidrs: fc.array(cidr, { maxLength: 2 }),
  applicationProtocols: fc.uniqueArray(fc.constantFrom('h2', 'http/1.1', 'istio'), { maxLength: 2 }),
  directSourceCidrs: fc.array(cidr, { maxLength: 2 }),
  sourceType: fc.constantFrom('local', 'external'),
  sourcePorts: fc.uniqueArray(fc.integer({ min: 0, max: 65_535 }), { maxLength: 2 }),
});

const chain: fc.Arbitrary<FilterChain> = object<FilterChain>(
  { name: label, handler: fc.oneof(httpHandler, tcpHandler) },
  { match, tls: downstreamTls, handshakeTimeoutMs: fc.integer({ min: 1, max: 60_000 }) },
);

/** The same text for matches that mean the same: an empty list says nothing. */
function conditionsOf({ match: given = {} }: FilterChain): string {
  const said = Object.entries(given).filter(([, value]) => !Array.isArray(value) || value.length > 0);
  return JSON.stringify(said.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** A listener of the given name. */
export function listener(name: fc.Arbitrary<string> = label): fc.Arbitrary<Listener> {
  return fc.oneof({ weight: 9, arbitrary: ofConnections(name) }, { weight: 1, arbitrary: ofDatagrams(name) });
}

function ofDatagrams(name: fc.Arbitrary<string>): fc.Arbitrary<Listener> {
  return object<Listener>({
    name,
    address: address.filter((one) => 'port' in one),
    filterChains: fc.constant([]),
    udp: object<UdpProxy>(
      {
        clusters: fc.array(object<UdpProxy['clusters'][number]>({ name: label }, { weight: fc.nat(10) }), {
          minLength: 1,
          maxLength: 2,
        }),
      },
      {
        statPrefix: label,
        idleTimeoutMs: fc.integer({ min: 1, max: 100_000 }),
        hash: fc.constant('source-ip'),
        maxSessions: fc.integer({ min: 1, max: 1_000 }),
      },
    ),
  });
}

function ofConnections(name: fc.Arbitrary<string>): fc.Arbitrary<Listener> {
  return object<Listener>(
    {
      name,
      address,
      filterChains: fc.uniqueArray(chain, {
        maxLength: 2,
        selector: conditionsOf, // two that match the same are refused
      }),
    },
    {
      statPrefix: label,
      direction: fc.constantFrom('inbound', 'outbound', 'unspecified'),
      chainOrder: fc.constantFrom('first', 'specific'),
      proxyProtocol: readHeader,
      hbone: object<HboneOptions>(
        { tls: downstreamTls },
        { http2: http2Options, trustedForwarders: allowedIds },
      ),
      originalDestination: fc.boolean(),
      firstBytesTimeoutMs: milliseconds,
      continueWithoutFirstBytes: fc.boolean(),
      connectionFilters,
      additionalAddresses: fc.array(address, { minLength: 1, maxLength: 2 }),
      accessLogs: accessLogs('tcp'),
      maxConnections: uint32,
      bufferLimitBytes: uint32,
    },
  );
}
