import { isMessage } from '@bufbuild/protobuf';
import type { Listener as ModelListener, UdpProxy } from '@tulle/model';
import { SocketAddress_Protocol as Protocol } from '@tulle/xds-proto/envoy/config/core/v3/address';
import type { Listener } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import { RouteSchema } from '@tulle/xds-proto/envoy/extensions/filters/udp/udp_proxy/v3/route';
import {
  type UdpProxyConfig,
  UdpProxyConfigSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/udp/udp_proxy/v3/udp_proxy';
import type { Matcher } from '@tulle/xds-proto/xds/type/matcher/v3/matcher';
import { UDP_PROXY } from '../wire.ts';
import type { DecodeContext } from './context.ts';
import { openFilter } from './filters.ts';
import { milliseconds, present, structOf } from './values.ts';

/** Whether a listener takes datagrams. */
export function isUdp({ address }: Listener): boolean {
  const where = address?.address;
  return where?.case === 'socketAddress' && where.value.protocol === Protocol.UDP;
}

/** A listener of datagrams: UDP proxy is all that is known of them. */
export function decodeUdp(context: DecodeContext, listener: Listener): ModelListener['udp'] {
  if (listener.filterChains.length > 0)
    context.refuse('filter_chains', 'must be empty: datagrams have no connection (QUIC is not known here)');
  if (listener.defaultFilterChain) context.refuse('default_filter_chain', 'must not be set with UDP');
  if (listener.additionalAddresses.length > 0)
    context.refuse('additional_addresses', 'must be empty with UDP: give each address a listener');
  if (listener.accessLog.length > 0)
    context.refuse('access_log', 'must be empty with UDP: there is no line about datagrams');
  const [filter, ...others] = listener.listenerFilters;
  if (filter === undefined || others.length > 0) {
    context.refuse('listener_filters', 'must have one filter where the address is of UDP: UDP proxy');
    return undefined;
  }
  const path = 'listener_filters[0]';
  const message = openFilter(context, filter, path);
  if (!message) return undefined;
  const struct = structOf(message);
  // Its parts are checked by the model's schema, as everything is, before anything is applied.
  if (struct?.name === UDP_PROXY) return struct.config as UdpProxy;
  if (isMessage(message, UdpProxyConfigSchema))
    return decodeProxy(context, message, listener.name, `${path}.typed_config`);
  context.refuse(path, 'must be envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig');
  return undefined;
}

function decodeProxy(
  context: DecodeContext,
  { statPrefix, routeSpecifier, idleTimeout, hashPolicies }: UdpProxyConfig,
  listener: string,
  path: string,
): UdpProxy {
  const cluster =
    routeSpecifier.case === 'cluster'
      ? routeSpecifier.value
      : clusterOf(context, routeSpecifier.value, `${path}.matcher`);
  for (const [index, { policySpecifier }] of hashPolicies.entries())
    if (policySpecifier.case === undefined || policySpecifier.value === false)
      context.refuse(`${path}.hash_policies[${index}]`, 'must be source_ip: true');
  const idleMs = milliseconds(idleTimeout);
  // Envoy would end each session at once.
  if (idleMs !== undefined && idleMs < 1) context.refuse(`${path}.idle_timeout`, 'must be at least 1ms');
  return present({
    statPrefix: statPrefix === listener || statPrefix === '' ? undefined : statPrefix,
    clusters: [{ name: cluster }],
    idleTimeoutMs: idleMs,
    hash: hashPolicies.length > 0 ? ('source-ip' as const) : undefined,
  });
}

/** One action for all sessions. */
function clusterOf(context: DecodeContext, matcher: Matcher | undefined, path: string): string {
  const action = matcher?.onNoMatch?.onMatch;
  if (matcher?.matcherType.case !== undefined)
    context.refuse(path, 'must have on_no_match alone: all sessions of a listener go to one cluster here');
  if (action?.case !== 'action' || !action.value.typedConfig) {
    context.refuse(`${path}.on_no_match.action`, 'is missing');
    return '';
  }
  const here = `${path}.on_no_match.action.typed_config`;
  const route = context.open(action.value.typedConfig, here);
  if (!route) return '';
  if (isMessage(route, RouteSchema) && route.cluster !== '') return route.cluster;
  context.refuse(here, 'must be envoy.extensions.filters.udp.udp_proxy.v3.Route with a cluster');
  return '';
}
