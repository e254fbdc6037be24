import { create } from '@bufbuild/protobuf';
import {
  ApiConfigSource_ApiType as ApiType,
  ApiVersion,
  type ConfigSource,
  ConfigSourceSchema,
} from '@tulle/xds-proto/envoy/config/core/v3/config_source';

/** "The same ADS stream". */
export function adsSource(): ConfigSource {
  return create(ConfigSourceSchema, {
    resourceApiVersion: ApiVersion.V3,
    configSourceSpecifier: { case: 'ads', value: {} },
  });
}

/** The discovery service of one resource type behind a cluster of the client's own bootstrap. */
export function clusterSource(clusterName: string): ConfigSource {
  return create(ConfigSourceSchema, {
    resourceApiVersion: ApiVersion.V3,
    configSourceSpecifier: {
      case: 'apiConfigSource',
      value: {
        apiType: ApiType.GRPC,
        transportApiVersion: ApiVersion.V3,
        setNodeOnFirstMessageOnly: true,
        grpcServices: [{ targetSpecifier: { case: 'envoyGrpc', value: { clusterName } } }],
      },
    },
  });
}
