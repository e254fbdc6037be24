import { create } from '@bufbuild/protobuf';
import {
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
