import { create } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import type { GrpcAccessLogOutput, OtlpAccessLogOutput, OtlpFormat, OtlpValue } from '@tulle/model';
import { ApiVersion } from '@tulle/xds-proto/envoy/config/core/v3/config_source';
import type { CommonGrpcAccessLogConfigSchema } from '@tulle/xds-proto/envoy/extensions/access_loggers/grpc/v3/als';
import { OpenTelemetryAccessLogConfigSchema } from '@tulle/xds-proto/envoy/extensions/access_loggers/open_telemetry/v3/logs_service';
import type {
  AnyValueSchema,
  KeyValueListSchema,
} from '@tulle/xds-proto/opentelemetry/proto/common/v1/common';
import { encodeDetectors, encodeHttpService, encodeTag } from './tracing.ts';
import { duration, type Fields } from './values.ts';

type Common = Fields<typeof CommonGrpcAccessLogConfigSchema>;

/** What all logs over gRPC say. */
export function encodeCommon(to: GrpcAccessLogOutput | OtlpAccessLogOutput): Common {
  return {
    logName: to.logName,
    transportApiVersion: ApiVersion.V3,
    grpcService: {
      targetSpecifier: {
        case: 'envoyGrpc',
        value: { clusterName: to.cluster, authority: to.authority ?? '' },
      },
      ...(to.timeoutMs !== undefined && { timeout: duration(to.timeoutMs) }),
    },
    ...bounds(to),
  };
}

const bounds = ({
  flushIntervalMs,
  bufferBytes,
}: Pick<OtlpAccessLogOutput, 'flushIntervalMs' | 'bufferBytes'>): Pick<
  Common,
  'bufferFlushInterval' | 'bufferSizeBytes'
> => ({
  ...(flushIntervalMs !== undefined && { bufferFlushInterval: duration(flushIntervalMs) }),
  ...(bufferBytes !== undefined && { bufferSizeBytes: bufferBytes }),
});

export function encodeOtlpLog(to: OtlpAccessLogOutput): Any {
  const config = create(OpenTelemetryAccessLogConfigSchema, {
    ...encodeTransport(to),
    disableBuiltinLabels: to.builtinLabels === false,
    filterStateObjectsToLog: [...(to.filterState ?? [])],
    customTags: (to.customTags ?? []).map(encodeTag),
    resourceDetectors: encodeDetectors({ environment: to.environment ?? false }),
    statPrefix: to.statPrefix ?? '',
    ...(to.body !== undefined && { body: encodeValue(to.body) }),
    ...(to.attributes && { attributes: keyValues(to.attributes) }),
    ...(to.resource && { resourceAttributes: keyValues(to.resource) }),
  });
  return anyPack(OpenTelemetryAccessLogConfigSchema, config);
}

/** Nothing in `common_config` may have no name; what has none says the same beside it, as newer Envoys read it. */
function encodeTransport(to: OtlpAccessLogOutput): Fields<typeof OpenTelemetryAccessLogConfigSchema> {
  if (to.http !== undefined)
    return {
      logName: to.logName,
      httpService: encodeHttpService({ cluster: to.cluster, ...to.http }, to.timeoutMs),
      ...bounds(to),
    };
  const common = encodeCommon(to);
  if (common.logName !== '') return { commonConfig: common };
  return { ...(common.grpcService && { grpcService: common.grpcService }), ...bounds(to) };
}

type Value = Fields<typeof AnyValueSchema>;

function encodeValue(value: OtlpFormat | OtlpValue): Value {
  switch (typeof value) {
    case 'string':
      return { value: { case: 'stringValue', value } };
    case 'boolean':
      return { value: { case: 'boolValue', value } };
    case 'number':
      return Number.isInteger(value)
        ? { value: { case: 'intValue', value: BigInt(value) } }
        : { value: { case: 'doubleValue', value } };
    default:
      return isList(value)
        ? { value: { case: 'arrayValue', value: { values: value.map(encodeValue) } } }
        : { value: { case: 'kvlistValue', value: keyValues(value) } };
  }
}

const isList = (value: object): value is readonly OtlpValue[] => Array.isArray(value);

function keyValues(
  values: Readonly<Record<string, OtlpFormat | OtlpValue>>,
): Fields<typeof KeyValueListSchema> {
  return {
    values: Object.keys(values)
      .toSorted()
      .map((key) => ({ key, value: encodeValue(values[key] ?? '') })),
  };
}
