import { create } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import { CONN_EXT_AUTHZ_FILTER } from '@tulle/model';
import { ApiVersion } from '@tulle/xds-proto/envoy/config/core/v3/config_source';
import { ExtAuthzSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/ext_authz/v3/ext_authz';
import { hasOnly, isInteger, isObject, isText } from './shape.ts';
import { duration } from './values.ts';

/** External authorization of connections as Envoy's. @returns `undefined` where its type would not say the same */
export function encodeConnExtAuthz(filter: string, config: unknown, statPrefix: string): Any | undefined {
  if (filter !== CONN_EXT_AUTHZ_FILTER || statPrefix === '') return undefined;
  if (
    !isObject(config) ||
    !hasOnly(config, ['service', 'timeoutMs', 'failureMode', 'tellServerName', 'tellCertificate'])
  )
    return undefined;
  const {
    service,
    timeoutMs,
    failureMode = 'deny',
    tellServerName = false,
    tellCertificate = false,
  } = config;
  if (!isObject(service) || !hasOnly(service, ['cluster', 'authority'])) return undefined;
  const { cluster, authority = '' } = service;
  if (!isText(cluster) || cluster === '' || !isText(authority)) return undefined;
  if (timeoutMs !== undefined && !isInteger(timeoutMs, 1, 60_000)) return undefined;
  if ((failureMode !== 'deny' && failureMode !== 'allow') || typeof tellServerName !== 'boolean')
    return undefined;
  if (typeof tellCertificate !== 'boolean') return undefined;
  return anyPack(
    ExtAuthzSchema,
    create(ExtAuthzSchema, {
      statPrefix,
      transportApiVersion: ApiVersion.V3,
      grpcService: {
        targetSpecifier: { case: 'envoyGrpc', value: { clusterName: cluster, authority } },
        ...(timeoutMs !== undefined && { timeout: duration(timeoutMs) }),
      },
      failureModeAllow: failureMode === 'allow',
      includeTlsSession: tellServerName,
      includePeerCertificate: tellCertificate,
    }),
  );
}
