import type { ConnExtAuthzFilterConfig } from '@tulle/model';
import { ApiVersion } from '@tulle/xds-proto/envoy/config/core/v3/config_source';
import type { ExtAuthz } from '@tulle/xds-proto/envoy/extensions/filters/network/ext_authz/v3/ext_authz';
import type { DecodeContext } from './context.ts';
import { decodeGrpcCluster } from './grpc-cluster.ts';
import { milliseconds, present } from './values.ts';

/** Envoy's external authorization of connections. */
export function decodeConnExtAuthz(
  context: DecodeContext,
  message: ExtAuthz,
  path: string,
): ConnExtAuthzFilterConfig {
  const { grpcService, transportApiVersion } = message;
  if (transportApiVersion !== ApiVersion.V3) context.refuse(`${path}.transport_api_version`, 'must be V3');
  const timeoutMs = milliseconds(grpcService?.timeout);
  if (timeoutMs !== undefined && (timeoutMs < 1 || timeoutMs > 60_000))
    context.refuse(`${path}.grpc_service.timeout`, `must be 0.001 s to 60 s, but is ${timeoutMs / 1000} s`);
  return present({
    service: present(decodeGrpcCluster(context, grpcService, `${path}.grpc_service`)),
    timeoutMs: timeoutMs === undefined ? undefined : Math.ceil(timeoutMs),
    failureMode: message.failureModeAllow ? ('allow' as const) : undefined,
    tellServerName: message.includeTlsSession ? true : undefined,
    tellCertificate: message.includePeerCertificate ? true : undefined,
  });
}
