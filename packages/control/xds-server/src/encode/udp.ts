import { create } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import type { UdpProxy } from '@tulle/model';
import type { Listener } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import { ListenerFilterSchema } from '@tulle/xds-proto/envoy/config/listener/v3/listener_components';
import { UdpListenerConfigSchema } from '@tulle/xds-proto/envoy/config/listener/v3/udp_listener_config';
import { RouteSchema } from '@tulle/xds-proto/envoy/extensions/filters/udp/udp_proxy/v3/route';
import { UdpProxyConfigSchema } from '@tulle/xds-proto/envoy/extensions/filters/udp/udp_proxy/v3/udp_proxy';
import { UDP_PROXY } from '../wire.ts';
import type { EncodeForm } from './form.ts';
import { duration, typedStruct } from './values.ts';

/**
 * What a listener has in place of chains where it takes datagrams.
 * @param name of the listener
 * @throws Error where the client is not Tulle's and has no words for it
 */
export function encodeUdp(
  udp: UdpProxy,
  name: string,
  form: EncodeForm,
): Pick<Listener, 'udpListenerConfig' | 'listenerFilters'> {
  const filter = create(ListenerFilterSchema, {
    name: 'envoy.filters.udp_listener.udp_proxy',
    configType: { case: 'typedConfig', value: udpProxy(udp, name, form) },
  });
  return { udpListenerConfig: create(UdpListenerConfigSchema), listenerFilters: [filter] };
}

/** Envoy leads all sessions of a listener to one cluster: what says more is Tulle's own. */
function udpProxy(udp: UdpProxy, name: string, { workloadCertificate }: EncodeForm): Any {
  const [only, ...others] = udp.clusters;
  if (only === undefined || others.length > 0 || (only.weight ?? 1) !== 1 || udp.maxSessions !== undefined) {
    if (workloadCertificate.kind === 'own') return typedStruct(UDP_PROXY, udp);
    throw new Error(
      'udp is sent to proxies other than Tulle’s where it has one cluster, without a weight, and no maxSessions: Envoy leads all sessions of a listener to one cluster',
    );
  }
  const route = create(RouteSchema, { cluster: only.name });
  return anyPack(
    UdpProxyConfigSchema,
    create(UdpProxyConfigSchema, {
      statPrefix: udp.statPrefix ?? name,
      ...(udp.idleTimeoutMs !== undefined && { idleTimeout: duration(udp.idleTimeoutMs) }),
      ...(udp.hash !== undefined && {
        hashPolicies: [{ policySpecifier: { case: 'sourceIp', value: true } }],
      }),
      routeSpecifier: {
        case: 'matcher',
        value: {
          onNoMatch: {
            onMatch: { case: 'action', value: { name: 'route', typedConfig: anyPack(RouteSchema, route) } },
          },
        },
      },
    }),
  );
}
