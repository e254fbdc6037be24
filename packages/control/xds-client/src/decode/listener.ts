import { create, isMessage, toBinary } from '@bufbuild/protobuf';
import type {
  ChainMatch,
  FilterChain as ModelChain,
  FilterEntry,
  Listener as ModelListener,
  TcpHandler,
} from '@tulle/model';
import { TrafficDirection } from '@tulle/xds-proto/envoy/config/core/v3/base';
import type { Listener } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import {
  type FilterChain,
  type FilterChainMatch,
  FilterChainMatchSchema,
} from '@tulle/xds-proto/envoy/config/listener/v3/listener_components';
import { TlsInspectorSchema } from '@tulle/xds-proto/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector';
import { HttpConnectionManagerSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import {
  type TcpProxy,
  TcpProxySchema,
} from '@tulle/xds-proto/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy';
import { decodeAccessLogs } from './access-logs.ts';
import { decodeAddress, decodeCidr } from './address.ts';
import type { DecodeContext } from './context.ts';
import { readExtras } from './extras.ts';
import {
  checkNames,
  customFilter,
  type FlagReader,
  networkFilter,
  openFilter,
  readFlags,
} from './filters.ts';
import { decodeHttpHandler } from './http-handler.ts';
import { decodeDownstreamTls } from './tls.ts';
import { filled, milliseconds, present } from './values.ts';

export function decodeListener(context: DecodeContext, listener: Listener): ModelListener {
  const extras = readExtras(context, listener.metadata, '');
  const flags = readFlags(context, extras, 'connectionFilters', 'metadata["tulle.dev"]');
  const chains = listener.filterChains.map((chain, index) =>
    decodeChain(context, chain, listener.name, `filter_chains[${index}]`),
  );
  refuseSameMatch(context, listener);
  if (listener.defaultFilterChain) {
    const last = decodeChain(context, listener.defaultFilterChain, listener.name, 'default_filter_chain');
    if (last?.match) context.refuse('default_filter_chain.filter_chain_match', 'must not be set');
    chains.push(last);
  }
  const decoded: ModelListener = present({
    name: listener.name,
    address: decodeAddress(context, listener.address, 'address'),
    direction: decodeDirection(listener.trafficDirection),
    filterChains: chains.filter((chain) => chain !== undefined),
    connectionFilters: filled(decodeListenerFilters(context, listener, flags)),
    maxConnections: extras.number('maxConnections'),
    bufferLimitBytes: listener.perConnectionBufferLimitBytes,
  });
  flags.end();
  extras.end();
  return decoded;
}

/** Of two chains with the same match the second would never be used; Envoy refuses them too. */
function refuseSameMatch(context: DecodeContext, { filterChains }: Listener): void {
  const seen = new Map<string, number>();
  for (const [index, { filterChainMatch }] of filterChains.entries()) {
    const match = filterChainMatch ?? create(FilterChainMatchSchema);
    const key = Buffer.from(toBinary(FilterChainMatchSchema, match)).toString('latin1');
    const before = seen.get(key);
    if (before === undefined) seen.set(key, index);
    else
      context.refuse(
        `filter_chains[${index}].filter_chain_match`,
        `matches the same as that of filter_chains[${before}]`,
      );
  }
}

function decodeDirection(direction: TrafficDirection): ModelListener['direction'] | undefined {
  if (direction === TrafficDirection.INBOUND) return 'inbound';
  return direction === TrafficDirection.OUTBOUND ? 'outbound' : undefined;
}

/** The TLS inspector says nothing here: this proxy looks whenever a chain's match asks for it. */
function decodeListenerFilters(
  context: DecodeContext,
  { listenerFilters }: Listener,
  flags: FlagReader,
): FilterEntry[] {
  const entries: FilterEntry[] = [];
  for (const [index, filter] of listenerFilters.entries()) {
    const path = `listener_filters[${index}]`;
    const message = openFilter(context, filter, path);
    if (!message || isMessage(message, TlsInspectorSchema)) continue;
    const known = customFilter(context, message, `${path}.typed_config`);
    if (known) entries.push({ name: filter.name, ...known, ...flags.of(filter.name) });
  }
  checkNames(context, entries, 'listener_filters');
  return entries;
}

function decodeChain(
  context: DecodeContext,
  chain: FilterChain,
  listenerName: string,
  path: string,
): ModelChain | undefined {
  const extras = readExtras(context, chain.metadata, path);
  const extrasPath = `${path}.metadata["tulle.dev"]`;
  const last = chain.filters.length - 1;
  let handler: ModelChain['handler'] | undefined;
  const before: { name: string; filter: string; config: unknown }[] = [];
  for (const [index, filter] of chain.filters.entries()) {
    const here = `${path}.filters[${index}]`;
    const message = openFilter(context, filter, here);
    if (!message) continue;
    const ends = isMessage(message, HttpConnectionManagerSchema) || isMessage(message, TcpProxySchema);
    if (ends && index < last) context.refuse(here, 'must be the last filter of the chain');
    if (isMessage(message, HttpConnectionManagerSchema)) {
      handler = decodeHttpHandler(context, message, listenerName, extras, `${here}.typed_config`, extrasPath);
      if (before.length > 0)
        context.refuse(
          `${path}.filters`,
          'must hold nothing before the HttpConnectionManager; use listener_filters',
        );
    } else if (isMessage(message, TcpProxySchema)) {
      const flags = readFlags(context, extras, 'filters', extrasPath);
      const entries = before.map((entry): FilterEntry => ({ ...entry, ...flags.of(entry.name) }));
      flags.end();
      checkNames(context, entries, `${path}.filters`);
      handler = decodeTcpHandler(context, message, entries, listenerName, `${here}.typed_config`);
    } else {
      const known = networkFilter(context, message, `${here}.typed_config`);
      if (known) before.push({ name: filter.name, ...known });
    }
  }
  extras.end();
  const tls = decodeDownstreamTls(context, chain.transportSocket, `${path}.transport_socket`);
  if (!handler) {
    context.refuse(`${path}.filters`, 'must end with an HttpConnectionManager or a TcpProxy');
    return undefined;
  }
  return present({
    name: chain.name,
    match: chain.filterChainMatch && decodeChainMatch(context, chain.filterChainMatch, path),
    tls,
    handler,
  });
}

function decodeChainMatch(context: DecodeContext, match: FilterChainMatch, path: string): ChainMatch {
  const protocol = match.transportProtocol;
  if (!['', 'tls', 'raw_buffer'].includes(protocol)) {
    context.refuse(
      `${path}.filter_chain_match.transport_protocol`,
      `must be tls or raw_buffer, but is "${protocol}"`,
    );
  }
  return present({
    serverNames: filled(match.serverNames),
    transport: protocol === '' ? undefined : protocol === 'tls' ? ('tls' as const) : ('plain' as const),
    sourceCidrs: filled(match.sourcePrefixRanges.map(decodeCidr)),
  });
}

function decodeTcpHandler(
  context: DecodeContext,
  proxy: TcpProxy,
  filters: readonly FilterEntry[],
  listenerName: string,
  path: string,
): TcpHandler {
  const { clusterSpecifier: chosen } = proxy;
  if (chosen.case === undefined) context.refuse(path, 'names no cluster: give cluster or weighted_clusters');
  const clusters =
    chosen.case === 'cluster'
      ? [{ name: chosen.value }]
      : chosen.case === 'weightedClusters'
        ? chosen.value.clusters.map(({ name, weight }) => (weight === 1 ? { name } : { name, weight }))
        : [];
  return present({
    kind: 'tcp' as const,
    statPrefix: proxy.statPrefix === listenerName || proxy.statPrefix === '' ? undefined : proxy.statPrefix,
    clusters,
    filters: filled(filters),
    idleTimeoutMs: milliseconds(proxy.idleTimeout),
    accessLogs: decodeAccessLogs(context, proxy.accessLog, `${path}.access_log`),
  });
}
