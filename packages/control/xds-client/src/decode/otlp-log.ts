import type { OtlpAccessLogOutput, OtlpFormat, OtlpValue } from '@tulle/model';
import type { OpenTelemetryAccessLogConfig } from '@tulle/xds-proto/envoy/extensions/access_loggers/open_telemetry/v3/logs_service';
import type { AnyValue, KeyValueList } from '@tulle/xds-proto/opentelemetry/proto/common/v1/common';
import type { DecodeContext } from './context.ts';
import { checkFormatters } from './formatters.ts';
import { decodeGrpcCluster } from './grpc-cluster.ts';
import { decodeHttpService, decodeResource, decodeTags } from './tracing.ts';
import { filled, milliseconds, present } from './values.ts';

/** As deep as values may hold others. */
const MAX_DEPTH = 8;

/** There is nothing under no name. */
export const stateKeys = (keys: readonly string[] = []): readonly string[] | undefined =>
  filled(keys.filter((key) => key !== ''));

/** The logger's own fields count before those of `common_config`, which Envoy keeps for older configurations. */
export function decodeOtlpLog(
  context: DecodeContext,
  config: OpenTelemetryAccessLogConfig,
  path: string,
): OtlpAccessLogOutput {
  const { commonConfig: common } = config;
  const at = `${path}.common_config`;
  if (common !== undefined && common.logName === '') context.refuse(`${at}.log_name`, 'is missing');
  if (common !== undefined && common.customTags.length > 0)
    context.refuse(
      `${at}.custom_tags`,
      'is for the other gRPC loggers; give custom_tags beside common_config',
    );
  checkFormatters(context, config.formatters, path);
  const { resource, environment } = decodeResource(
    context,
    config.resourceDetectors,
    `${path}.resource_detectors`,
  );
  const own = decodeRecord(context, config.resourceAttributes, `${path}.resource_attributes`, decodeValue);
  return present({
    kind: 'otlp' as const,
    ...decodeTransport(context, config, path),
    logName: config.logName || (common?.logName ?? ''),
    flushIntervalMs: milliseconds(config.bufferFlushInterval ?? common?.bufferFlushInterval),
    bufferBytes: config.bufferSizeBytes ?? common?.bufferSizeBytes,
    // A value that holds nothing is as good as none, on the outside alone.
    body:
      config.body?.value.case === undefined
        ? undefined
        : decodeFormat(context, config.body, `${path}.body`, MAX_DEPTH),
    attributes: decodeRecord(context, config.attributes, `${path}.attributes`, decodeFormat),
    // That of common_config Envoy does not look at in this logger.
    filterState: stateKeys(config.filterStateObjectsToLog),
    customTags: decodeTags(context, config.customTags, `${path}.custom_tags`),
    // What the logger says itself counts before what is detected.
    resource: resource === undefined && own === undefined ? undefined : { ...resource, ...own },
    environment,
    builtinLabels: config.disableBuiltinLabels ? false : undefined,
    statPrefix: config.statPrefix === '' ? undefined : config.statPrefix,
  });
}

/** One of three. */
function decodeTransport(
  context: DecodeContext,
  { commonConfig: common, grpcService, httpService }: OpenTelemetryAccessLogConfig,
  path: string,
): Pick<OtlpAccessLogOutput, 'cluster' | 'authority' | 'http' | 'timeoutMs'> {
  const at = `${path}.common_config`;
  if (grpcService !== undefined && common?.grpcService !== undefined)
    context.refuse(`${path}.grpc_service`, 'must not be there beside that of common_config');
  if (httpService === undefined) {
    const service = grpcService ?? common?.grpcService;
    const here = `${common === undefined || grpcService !== undefined ? path : at}.grpc_service`;
    return present({
      ...decodeGrpcCluster(context, service, here),
      timeoutMs: milliseconds(service?.timeout),
    });
  }
  if (grpcService !== undefined || common?.grpcService !== undefined)
    context.refuse(`${path}.http_service`, 'must not be there beside a grpc_service');
  const { cluster, ...http } = decodeHttpService(context, httpService, `${path}.http_service`);
  return present({ cluster, http, timeoutMs: milliseconds(httpService.httpUri?.timeout) });
}

type Decode<Value> = (
  context: DecodeContext,
  value: AnyValue | undefined,
  path: string,
  depth: number,
) => Value;

/** @returns `undefined` for none */
function decodeRecord<Value>(
  context: DecodeContext,
  list: KeyValueList | undefined,
  path: string,
  decode: Decode<Value>,
  depth: number = MAX_DEPTH,
): Record<string, Value> | undefined {
  if (list === undefined || list.values.length === 0) return undefined;
  const found = new Map<string, Value>();
  for (const [index, { key, value }] of list.values.entries()) {
    const here = `${path}.values[${index}]`;
    if (found.has(key)) context.refuse(`${here}.key`, `"${key}" is there twice (OpenTelemetry, "Attribute")`);
    found.set(key, decode(context, value, `${here}.value`, depth));
  }
  return Object.fromEntries(found);
}

/** Of records: Envoy knows no other values than these there. */
function decodeFormat(
  context: DecodeContext,
  given: AnyValue | undefined,
  path: string,
  depth: number,
): OtlpFormat {
  if (depth === 0) return tooDeep(context, path);
  switch (given?.value.case) {
    case 'stringValue':
      return given.value.value;
    case 'arrayValue':
      return given.value.value.values.map((value, index) =>
        decodeFormat(context, value, `${path}.array_value.values[${index}]`, depth - 1),
      );
    case 'kvlistValue':
      return decodeRecord(context, given.value.value, `${path}.kvlist_value`, decodeFormat, depth - 1) ?? {};
    default:
      context.refuse(path, 'must be a string_value, or an array_value or kvlist_value of such');
      return '';
  }
}

/** Of the resource, which stays as it is. */
function decodeValue(
  context: DecodeContext,
  given: AnyValue | undefined,
  path: string,
  depth: number,
): OtlpValue {
  if (depth === 0) return tooDeep(context, path);
  switch (given?.value.case) {
    case 'stringValue':
    case 'boolValue':
      return given.value.value;
    case 'intValue': {
      const whole = Number(given.value.value);
      if (!Number.isSafeInteger(whole)) context.refuse(`${path}.int_value`, 'must be at most 2^53 - 1');
      return whole;
    }
    case 'doubleValue':
      // Whole numbers are int_values here.
      if (!Number.isFinite(given.value.value) || Number.isInteger(given.value.value))
        context.refuse(`${path}.double_value`, 'must have a fraction; give an int_value');
      return given.value.value;
    case 'arrayValue':
      return given.value.value.values.map((value, index) =>
        decodeValue(context, value, `${path}.array_value.values[${index}]`, depth - 1),
      );
    case 'kvlistValue':
      return decodeRecord(context, given.value.value, `${path}.kvlist_value`, decodeValue, depth - 1) ?? {};
    default:
      context.refuse(path, 'must be a value of OpenTelemetry, and no bytes');
      return '';
  }
}

function tooDeep(context: DecodeContext, path: string): string {
  context.refuse(path, `is nested deeper than ${MAX_DEPTH}`);
  return '';
}
