import { create } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import {
  DEFAULT_CONNECT_ATTEMPTS,
  type ChainMatch,
  type ConnectBackoff,
  type DownstreamTls,
  type FilterChain as ModelChain,
  type HttpHandler,
  isInternalAddress,
  type Listener as ModelListener,
  type TcpHandler,
  type TcpTunnel,
} from '@tulle/model';
import { SocketAddress_Protocol as Protocol } from '@tulle/xds-proto/envoy/config/core/v3/address';
import type { BackoffStrategySchema } from '@tulle/xds-proto/envoy/config/core/v3/backoff';
import { TrafficDirection } from '@tulle/xds-proto/envoy/config/core/v3/base';
import {
  type Listener,
  Listener_InternalListenerConfigSchema as InternalListenerConfigSchema,
  ListenerSchema,
} from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import {
  type Filter,
  type FilterChain,
  FilterChainMatch_ConnectionSourceType as SourceType,
  type FilterChainMatchSchema,
  FilterChainSchema,
  FilterSchema,
  type ListenerFilter,
  ListenerFilterSchema,
} from '@tulle/xds-proto/envoy/config/listener/v3/listener_components';
import { HttpInspectorSchema } from '@tulle/xds-proto/envoy/extensions/filters/listener/http_inspector/v3/http_inspector';
import { OriginalDstSchema } from '@tulle/xds-proto/envoy/extensions/filters/listener/original_dst/v3/original_dst';
import { TlsInspectorSchema } from '@tulle/xds-proto/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector';
import { HttpConnectionManagerSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import {
  TcpProxy_WeightedCluster_ClusterWeightSchema as ClusterWeightSchema,
  TcpProxySchema,
  type TcpProxy_TunnelingConfigSchema as TunnelingConfigSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy';
import { LB_METADATA } from '../wire.ts';
import { encodeAccessLogs } from './access-logs.ts';
import { encodeAddress, encodeCidr } from './address.ts';
import { encodeListenerFilter, encodeNetworkFilter, filterFlags } from './filters.ts';
import { requestedLogs } from './client-telemetry.ts';
import type { EncodeForm } from './form.ts';
import { routeEdits } from './header-edits.ts';
import { encodeHttpHandler, httpHandlerExtras } from './http-handler.ts';
import { refuseNotSentOfListener } from './not-sent.ts';
import { encodeProxyProtocol, tcpTlvs } from './proxy-protocol.ts';
import { encodeDownstreamTls } from './tls.ts';
import { encodeUdp } from './udp.ts';
import { duration, type Fields, metadata, tulleMetadata } from './values.ts';

const DIRECTIONS = {
  inbound: TrafficDirection.INBOUND,
  outbound: TrafficDirection.OUTBOUND,
  unspecified: TrafficDirection.UNSPECIFIED,
} as const;

export function encodeListener(listener: ModelListener, form: EncodeForm): Listener {
  refuseNotSentOfListener(listener);
  const extra = tulleMetadata({
    maxConnections: listener.maxConnections,
    // Envoy takes the most specific of several.
    chainOrder:
      form.release === 'this' && listener.filterChains.length > 1 && listener.chainOrder !== 'specific'
        ? 'first'
        : undefined,
    connectionFilters: filterFlags(listener.connectionFilters ?? []),
    hbone: listener.hbone,
  });
  const handlers: EncodedHandlers = new Map();
  return create(ListenerSchema, {
    name: listener.name,
    statPrefix: listener.statPrefix ?? '',
    ...place(listener),
    additionalAddresses: (listener.additionalAddresses ?? []).map((address) => ({
      address: encodeAddress(address),
    })),
    accessLog: encodeAccessLogs(listener.accessLogs ?? [], 'tcp'),
    trafficDirection: DIRECTIONS[listener.direction ?? 'unspecified'],
    listenerFilters: [
      ...originalDestination(listener),
      ...encodeProxyProtocol(listener),
      ...inspectors(listener),
      ...(listener.connectionFilters ?? []).map((entry) => encodeListenerFilter(entry, form)),
    ],
    filterChains: listener.filterChains.map((chain) => encodeChain(chain, listener.name, form, handlers)),
    ...(listener.bufferLimitBytes !== undefined && {
      perConnectionBufferLimitBytes: listener.bufferLimitBytes,
    }),
    ...(listener.firstBytesTimeoutMs !== undefined && {
      listenerFiltersTimeout: duration(listener.firstBytesTimeoutMs),
    }),
    continueOnListenerFiltersTimeout: listener.continueWithoutFirstBytes ?? false,
    ...(listener.udp && encodeUdp(listener.udp, listener.name, form)),
    ...(extra && { metadata: extra }),
  });
}

/** Where it is; one that takes connections of its process alone is there by its name. */
function place({ address, udp }: ModelListener): Partial<Pick<Listener, 'address' | 'listenerSpecifier'>> {
  if (isInternalAddress(address))
    return { listenerSpecifier: { case: 'internalListener', value: create(InternalListenerConfigSchema) } };
  return { address: encodeAddress(address, udp === undefined ? Protocol.TCP : Protocol.UDP) };
}

function originalDestination({ originalDestination: asked }: ModelListener): ListenerFilter[] {
  if (asked !== true) return [];
  return [
    create(ListenerFilterSchema, {
      name: 'envoy.filters.listener.original_dst',
      configType: { case: 'typedConfig', value: anyPack(OriginalDstSchema, create(OriginalDstSchema)) },
    }),
  ];
}

/** Envoy looks at the first bytes only when told to; Tulle does whenever a chain's match asks for it. */
function inspectors({ filterChains }: ModelListener): ListenerFilter[] {
  const inspector = (name: string, value: Any): ListenerFilter =>
    create(ListenerFilterSchema, { name, configType: { case: 'typedConfig', value } });
  const matches = filterChains.map(({ match }) => match);
  const byProtocol = matches.some((match) => match?.applicationProtocols !== undefined);
  const byHello =
    byProtocol || matches.some((match) => match?.serverNames !== undefined || match?.transport !== undefined);
  return [
    ...(byHello
      ? [
          inspector(
            'envoy.filters.listener.tls_inspector',
            anyPack(TlsInspectorSchema, create(TlsInspectorSchema)),
          ),
        ]
      : []),
    ...(byProtocol
      ? [
          inspector(
            'envoy.filters.listener.http_inspector',
            anyPack(HttpInspectorSchema, create(HttpInspectorSchema)),
          ),
        ]
      : []),
  ];
}

function expectsName(tls: DownstreamTls): boolean {
  return (
    (tls.allowedIds ?? tls.subjectAltNames ?? tls.certificateHashes ?? tls.publicKeyHashes) !== undefined
  );
}

/** What handlers of one listener were encoded to: chains for TLS and for plain text often share one. */
type EncodedHandlers = Map<HttpHandler, Filter>;

function encodeChain(
  chain: ModelChain,
  listenerName: string,
  form: EncodeForm,
  handlers: EncodedHandlers,
): FilterChain {
  const { handler, match, tls } = chain;
  const extra = tulleMetadata({
    ...(handler.kind === 'http'
      ? httpHandlerExtras(handler, form)
      : { filters: filterFlags(handler.filters ?? []) }),
    // Envoy wants one from whoever has to have a name; a client of the release before does not.
    certificateIfShown:
      tls?.clientCertificate === 'accept' && expectsName(tls) && form.release === 'this' ? true : undefined,
  });
  return create(FilterChainSchema, {
    name: chain.name,
    ...(match && { filterChainMatch: encodeChainMatch(match) }),
    ...(chain.handshakeTimeoutMs !== undefined && {
      transportSocketConnectTimeout: duration(chain.handshakeTimeoutMs),
    }),
    ...(tls && { transportSocket: encodeDownstreamTls(alpnOf(tls, handler, form), form) }),
    filters:
      handler.kind === 'http'
        ? [
            ...(handler.connectionFilters ?? []).map((entry) => encodeNetworkFilter(entry, form)),
            httpFilter(handler, listenerName, form, handlers),
          ]
        : tcpFilters(handler, listenerName, form),
    ...(extra && { metadata: extra }),
  });
}

const ALPN_OF = { auto: ['h2', 'http/1.1'], http1: ['http/1.1'], http2: ['h2'] } as const;

/** Envoy agrees on what it is told to only; Tulle on what its handler speaks. */
function alpnOf(tls: DownstreamTls, handler: ModelChain['handler'], form: EncodeForm): DownstreamTls {
  return form.workloadCertificate.kind !== 'own' && tls.alpn === undefined && handler.kind === 'http'
    ? { ...tls, alpn: ALPN_OF[handler.codec ?? 'auto'] }
    : tls;
}

const SOURCES = {
  any: SourceType.ANY,
  local: SourceType.SAME_IP_OR_LOOPBACK,
  external: SourceType.EXTERNAL,
} as const;

function encodeChainMatch(match: ChainMatch): Fields<typeof FilterChainMatchSchema> {
  const { transport, destinationPort } = match;
  return {
    ...(destinationPort !== undefined && { destinationPort }),
    prefixRanges: (match.destinationCidrs ?? []).map(encodeCidr),
    serverNames: [...(match.serverNames ?? [])],
    transportProtocol: transport === undefined ? '' : transport === 'tls' ? 'tls' : 'raw_buffer',
    applicationProtocols: [...(match.applicationProtocols ?? [])],
    directSourcePrefixRanges: (match.directSourceCidrs ?? []).map(encodeCidr),
    sourceType: SOURCES[match.sourceType ?? 'any'],
    sourcePrefixRanges: (match.sourceCidrs ?? []).map(encodeCidr),
    sourcePorts: [...(match.sourcePorts ?? [])],
  };
}

function httpFilter(
  handler: HttpHandler,
  listenerName: string,
  form: EncodeForm,
  handlers: EncodedHandlers,
): Filter {
  const known = handlers.get(handler);
  if (known !== undefined) return known;
  const typedConfig = anyPack(HttpConnectionManagerSchema, encodeHttpHandler(handler, listenerName, form));
  const filter = create(FilterSchema, {
    name: 'envoy.filters.network.http_connection_manager',
    configType: { case: 'typedConfig', value: typedConfig },
  });
  handlers.set(handler, filter);
  return filter;
}

type TcpShare = TcpHandler['clusters'][number];

function labelsOf({ subset }: TcpShare): Fields<typeof ClusterWeightSchema> {
  const metadataMatch = metadata({ [LB_METADATA]: subset });
  return metadataMatch ? { metadataMatch } : {};
}

function tcpShare(share: TcpShare): Fields<typeof ClusterWeightSchema> {
  return { name: share.name, weight: share.weight ?? 1, ...labelsOf(share) };
}

function tcpFilters(handler: TcpHandler, listenerName: string, form: EncodeForm): Filter[] {
  const [only, ...more] = handler.clusters;
  const alone = more.length === 0 && (only?.weight ?? 1) === 1 ? only : undefined;
  const proxy = create(TcpProxySchema, {
    statPrefix: handler.statPrefix ?? listenerName,
    accessLog: encodeAccessLogs([...(handler.accessLogs ?? []), ...requestedLogs(form)], 'tcp'),
    clusterSpecifier:
      alone === undefined
        ? { case: 'weightedClusters', value: { clusters: handler.clusters.map(tcpShare) } }
        : { case: 'cluster', value: alone.name },
    ...(alone && labelsOf(alone)),
    ...(handler.idleTimeoutMs !== undefined && { idleTimeout: duration(handler.idleTimeoutMs) }),
    maxConnectAttempts: handler.maxConnectAttempts ?? DEFAULT_CONNECT_ATTEMPTS,
    ...(handler.connectBackoff && { backoffOptions: encodeBackoff(handler.connectBackoff) }),
    ...(handler.maxDurationMs !== undefined && {
      maxDownstreamConnectionDuration: duration(handler.maxDurationMs),
    }),
    ...(handler.maxDurationJitterPercent !== undefined && {
      maxDownstreamConnectionDurationJitterPercentage: { value: handler.maxDurationJitterPercent },
    }),
    ...(handler.logMoments && {
      accessLogOptions: {
        flushAccessLogOnStart: handler.logMoments.start === true,
        flushAccessLogOnConnected: handler.logMoments.connected === true,
        ...(handler.logMoments.everyMs !== undefined && {
          accessLogFlushInterval: duration(handler.logMoments.everyMs),
        }),
      },
    }),
    ...(handler.proxyTlvs && tcpTlvs(handler.proxyTlvs)),
    ...(handler.tunnel && { tunnelingConfig: tunnel(handler.tunnel, form) }),
    ...(handler.hash && { hashPolicy: [{ policySpecifier: { case: 'sourceIp', value: {} } as const }] }),
  });
  return [
    ...(handler.filters ?? []).map((entry) => encodeNetworkFilter(entry, form)),
    create(FilterSchema, {
      name: 'envoy.filters.network.tcp_proxy',
      configType: { case: 'typedConfig', value: anyPack(TcpProxySchema, proxy) },
    }),
  ];
}

/** Envoy refuses a longest wait that is shorter than the first. */
function encodeBackoff({ baseMs, maxMs }: ConnectBackoff): Fields<typeof BackoffStrategySchema> {
  return {
    baseInterval: duration(Math.min(baseMs, maxMs ?? baseMs)),
    ...(maxMs !== undefined && { maxInterval: duration(maxMs) }),
  };
}

function tunnel(
  { authority, post, headers, keeps }: TcpTunnel,
  form: EncodeForm,
): Fields<typeof TunnelingConfigSchema> {
  return {
    hostname: authority,
    usePost: post !== undefined,
    postPath: post?.path ?? '',
    headersToAdd: routeEdits(headers, form.release),
    propagateResponseHeaders: keeps?.includes('head') === true,
    propagateResponseTrailers: keeps?.includes('trailers') === true,
  };
}
