import { createRegistry, type Message, type Registry } from '@bufbuild/protobuf';
import { type Any, anyUnpack } from '@bufbuild/protobuf/wkt';
import { decodableTypes } from '@tulle/xds-client';
import { FilterConfigSchema as GrpcStatsSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/grpc_stats/v3/config';
import { CaresDnsResolverConfigSchema } from '@tulle/xds-proto/envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver';
import { GetAddrInfoDnsResolverConfigSchema } from '@tulle/xds-proto/envoy/extensions/network/dns_resolver/getaddrinfo/v3/getaddrinfo_dns_resolver';
import { GoogleRE2Schema } from '@tulle/xds-proto/envoy/extensions/regex_engines/v3/google_re2';
import { DownstreamConnectionsConfigSchema } from '@tulle/xds-proto/envoy/extensions/resource_monitors/downstream_connections/v3/downstream_connections';
import { FixedHeapConfigSchema } from '@tulle/xds-proto/envoy/extensions/resource_monitors/fixed_heap/v3/fixed_heap';
import { InternalListenerSchema } from '@tulle/xds-proto/envoy/extensions/bootstrap/internal_listener/v3/internal_listener';

/** What may stand in an `Any` of a bootstrap: what resources may hold, and what the bootstrap itself has. */
export const bootstrapTypes: Registry = createRegistry(
  decodableTypes,
  InternalListenerSchema,
  FixedHeapConfigSchema,
  DownstreamConnectionsConfigSchema,
  GoogleRE2Schema,
  CaresDnsResolverConfigSchema,
  GetAddrInfoDnsResolverConfigSchema,
  GrpcStatsSchema, // has no effect here, but fields that are to be right
);

/** What is in an `Any`. @returns `undefined` for an unknown type, and for bytes that are no such message */
export function openAny(any: Any | undefined): Message | undefined {
  try {
    return any && anyUnpack(any, bootstrapTypes);
  } catch {
    return undefined;
  }
}
