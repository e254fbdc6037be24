import { create, createRegistry, fromBinary, toBinary, toJson } from '@bufbuild/protobuf';
import { anyPack, anyUnpack } from '@bufbuild/protobuf/wkt';
import { ClusterSchema, Cluster_DiscoveryType } from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import { ListenerSchema } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import { HttpConnectionManagerSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager';
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
} from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import { TypedStructSchema } from '@tulle/xds-proto/xds/type/v3/typed_struct';
import { expect, it } from 'vitest';

it('carries a cluster and a listener through Any and bytes, resolved by a registry', () => {
  const registry = createRegistry(ClusterSchema, ListenerSchema, HttpConnectionManagerSchema);
  const cluster = create(ClusterSchema, {
    name: 'outbound|80||web.default',
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS },
    connectTimeout: { seconds: 5n },
  });
  const manager = create(HttpConnectionManagerSchema, {
    statPrefix: 'web',
    routeSpecifier: { case: 'rds', value: { routeConfigName: 'web' } },
  });
  const listener = create(ListenerSchema, {
    name: 'web',
    filterChains: [
      {
        filters: [
          {
            name: 'http',
            configType: { case: 'typedConfig', value: anyPack(HttpConnectionManagerSchema, manager) },
          },
        ],
      },
    ],
  });
  const response = create(DeltaDiscoveryResponseSchema, {
    resources: [
      { name: cluster.name, version: 'c1', resource: anyPack(ClusterSchema, cluster) },
      { name: listener.name, version: 'l1', resource: anyPack(ListenerSchema, listener) },
    ],
  });

  const received = fromBinary(DeltaDiscoveryResponseSchema, toBinary(DeltaDiscoveryResponseSchema, response));
  const [first, second] = received.resources.map(({ resource }) => resource && anyUnpack(resource, registry));
  expect(received.resources[0]?.resource?.typeUrl).toBe(
    'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  );
  expect(first).toEqual(cluster);
  expect(second).toEqual(listener);
  expect(toJson(ListenerSchema, listener, { registry })).toMatchObject({
    filterChains: [{ filters: [{ typedConfig: { statPrefix: 'web', rds: { routeConfigName: 'web' } } }] }],
  });
});

it('keeps fields that this version does not know, so that a reader can refuse them by number', () => {
  const unknown = Uint8Array.of(0xfa, 0xff, 0x03, 0x01, 0x78); // field 8191, one byte "x"
  const request = fromBinary(DeltaDiscoveryRequestSchema, unknown);
  expect(request.$unknown?.map(({ no }) => no)).toEqual([8191]);
});

it('reads a typed struct, in which third-party filter configs travel', () => {
  const config = create(TypedStructSchema, {
    typeUrl: 'example.org/filter',
    value: { limit: 3, keys: ['a'] },
  });
  expect(fromBinary(TypedStructSchema, toBinary(TypedStructSchema, config)).value).toEqual({
    limit: 3,
    keys: ['a'],
  });
});
