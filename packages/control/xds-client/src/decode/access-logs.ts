import { isMessage, type Message } from '@bufbuild/protobuf';
import type {
  AccessLog,
  AccessLogFormat,
  AccessLogOutput,
  GrpcAccessLogOutput,
  OtlpAccessLogOutput,
  LineAccessLog,
} from '@tulle/model';
import type { AccessLog as EnvoyLog } from '@tulle/xds-proto/envoy/config/accesslog/v3/accesslog';
import type { SubstitutionFormatString } from '@tulle/xds-proto/envoy/config/core/v3/substitution_format_string';
import { FileAccessLogSchema } from '@tulle/xds-proto/envoy/extensions/access_loggers/file/v3/file';
import {
  type CommonGrpcAccessLogConfig,
  HttpGrpcAccessLogConfigSchema,
  TcpGrpcAccessLogConfigSchema,
} from '@tulle/xds-proto/envoy/extensions/access_loggers/grpc/v3/als';
import { OpenTelemetryAccessLogConfigSchema } from '@tulle/xds-proto/envoy/extensions/access_loggers/open_telemetry/v3/logs_service';
import {
  StderrAccessLogSchema,
  StdoutAccessLogSchema,
} from '@tulle/xds-proto/envoy/extensions/access_loggers/stream/v3/stream';
import { decodeLogFilter } from './access-log-filter.ts';
import type { DecodeContext } from './context.ts';
import { decodeGrpcCluster } from './grpc-cluster.ts';
import { decodeTags } from './tracing.ts';
import { checkFormatters, jsonFormatOf } from './formatters.ts';
import { decodeOtlpLog, stateKeys } from './otlp-log.ts';
import { filled, milliseconds, present } from './values.ts';

/** What Envoy writes where nothing is said (its documentation of access logs, "Default format string"). */
const DEFAULT_FORMAT: AccessLogFormat = {
  text:
    '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
    '%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" ' +
    '"%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n',
};

/** @param path of the list, e.g. `access_log` @returns `undefined` for none */
export function decodeAccessLogs(
  context: DecodeContext,
  logs: readonly EnvoyLog[],
  path: string,
  handler: 'http' | 'tcp',
): readonly AccessLog[] | undefined {
  if (logs.length === 0) return undefined;
  return logs.flatMap((log, index) => {
    const here = `${path}[${index}]`;
    const any = log.configType.case === 'typedConfig' ? log.configType.value : undefined;
    const message = context.open(any, `${here}.typed_config`);
    const output = message && decodeOutput(context, message, `${here}.typed_config`, handler);
    const filter = log.filter && decodeLogFilter(context, log.filter, `${here}.filter`);
    if (output === undefined) return [];
    return [present({ name: log.name === '' ? undefined : log.name, filter, ...output }) as AccessLog];
  });
}

type Output =
  | Pick<LineAccessLog, 'to' | 'format'>
  | { readonly to: GrpcAccessLogOutput | OtlpAccessLogOutput };

function decodeOutput(
  context: DecodeContext,
  message: Message,
  path: string,
  handler: 'http' | 'tcp',
): Output | undefined {
  if (isMessage(message, FileAccessLogSchema)) {
    if (message.path === '') context.refuse(`${path}.path`, 'is missing');
    const to: AccessLogOutput = { kind: 'file', path: message.path };
    const { accessLogFormat: given } = message;
    switch (given.case) {
      case 'format':
        return { to, format: given.value === '' ? DEFAULT_FORMAT : { text: given.value } };
      // Its documentation says that numbers become texts; Envoy 1.40 writes the two alike.
      case 'jsonFormat':
      case 'typedJsonFormat':
        return { to, format: { json: jsonFormatOf(given.value) } };
      case 'logFormat':
        return { to, format: decodeFormat(context, given.value, `${path}.log_format`) };
      case undefined:
        return { to, format: DEFAULT_FORMAT };
    }
  }
  const stdout = isMessage(message, StdoutAccessLogSchema);
  if (stdout || isMessage(message, StderrAccessLogSchema)) {
    const { accessLogFormat: given } = message;
    return {
      to: { kind: stdout ? 'stdout' : 'stderr' },
      format:
        given.case === 'logFormat'
          ? decodeFormat(context, given.value, `${path}.log_format`)
          : DEFAULT_FORMAT,
    };
  }
  if (isMessage(message, HttpGrpcAccessLogConfigSchema)) {
    if (handler === 'tcp') context.refuse(path, 'logs requests; give TcpGrpcAccessLogConfig');
    return {
      to: present({
        ...decodeGrpc(context, message.commonConfig, `${path}.common_config`),
        requestHeaders: filled(message.additionalRequestHeadersToLog),
        responseHeaders: filled(message.additionalResponseHeadersToLog),
      }),
    };
  }
  if (isMessage(message, TcpGrpcAccessLogConfigSchema)) {
    if (handler === 'http') context.refuse(path, 'logs connections; give HttpGrpcAccessLogConfig');
    return { to: decodeGrpc(context, message.commonConfig, `${path}.common_config`) };
  }
  if (isMessage(message, OpenTelemetryAccessLogConfigSchema))
    return { to: decodeOtlpLog(context, message, path) };
  context.refuse(path, `${message.$typeName} is no access logger that this proxy has`);
  return undefined;
}

function decodeGrpc(
  context: DecodeContext,
  config: CommonGrpcAccessLogConfig | undefined,
  path: string,
): GrpcAccessLogOutput {
  if (config === undefined || config.logName === '') context.refuse(`${path}.log_name`, 'is missing');
  return present({
    kind: 'grpc' as const,
    ...decodeGrpcCluster(context, config?.grpcService, `${path}.grpc_service`),
    logName: config?.logName ?? '',
    flushIntervalMs: milliseconds(config?.bufferFlushInterval),
    bufferBytes: config?.bufferSizeBytes,
    timeoutMs: milliseconds(config?.grpcService?.timeout),
    customTags: decodeTags(context, config?.customTags ?? [], `${path}.custom_tags`),
    filterState: stateKeys(config?.filterStateObjectsToLog),
  });
}

function decodeFormat(
  context: DecodeContext,
  given: SubstitutionFormatString,
  path: string,
): AccessLogFormat {
  checkFormatters(context, given.formatters, path);
  const omitEmpty = given.omitEmptyValues ? true : undefined;
  const { format } = given;
  switch (format.case) {
    case 'textFormat':
      return present({ text: format.value, omitEmpty });
    case 'textFormatSource':
      if (format.value.specifier.case === 'inlineString')
        return present({ text: format.value.specifier.value, omitEmpty });
      context.refuse(`${path}.text_format_source`, 'must be an inline_string');
      return DEFAULT_FORMAT;
    case 'jsonFormat':
      return present({ json: jsonFormatOf(format.value), omitEmpty });
    case undefined:
      context.refuse(path, 'must have a text_format, a text_format_source or a json_format');
      return DEFAULT_FORMAT;
  }
}
