import type { GrpcService } from '@tulle/xds-proto/envoy/config/core/v3/grpc_service';
import type { DecodeContext } from './context.ts';

/** A service of gRPC that is a cluster of the configuration. */
export function decodeGrpcCluster(
  context: DecodeContext,
  service: GrpcService | undefined,
  path: string,
): { readonly cluster: string; readonly authority: string | undefined } {
  const specifier = service?.targetSpecifier;
  if (specifier?.case !== 'envoyGrpc') {
    context.refuse(path, 'must be envoy_grpc, which names a cluster');
    return { cluster: '', authority: undefined };
  }
  const { clusterName: cluster, authority } = specifier.value;
  if (cluster === '') context.refuse(`${path}.envoy_grpc.cluster_name`, 'is missing');
  return { cluster, authority: authority || undefined };
}
