import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import type {
  ChainMatch,
  DownstreamTls,
  FilterChain as ModelChain,
  HttpHandler,
  Listener as ModelListener,
  TcpHandler,
} from '@tulle/model';
import { TrafficDirection } from '@tulle/xds-proto/envoy/config/core/v3/base';
import { type Listener, ListenerSchema } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import {
  type Filter,
  type FilterChain,
  type FilterChainMatchSchema,
  FilterChainSchema,
  FilterSchema,
  type ListenerFilter,
  ListenerFilterSchema,
} from '@tulle/xds-proto/envoy/config/listener/v3/listener_components';
import { TlsInspectorSchema } from '@tulle/xds-proto/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector';
import { HttpConnectionManagerSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { TcpProxySchema } from '@tulle/xds-proto/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy';
import { encodeAccessLogs } from './access-logs.ts';
import { encodeAddress, encodeCidr } from './address.ts';
import { encodeListenerFilter, encodeNetworkFilter, filterFlags } from './filters.ts';
import { requestedLogs } from './client-telemetry.ts';
import type { EncodeForm } from './form.ts';
import { encodeHttpHandler, httpHandlerExtras } from './http-handler.ts';
import { encodeDownstreamTls } from './tls.ts';
import { duration, type Fields, tulleMetadata } from './values.ts';

const DIRECTIONS = {
  inbound: TrafficDirection.INBOUND,
  outbound: TrafficDirection.OUTBOUND,
  unspecified: TrafficDirection.UNSPECIFIED,
} as const;

export function encodeListener(listener: ModelListener, form: EncodeForm): Listener {
  const extra = tulleMetadata({
    maxConnections: listener.maxConnections,
    connectionFilters: filterFlags(listener.connectionFilters ?? []),
  });
  return create(ListenerSchema, {
    name: listener.name,
    address: encodeAddress(listener.address),
    trafficDirection: DIRECTIONS[listener.direction ?? 'unspecified'],
    listenerFilters: [
      ...inspectors(listener),
      ...(listener.connectionFilters ?? []).map(encodeListenerFilter),
    ],
    filterChains: listener.filterChains.map((chain) => encodeChain(chain, listener.name, form)),
    ...(listener.bufferLimitBytes !== undefined && {
      perConnectionBufferLimitBytes: listener.bufferLimitBytes,
    }),
    ...(extra && { metadata: extra }),
  });
}

/** Envoy looks at the first bytes only when told to; Tulle does whenever a chain's match asks for it. */
function inspectors({ filterChains }: ModelListener): ListenerFilter[] {
  if (!filterChains.some(({ match }) => match?.serverNames !== undefined || match?.transport !== undefined))
    return [];
  const typedConfig = anyPack(TlsInspectorSchema, create(TlsInspectorSchema));
  return [
    create(ListenerFilterSchema, {
      name: 'envoy.filters.listener.tls_inspector',
      configType: { case: 'typedConfig', value: typedConfig },
    }),
  ];
}

function encodeChain(chain: ModelChain, listenerName: string, form: EncodeForm): FilterChain {
  const { handler, match, tls } = chain;
  const extra = tulleMetadata(
    handler.kind === 'http'
      ? httpHandlerExtras(handler, form)
      : { filters: filterFlags(handler.filters ?? []) },
  );
  return create(FilterChainSchema, {
    name: chain.name,
    ...(match && { filterChainMatch: encodeChainMatch(match) }),
    ...(tls && { transportSocket: encodeDownstreamTls(alpnOf(tls, handler, form), form) }),
    filters:
      handler.kind === 'http'
        ? [httpFilter(handler, listenerName, form)]
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

function encodeChainMatch({
  serverNames,
  transport,
  sourceCidrs,
}: ChainMatch): Fields<typeof FilterChainMatchSchema> {
  return {
    serverNames: [...(serverNames ?? [])],
    transportProtocol: transport === undefined ? '' : transport === 'tls' ? 'tls' : 'raw_buffer',
    sourcePrefixRanges: (sourceCidrs ?? []).map(encodeCidr),
  };
}

function httpFilter(handler: HttpHandler, listenerName: string, form: EncodeForm): Filter {
  const typedConfig = anyPack(HttpConnectionManagerSchema, encodeHttpHandler(handler, listenerName, form));
  return create(FilterSchema, {
    name: 'envoy.filters.network.http_connection_manager',
    configType: { case: 'typedConfig', value: typedConfig },
  });
}

function tcpFilters(handler: TcpHandler, listenerName: string, form: EncodeForm): Filter[] {
  const [only, ...more] = handler.clusters;
  const proxy = create(TcpProxySchema, {
    statPrefix: handler.statPrefix ?? listenerName,
    accessLog: encodeAccessLogs([...(handler.accessLogs ?? []), ...requestedLogs(form)]),
    clusterSpecifier:
      only && more.length === 0 && (only.weight ?? 1) === 1
        ? { case: 'cluster', value: only.name }
        : {
            case: 'weightedClusters',
            value: { clusters: handler.clusters.map(({ name, weight }) => ({ name, weight: weight ?? 1 })) },
          },
    ...(handler.idleTimeoutMs !== undefined && { idleTimeout: duration(handler.idleTimeoutMs) }),
  });
  return [
    ...(handler.filters ?? []).map((entry) => encodeNetworkFilter(entry, form)),
    create(FilterSchema, {
      name: 'envoy.filters.network.tcp_proxy',
      configType: { case: 'typedConfig', value: anyPack(TcpProxySchema, proxy) },
    }),
  ];
}
