import { createRegistry, fromBinary, fromJson, type JsonObject } from '@bufbuild/protobuf';
import { anyPack, anyUnpack } from '@bufbuild/protobuf/wkt';
import type { UdpProxy } from '@tulle/model';
import { encodeResource } from '@tulle/xds-server';
import { ListenerSchema } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import { RouteSchema } from '@tulle/xds-proto/envoy/extensions/filters/udp/udp_proxy/v3/route';
import { UdpProxyConfigSchema } from '@tulle/xds-proto/envoy/extensions/filters/udp/udp_proxy/v3/udp_proxy';
import { TypedStructSchema } from '@tulle/xds-proto/xds/type/v3/typed_struct';
import { describe, expect, it } from 'vitest';
import { createResourceDecoder } from '../src/decode/resource.ts';

const registry = createRegistry(RouteSchema, UdpProxyConfigSchema, TypedStructSchema);
const TYPE = 'type.googleapis.com/envoy.extensions.filters.udp.udp_proxy.v3.';
const route = {
  name: 'route',
  typed_config: { '@type': `${TYPE}Route`, cluster: 'dns' },
};
const proxy = (fields: JsonObject): JsonObject => ({
  name: 'envoy.filters.udp_listener.udp_proxy',
  typed_config: { '@type': `${TYPE}UdpProxyConfig`, stat_prefix: 'dns', ...fields },
});

function read(fields: JsonObject, protocol = 'UDP') {
  const message = fromJson(
    ListenerSchema,
    {
      name: 'l',
      address: { socket_address: { protocol, address: '0.0.0.0', port_value: 53 } },
      ...fields,
    },
    { registry },
  );
  const decoded = createResourceDecoder().decode('listener', anyPack(ListenerSchema, message));
  return decoded.ok ? decoded.resource : decoded.issues.map(({ path }) => path);
}

describe('listeners of datagrams, as Envoy has them', () => {
  it('lead to a cluster by a matcher or, as before that, by its name', () => {
    const wanted = {
      name: 'l',
      address: { host: '0.0.0.0', port: 53 },
      filterChains: [],
      udp: { statPrefix: 'dns', clusters: [{ name: 'dns' }] },
    };
    const matcher = { on_no_match: { action: route } };
    expect(read({ udp_listener_config: {}, listener_filters: [proxy({ matcher })] })).toEqual(wanted);
    expect(read({ listener_filters: [proxy({ cluster: 'dns' })] })).toEqual(wanted);
    expect(
      read({
        udp_listener_config: { downstream_socket_config: { max_rx_datagram_size: '9000' } },
        listener_filters: [
          proxy({
            cluster: 'dns',
            idle_timeout: '5s',
            hash_policies: [{ source_ip: true }],
            upstream_socket_config: { max_rx_datagram_size: '9000' },
          }),
        ],
      }),
    ).toMatchObject({ udp: { idleTimeoutMs: 5_000, hash: 'source-ip' } });
  });

  it('are written so that Envoy reads them, where all sessions go to one cluster; else as what is Tulle’s alone', () => {
    const listener = { name: 'l', address: { host: '0.0.0.0', port: 53 }, filterChains: [] };
    const filterOf = (udp: UdpProxy) => {
      const { value } = encodeResource('listener', { ...listener, udp });
      const message = fromBinary(ListenerSchema, value);
      expect(message.udpListenerConfig).toBeDefined();
      expect(message.address?.address).toMatchObject({ value: { protocol: 1 } });
      const { case: kind, value: any } = message.listenerFilters[0]?.configType ?? {};
      return kind === 'typedConfig' && any ? anyUnpack(any, registry) : undefined;
    };
    expect(filterOf({ clusters: [{ name: 'dns' }] })).toMatchObject({
      $typeName: 'envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig',
      statPrefix: 'l',
      routeSpecifier: { case: 'matcher' },
    });
    expect(filterOf({ clusters: [{ name: 'a' }, { name: 'b' }] })).toMatchObject({
      $typeName: 'xds.type.v3.TypedStruct',
    });
  });

  it('are not sent to others where Envoy has no words for them', () => {
    const listener = { name: 'l', address: { host: '0.0.0.0', port: 53 }, filterChains: [] };
    const send = (udp: UdpProxy) =>
      encodeResource(
        'listener',
        { ...listener, udp },
        { workloadCertificate: { kind: 'none' }, release: 'this' },
      );
    expect(send({ clusters: [{ name: 'dns' }], idleTimeoutMs: 5_000, hash: 'source-ip' })).toBeDefined();
    for (const udp of [
      { clusters: [{ name: 'a' }, { name: 'b' }] },
      { clusters: [{ name: 'a', weight: 2 }] },
      { clusters: [{ name: 'a' }], maxSessions: 5 },
    ])
      expect(() => send(udp), JSON.stringify(udp)).toThrow(/listener "l" cannot be written .*one cluster/);
  });

  it('are refused by path where they ask for more', () => {
    const at = (fields: JsonObject, protocol?: string) =>
      read({ listener_filters: [proxy(fields)] }, protocol);
    const here = 'listener_filters[0].typed_config';
    expect(at({ cluster: 'dns', use_per_packet_load_balancing: true })).toEqual([
      `${here}.use_per_packet_load_balancing`,
    ]);
    expect(at({ cluster: 'dns', use_original_src_ip: true })).toEqual([`${here}.use_original_src_ip`]);
    expect(at({ cluster: 'dns', hash_policies: [{ key: 'k' }] })).toEqual([`${here}.hash_policies[0].key`]);
    expect(at({ cluster: 'dns', hash_policies: [{ source_ip: false }] })).toEqual([
      `${here}.hash_policies[0]`,
    ]);
    expect(at({ cluster: 'dns', idle_timeout: '0s' })).toEqual([`${here}.idle_timeout`]);
    expect(at({ matcher: { on_no_match: { matcher: {} } } })).toContain(`${here}.matcher.on_no_match.action`);
    expect(read({})).toEqual(['listener_filters']);
    expect(read({ filter_chains: [{}], listener_filters: [proxy({ cluster: 'dns' })] })).toContain(
      'filter_chains',
    );
    expect(read({ udp_listener_config: {} }, 'TCP')).toEqual(['udp_listener_config']);
    expect(
      read({ udp_listener_config: { quic_options: {} }, listener_filters: [proxy({ cluster: 'dns' })] }),
    ).toEqual(['udp_listener_config.quic_options']);
  });
});
