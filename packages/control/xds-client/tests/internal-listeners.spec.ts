import { createRegistry, fromJson, type JsonValue } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import type { Cluster, Listener } from '@tulle/model';
import { ClusterSchema } from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import { ListenerSchema } from '@tulle/xds-proto/envoy/config/listener/v3/listener';
import { OriginalDstSchema } from '@tulle/xds-proto/envoy/extensions/filters/listener/original_dst/v3/original_dst';
import { TcpProxySchema } from '@tulle/xds-proto/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy';
import { InternalUpstreamTransportSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/internal_upstream/v3/internal_upstream';
import { RawBufferSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer';
import { describe, expect, it } from 'vitest';
import { createResourceDecoder } from '../src/decode/resource.ts';

const registry = createRegistry(
  TcpProxySchema,
  OriginalDstSchema,
  InternalUpstreamTransportSchema,
  RawBufferSchema,
);
const TYPE = 'type.googleapis.com/envoy.extensions.';
const decoder = createResourceDecoder();
type Json = Readonly<Record<string, JsonValue>>;

function listener(json: Json): Listener | string[] {
  const message = fromJson(
    ListenerSchema,
    {
      name: 'hop',
      internal_listener: {},
      filter_chains: [
        {
          filters: [
            {
              name: 'tcp',
              typed_config: {
                '@type': `${TYPE}filters.network.tcp_proxy.v3.TcpProxy`,
                stat_prefix: 's',
                cluster: 'c',
              },
            },
          ],
        },
      ],
      ...json,
    },
    { registry },
  );
  const decoded = decoder.decode('listener', anyPack(ListenerSchema, message));
  return decoded.ok ? decoded.resource : decoded.issues.map(({ path }) => path);
}

const RAW: Json = {
  name: 'raw',
  typed_config: { '@type': `${TYPE}transport_sockets.raw_buffer.v3.RawBuffer` },
};
const ORIGINAL_DST = 'envoy.filters.listener.original_dst';

const told = (...metadata: Json[]): Json => ({
  name: 'internal',
  typed_config: {
    '@type': `${TYPE}transport_sockets.internal_upstream.v3.InternalUpstreamTransport`,
    passthrough_metadata: metadata,
    transport_socket: RAW,
  },
});

const HOP: Json = {
  envoy_internal_address: { server_listener_name: 'hop', endpoint_id: '10.1.2.3:80' },
};

function cluster(json: Json, address: Json = HOP): Cluster | string[] {
  const message = fromJson(
    ClusterSchema,
    {
      name: 'c',
      type: 'STATIC',
      load_assignment: {
        cluster_name: 'c',
        endpoints: [
          {
            lb_endpoints: [
              {
                endpoint: {
                  address,
                },
                metadata: { filter_metadata: { istio: { workload: 'w' } } },
              },
            ],
          },
        ],
      },
      ...json,
    },
    { registry },
  );
  const decoded = decoder.decode('cluster', anyPack(ClusterSchema, message));
  return decoded.ok ? decoded.resource : decoded.issues.map(({ path }) => path);
}

describe('an internal listener', () => {
  it('is at its own name', () => {
    const own = { envoy_internal_address: { server_listener_name: 'hop' } };
    for (const json of [{}, { address: own }, { use_original_dst: false }])
      expect(listener(json)).toMatchObject({ name: 'hop', address: { internal: 'hop' } });
    const filters = [
      { name: 'od', typed_config: { '@type': `${TYPE}filters.listener.original_dst.v3.OriginalDst` } },
    ];
    expect(listener({ listener_filters: filters })).toMatchObject({ originalDestination: true });
  });

  it.each<[string, Json]>([
    ['address', { address: { socket_address: { address: '127.0.0.1', port_value: 80 } } }],
    ['address', { address: { envoy_internal_address: { server_listener_name: 'other' } } }],
    [
      'additional_addresses',
      { additional_addresses: [{ address: { socket_address: { address: '127.0.0.1', port_value: 80 } } }] },
    ],
    ['use_original_dst', { use_original_dst: true }],
  ])('has no other: refused at %s', (path, json) => {
    expect(listener(json)).toContain(path);
  });

  it('is no address of one that has a socket', () => {
    const message = fromJson(ListenerSchema, {
      name: 'hop',
      address: { envoy_internal_address: { server_listener_name: 'hop' } },
    });
    const decoded = decoder.decode('listener', anyPack(ListenerSchema, message));
    expect(decoded.ok ? [] : decoded.issues.map(({ path }) => path)).toContain('address');
  });
});

describe('an endpoint that is one', () => {
  it('has what it says of itself, and its cluster what of that goes along', () => {
    const decoded = cluster({
      metadata: { filter_metadata: { shop: { name: 's' } } },
      transport_socket: told(
        { kind: { host: {} }, name: ORIGINAL_DST },
        { kind: { cluster: {} }, name: 'shop' },
        { kind: { cluster: {} }, name: 'nobody' },
      ),
    });
    expect(decoded).toMatchObject({
      discovery: {
        endpoints: [
          { address: { internal: 'hop', id: '10.1.2.3:80' }, metadata: { istio: { workload: 'w' } } },
        ],
      },
      passthrough: {
        metadata: [
          { from: 'endpoint', namespace: ORIGINAL_DST },
          { from: 'cluster', namespace: 'shop', values: { name: 's' } },
        ],
      },
    });
    expect(decoded).not.toHaveProperty('tls');
  });

  it('may be told by its labels', () => {
    expect(
      cluster({
        transport_socket_matches: [{ name: 'hbone', match: { tunnel: 'http' }, transport_socket: told() }],
      }),
    ).toMatchObject({ tlsMatches: [{ name: 'hbone', labels: { tunnel: 'http' }, passthrough: {} }] });
  });

  it('says nothing more where it has an address', () => {
    const socket = { socket_address: { address: '10.0.0.1', port_value: 80 } };
    expect((cluster({}, socket) as Cluster).discovery).toEqual({
      kind: 'static',
      endpoints: [{ address: { host: '10.0.0.1', port: 80 } }],
    });
  });

  const SOCKET = 'transport_socket.typed_config';
  it.each<[string, Json, Json]>([
    [
      'load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.envoy_internal_address.server_listener_name',
      {},
      { envoy_internal_address: { endpoint_id: 'x' } },
    ],
    [
      `${SOCKET}.passthrough_metadata[0].kind`,
      { transport_socket: told({ kind: { request: {} }, name: 'a' }) },
      HOP,
    ],
    [`${SOCKET}.passthrough_metadata[0].kind`, { transport_socket: told({ name: 'a' }) }, HOP],
    [`${SOCKET}.passthrough_metadata[0].name`, { transport_socket: told({ kind: { host: {} } }) }, HOP],
    [
      `${SOCKET}.transport_socket`,
      {
        transport_socket: {
          name: 'x',
          typed_config: {
            '@type': `${TYPE}transport_sockets.internal_upstream.v3.InternalUpstreamTransport`,
          },
        },
      },
      HOP,
    ],
  ])('is refused at %s', (path, json, address) => {
    expect(cluster(json, address)).toContain(path);
  });
});
