import {
  createRegistry,
  fromJson,
  type DescMessage,
  type JsonObject,
  type Registry,
} from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import type { Cluster } from '@tulle/model';
import { ClusterSchema } from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import { HealthCheckEventFileSinkSchema } from '@tulle/xds-proto/envoy/extensions/health_check/event_sinks/file/v3/file';
import { HttpProtocolOptionsSchema } from '@tulle/xds-proto/envoy/extensions/upstreams/http/v3/http_protocol_options';
import { RawBufferSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer';
import { UpstreamTlsContextSchema } from '@tulle/xds-proto/envoy/extensions/transport_sockets/tls/v3/tls';
import { createResourceDecoder, type Decoded } from '../src/decode/resource.ts';

/** Clusters as people write them for Envoy, in JSON. */

const ALWAYS: readonly DescMessage[] = [
  HttpProtocolOptionsSchema,
  UpstreamTlsContextSchema,
  RawBufferSchema,
  HealthCheckEventFileSinkSchema,
];

/** @param types of messages in `typed_config`, beside those of TLS and HTTP */
export function decodeCluster(json: JsonObject, ...types: readonly DescMessage[]): Decoded<'cluster'> {
  const registry: Registry = createRegistry(...ALWAYS, ...types);
  const message = fromJson(ClusterSchema, { name: 'c', ...json }, { registry });
  // As `tulle proxy` reads it: what comes from Envoy's own configuration means what Envoy does.
  return createResourceDecoder().decode('cluster', anyPack(ClusterSchema, message), { kind: 'ads' });
}

/** What a cluster means. @throws Error where it is refused */
export function clusterOf(json: JsonObject, ...types: readonly DescMessage[]): Cluster {
  const decoded = decodeCluster(json, ...types);
  if (decoded.ok) return decoded.resource;
  throw new Error(decoded.issues.map(({ path, message }) => `${path}: ${message}`).join('\n'));
}

/** The paths at which a cluster is refused. */
export function refusedAt(json: JsonObject, ...types: readonly DescMessage[]): string[] {
  const decoded = decodeCluster(json, ...types);
  return decoded.ok ? [] : decoded.issues.map(({ path }) => path);
}

/** A transport socket with this UpstreamTlsContext. */
export function tls(context: JsonObject): JsonObject {
  return {
    transport_socket: {
      name: 'envoy.transport_sockets.tls',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
        ...context,
      },
    },
  };
}
