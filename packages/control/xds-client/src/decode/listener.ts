import { isMessage } from '@bufbuild/protobuf';
import {
  CONN_AUTHZ_FILTER,
  type FilterChain as ModelChain,
  type FilterEntry,
  type Listener as ModelListener,
  type PortRange,
  type ProxyProtocol,
  type UnlookedPorts,
} from '@tulle/model';
import { TrafficDirection } from '@tulle/xds-proto/envoy/config/core/v3/base';
import type { Listener } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import type { FilterChain } from '@tulle/xds-proto/envoy/config/listener/v3/listener_components';
import { HttpInspectorSchema } from '@tulle/xds-proto/envoy/extensions/filters/listener/http_inspector/v3/http_inspector';
import { OriginalDstSchema } from '@tulle/xds-proto/envoy/extensions/filters/listener/original_dst/v3/original_dst';
import { ProxyProtocolSchema } from '@tulle/xds-proto/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol';
import { TlsInspectorSchema } from '@tulle/xds-proto/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector';
import { HttpConnectionManagerSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import { TcpProxySchema } from '@tulle/xds-proto/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy';
import { decodeAccessLogs } from './access-logs.ts';
import { decodeAddress } from './address.ts';
import { decodeChainChoice } from './chain-choice.ts';
import { decodeChainMatch, refuseSameMatch } from './chain-match.ts';
import { decodeListenerAddress } from './internal.ts';
import { asksForServerName } from './authz/conn-rbac.ts';
import { decodeListenerLimit } from './conn-limits.ts';
import type { DecodeContext } from './context.ts';
import { REFUSES_CONNECTIONS } from './extension.ts';
import { type Extras, readExtras } from './extras.ts';
import {
  checkNames,
  customFilter,
  type FlagReader,
  networkFilter,
  openFilter,
  readFlags,
} from './filters.ts';
import { decodeHttpHandler } from './http-handler.ts';
import { decodeProxyProtocol } from './proxy-protocol.ts';
import { decodeTcpHandler } from './tcp-handler.ts';
import { decodeDownstreamTls } from './tls.ts';
import { decodeUdp, isUdp } from './udp.ts';
import { decodeSocketOptions } from './socket-options.ts';
import { portsOf } from './port-predicate.ts';
import { filled, milliseconds, present } from './values.ts';

export function decodeListener(context: DecodeContext, listener: Listener): ModelListener {
  return isUdp(listener) ? decodeDatagrams(context, listener) : decodeConnections(context, listener);
}

function decodeDatagrams(context: DecodeContext, listener: Listener): ModelListener {
  const extras = readExtras(context, listener.metadata, '');
  checkSockets(context, listener);
  if (listener.socketOptions.length > 0)
    context.refuse('socket_options', 'must be empty: Node sets none of sockets of datagrams');
  if (listener.ignoreGlobalConnLimit)
    context.refuse('ignore_global_conn_limit', 'must be false: datagrams have no connections');
  if (listener.bypassOverloadManager)
    context.refuse(
      'bypass_overload_manager',
      'must be false: datagrams are dropped when the proxy sheds load',
    );
  if (listener.useOriginalDst === true)
    context.refuse('use_original_dst', 'must be false: datagrams have no other destination');
  if (listener.bindToPort === false)
    context.refuse('bind_to_port', 'must be true: nobody hands datagrams over');
  const udp = decodeUdp(context, listener);
  extras.end();
  return present({
    name: listener.name,
    statPrefix: listener.statPrefix || undefined,
    address: decodeAddress(context, listener.address, 'address', 'UDP'),
    direction: decodeDirection(listener.trafficDirection),
    filterChains: [],
    udp,
  });
}

function decodeConnections(context: DecodeContext, listener: Listener): ModelListener {
  if (listener.udpListenerConfig)
    context.refuse('udp_listener_config', 'must not be set: the address is not of protocol UDP');
  const extras = readExtras(context, listener.metadata, '');
  const flags = readFlags(context, extras, 'connectionFilters', 'metadata["tulle.dev"]');
  const chains = listener.filterChains.map((chain, index) =>
    decodeChain(context, chain, listener, `filter_chains[${index}]`),
  );
  const { filterChainMatcher } = listener;
  if (!filterChainMatcher) refuseSameMatch(context, listener);
  if (listener.defaultFilterChain) {
    // What it matches is not looked at in Envoy either: it takes what no other does.
    const chain = { ...listener.defaultFilterChain, filterChainMatch: undefined };
    chains.push(decodeChain(context, chain, listener, 'default_filter_chain'));
  }
  checkSockets(context, listener);
  const filters = decodeListenerFilters(context, listener, flags);
  const first = extras.text('chainOrder') === 'first';
  const chosen = filterChainMatcher && decodeChainChoice(context, filterChainMatcher, listener);
  if (chosen?.defaultChain !== undefined) {
    const last = chains.pop();
    chains.push(last && { ...last, name: chosen.defaultChain });
  }
  const decoded: ModelListener = present({
    name: listener.name,
    statPrefix: listener.statPrefix || undefined,
    address: decodeListenerAddress(context, listener),
    additionalAddresses: filled(
      listener.additionalAddresses.map(({ address }, index) =>
        decodeAddress(context, address, `additional_addresses[${index}].address`),
      ),
    ),
    direction: decodeDirection(listener.trafficDirection),
    filterChains: chains.filter((chain) => chain !== undefined),
    // Envoy takes the most specific of several; a default one is what no other takes in any order.
    chainOrder: !chosen && !first && listener.filterChains.length > 1 ? ('specific' as const) : undefined,
    ...chosen,
    proxyProtocol: filters.proxyProtocol,
    originalDestination: filters.originalDestination || listener.useOriginalDst === true ? true : undefined,
    handsOver: listener.useOriginalDst === true ? true : undefined,
    unbound:
      listener.bindToPort === false && listener.listenerSpecifier.case !== 'internalListener'
        ? true
        : undefined,
    unlookedPorts: filters.unlookedPorts,
    firstBytesTimeoutMs: milliseconds(listener.listenerFiltersTimeout),
    continueWithoutFirstBytes: listener.continueOnListenerFiltersTimeout ? true : undefined,
    connectionFilters: filled(filters.entries),
    accessLogs: decodeAccessLogs(context, listener.accessLog, 'access_log', 'tcp'),
    maxConnections: extras.number('maxConnections'),
    ignoresConnectionLimit: listener.ignoreGlobalConnLimit || undefined,
    bypassesOverload: listener.bypassOverloadManager || undefined,
    tcpKeepalive: decodeSocketOptions(context, listener.socketOptions, 'socket_options'),
    // Its parts are checked by the model's schema, as everything is, before anything is applied.
    hbone: extras.object('hbone') as ModelListener['hbone'],
    bufferLimitBytes: listener.perConnectionBufferLimitBytes,
  });
  flags.end();
  extras.end();
  return decoded;
}

function decodeDirection(direction: TrafficDirection): ModelListener['direction'] | undefined {
  if (direction === TrafficDirection.INBOUND) return 'inbound';
  return direction === TrafficDirection.OUTBOUND ? 'outbound' : undefined;
}

/** What is asked of sockets that this proxy does not do. */
function checkSockets(context: DecodeContext, listener: Listener): void {
  const { transparent, freebind, useOriginalDst } = listener;
  const internal = listener.listenerSpecifier.case === 'internalListener';
  if (useOriginalDst === true && internal)
    context.refuse('use_original_dst', 'must be false: what comes from this process was going here');
  if (transparent === true)
    context.refuse('transparent', 'must be false: this proxy speaks to endpoints by an address of its own');
  if (freebind === true)
    context.refuse('freebind', 'must be false: an address is bound that this machine has');
}

interface ListenerFilters {
  readonly entries: readonly FilterEntry[];
  readonly proxyProtocol: ProxyProtocol | undefined;
  readonly originalDestination: boolean;
  readonly unlookedPorts: UnlookedPorts | undefined;
}

/** The inspectors of TLS and HTTP say nothing here: this proxy looks whenever a chain's match asks for it. */
function decodeListenerFilters(
  context: DecodeContext,
  { listenerFilters }: Listener,
  flags: FlagReader,
): ListenerFilters {
  const entries: FilterEntry[] = [];
  let proxyProtocol: ProxyProtocol | undefined;
  let originalDestination = false;
  const unlooked: { tls?: readonly PortRange[]; http?: readonly PortRange[] } = {};
  for (const [index, filter] of listenerFilters.entries()) {
    const path = `listener_filters[${index}]`;
    const message = openFilter(context, filter, path);
    const off = filter.filterDisabled && portsOf(context, filter.filterDisabled, `${path}.filter_disabled`);
    if (!message) continue;
    if (isMessage(message, TlsInspectorSchema) || isMessage(message, HttpInspectorSchema)) {
      const what = isMessage(message, TlsInspectorSchema) ? 'tls' : 'http';
      if (off && off.length > 0) unlooked[what] = off;
      continue;
    }
    if (off)
      context.refuse(`${path}.filter_disabled`, 'is honoured of tls_inspector and http_inspector alone');
    if (isMessage(message, ProxyProtocolSchema)) {
      if (proxyProtocol) context.refuse(path, 'reads the header of the PROXY protocol again');
      proxyProtocol = decodeProxyProtocol(context, message, `${path}.typed_config`);
      continue;
    }
    if (isMessage(message, OriginalDstSchema)) {
      // What the header says is believed, where it says something.
      if (proxyProtocol) context.refuse(path, 'must stand before what reads the PROXY protocol');
      originalDestination = true;
      continue;
    }
    const limit = decodeListenerLimit(context, message, `${path}.typed_config`);
    if (limit === 'off') continue;
    const known = limit ?? customFilter(context, message, `${path}.typed_config`);
    if (known) entries.push({ name: filter.name, ...known, ...flags.of(filter.name) });
  }
  checkNames(context, entries, 'listener_filters');
  const unlookedPorts = Object.keys(unlooked).length === 0 ? undefined : unlooked;
  return { entries, proxyProtocol, originalDestination, unlookedPorts };
}

function decodeChain(
  context: DecodeContext,
  chain: FilterChain,
  listener: Listener,
  path: string,
): ModelChain | undefined {
  const extras = readExtras(context, chain.metadata, path);
  const extrasPath = `${path}.metadata["tulle.dev"]`;
  const last = chain.filters.length - 1;
  let handler: ModelChain['handler'] | undefined;
  const before: { name: string; filter: string; config: unknown }[] = [];
  for (const [index, filter] of chain.filters.entries()) {
    const here = `${path}.filters[${index}]`;
    const message = openFilter(context, filter, here, index < last ? REFUSES_CONNECTIONS : undefined);
    if (filter.configType.case === 'configDiscovery' && index === last)
      context.refuse(`${here}.config_discovery`, 'must be typed_config: what ends a chain is not discovered');
    if (!message) continue;
    const ends = isMessage(message, HttpConnectionManagerSchema) || isMessage(message, TcpProxySchema);
    if (ends && index < last) context.refuse(here, 'must be the last filter of the chain');
    if (isMessage(message, HttpConnectionManagerSchema)) {
      handler = decodeHttpHandler(context, message, listener, extras, `${here}.typed_config`, extrasPath);
      const entries = flagged(context, before, extras, 'connectionFilters', path);
      if (entries.length > 0) handler = { ...handler, connectionFilters: entries };
    } else if (isMessage(message, TcpProxySchema)) {
      const entries = flagged(context, before, extras, 'filters', path);
      handler = decodeTcpHandler(context, message, entries, listener.name, `${here}.typed_config`);
    } else {
      const known = networkFilter(context, message, `${here}.typed_config`);
      if (known) before.push({ name: filter.name, ...known });
    }
  }
  const mayShowNone = extras.flag('certificateIfShown') ?? false;
  extras.end();
  const tls = decodeDownstreamTls(context, chain.transportSocket, mayShowNone, `${path}.transport_socket`);
  const readsNames = tls !== undefined || (chain.filterChainMatch?.serverNames.length ?? 0) > 0;
  for (const { name, filter, config } of before)
    if (!readsNames && filter === CONN_AUTHZ_FILTER && asksForServerName(config))
      context.refuse(
        `${path}.filters`,
        `asks in ${JSON.stringify(name)} for the server name, which is not read here: give the chain a transport_socket, or server_names in its filter_chain_match`,
      );
  if (!handler) {
    context.refuse(`${path}.filters`, 'must end with an HttpConnectionManager or a TcpProxy');
    return undefined;
  }
  return present({
    name: chain.name,
    match: chain.filterChainMatch && decodeChainMatch(context, chain.filterChainMatch, path),
    tls,
    handshakeTimeoutMs: milliseconds(chain.transportSocketConnectTimeout) || undefined,
    handler,
  });
}

/** The filters before a chain's last, with what its metadata says of them under `key`. */
function flagged(
  context: DecodeContext,
  before: readonly FilterEntry[],
  extras: Extras,
  key: 'filters' | 'connectionFilters',
  path: string,
): FilterEntry[] {
  const flags = readFlags(context, extras, key, `${path}.metadata["tulle.dev"]`);
  const entries = before.map((entry): FilterEntry => ({ ...entry, ...flags.of(entry.name) }));
  flags.end();
  checkNames(context, entries, `${path}.filters`);
  return entries;
}
