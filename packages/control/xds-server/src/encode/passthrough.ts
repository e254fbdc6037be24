import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import type { Passthrough } from '@tulle/model';
import { type TransportSocket, TransportSocketSchema } from '@tulle/xds-proto/envoy/config/core/v3/base';
import { InternalUpstreamTransportSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/internal_upstream/v3/internal_upstream';

const KINDS = {
  endpoint: { case: 'host' as const, value: {} },
  cluster: { case: 'cluster' as const, value: {} },
};

/** What listeners of the same process are told, around how they are spoken to. Values of the cluster stand in its metadata. */
export function withPassthrough(transportSocket: TransportSocket, told: Passthrough): TransportSocket {
  const message = create(InternalUpstreamTransportSchema, {
    passthroughMetadata: (told.metadata ?? []).map(({ from, namespace: name }) => ({
      kind: { kind: KINDS[from] },
      name,
    })),
    transportSocket,
  });
  return create(TransportSocketSchema, {
    name: 'envoy.transport_sockets.internal_upstream',
    configType: { case: 'typedConfig', value: anyPack(InternalUpstreamTransportSchema, message) },
  });
}

/** Metadata of a cluster that listeners of the same process are told, by namespace. */
export function toldOf(
  rules: readonly (Passthrough | undefined)[],
): Readonly<Record<string, Readonly<Record<string, unknown>>>> {
  const all = rules.flatMap((told) => told?.metadata ?? []);
  return Object.fromEntries(
    all.flatMap((source) => (source.from === 'cluster' ? [[source.namespace, source.values]] : [])),
  );
}
