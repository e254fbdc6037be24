import { Buffer } from 'node:buffer';
import { isMessage } from '@bufbuild/protobuf';
import {
  BODILESS_CHECK_METHODS,
  DEFAULT_RECEIVED_BYTES,
  MAX_RECEIVED_BYTES,
  type Cluster as ModelCluster,
  type HeaderValue,
  type HealthCheck as ModelHealthCheck,
  type HealthCheckMethod,
  type HealthCheckRhythm,
  type StatusRange,
} from '@tulle/model';
import { type HeaderValueOption, RequestMethod } from '@tulle/xds-proto/envoy/config/core/v3/base';
import { HealthCheckEventFileSinkSchema } from '@tulle/xds-proto/envoy/extensions/health_check/event_sinks/file/v3/file';
import { CodecClientType } from '@tulle/xds-proto/envoy/type/v3/http';
import type {
  HealthCheck,
  HealthCheck_HttpHealthCheck as HttpHealthCheck,
  HealthCheck_Payload as Payload,
} from '@tulle/xds-proto/envoy/config/core/v3/health_check';
import type { Int64Range } from '@tulle/xds-proto/envoy/type/v3/range';
import type { DecodeContext } from './context.ts';
import { decodeLabels } from './labels.ts';
import { decodeStringMatch } from './matchers.ts';
import { decodePlainHeader } from './proxy-protocol.ts';
import { filled, milliseconds, present } from './values.ts';

/** Of several each has a name of its own, as in Envoy; that of one alone says nothing. */
export function decodeHealthChecks(
  context: DecodeContext,
  checks: readonly HealthCheck[],
): Pick<ModelCluster, 'healthCheck' | 'moreHealthChecks'> {
  const several = checks.length > 1;
  const names = new Set<string>();
  const decoded = checks.flatMap((check, index) => {
    const path = `health_checks[${index}]`;
    if (several && check.name === '')
      context.refuse(`${path}.name`, 'is missing: each of several health checks has a name');
    if (several && check.name !== '' && names.has(check.name))
      context.refuse(
        `${path}.name`,
        `is that of another health check as well: ${JSON.stringify(check.name)}`,
      );
    names.add(check.name);
    const one = decodeHealthCheck(context, check, path);
    return one === undefined ? [] : [several ? { ...one, name: check.name } : one];
  });
  return present({ healthCheck: decoded[0], moreHealthChecks: filled(decoded.slice(1)) });
}

function decodeHealthCheck(
  context: DecodeContext,
  check: HealthCheck,
  path: string,
): ModelHealthCheck | undefined {
  const rhythm = decodeRhythm(context, check, path);
  const { healthChecker: kind } = check;
  switch (kind.case) {
    case 'httpHealthCheck':
      return present({
        kind: 'http' as const,
        ...rhythm,
        ...decodeHttp(context, kind.value, `${path}.http_health_check`),
      });
    case 'tcpHealthCheck': {
      const { send, receive, proxyProtocolConfig: proxied } = kind.value;
      const at = `${path}.tcp_health_check`;
      return present({
        kind: 'tcp' as const,
        ...rhythm,
        send: send && decodePayload(context, send, `${at}.send`),
        receive: filled(
          receive.map((payload, index) => decodePayload(context, payload, `${at}.receive[${index}]`)),
        ),
        proxyProtocol: proxied && decodePlainHeader(context, proxied, `${at}.proxy_protocol_config`),
      });
    }
    case 'grpcHealthCheck': {
      const { serviceName, authority } = kind.value;
      return present({
        kind: 'grpc' as const,
        ...rhythm,
        service: serviceName === '' ? undefined : serviceName,
        authority: authority === '' ? undefined : authority,
        headers: decodeHeaders(
          context,
          kind.value.initialMetadata,
          `${path}.grpc_health_check.initial_metadata`,
        ),
      });
    }
    default:
      context.refuse(path, 'must be an http_health_check, a grpc_health_check or a tcp_health_check');
      return undefined;
  }
}

function decodeRhythm(context: DecodeContext, check: HealthCheck, path: string): HealthCheckRhythm {
  const needed = (field: string, value: number | undefined): number => {
    if (value === undefined) context.refuse(`${path}.${field}`, 'is missing');
    return value ?? 0;
  };
  return present({
    intervalMs: needed('interval', milliseconds(check.interval)),
    timeoutMs: needed('timeout', milliseconds(check.timeout)),
    unhealthyThreshold: needed('unhealthy_threshold', check.unhealthyThreshold),
    healthyThreshold: needed('healthy_threshold', check.healthyThreshold),
    initialJitterMs: milliseconds(check.initialJitter),
    intervalJitterMs: milliseconds(check.intervalJitter),
    intervalJitterPercent: check.intervalJitterPercent === 0 ? undefined : check.intervalJitterPercent,
    noTrafficIntervalMs: milliseconds(check.noTrafficInterval),
    unhealthyIntervalMs: milliseconds(check.unhealthyInterval),
    noTrafficHealthyIntervalMs: milliseconds(check.noTrafficHealthyInterval),
    unhealthyEdgeIntervalMs: milliseconds(check.unhealthyEdgeInterval),
    healthyEdgeIntervalMs: milliseconds(check.healthyEdgeInterval),
    reuseConnection: check.reuseConnection,
    altPort: check.altPort,
    alpn: filled(check.tlsOptions?.alpnProtocols ?? []),
    tlsLabels: decodeLabels(
      context,
      check.transportSocketMatchCriteria,
      `${path}.transport_socket_match_criteria`,
    ),
    eventLogs: filled(decodeEventLogs(context, check, path)),
    logsFailures: check.alwaysLogHealthCheckFailures || undefined,
    logsSuccesses: check.alwaysLogHealthCheckSuccess || undefined,
  });
}

/** Files alone; the deprecated field comes beside the others, not in their place, as in Envoy. */
function decodeEventLogs(context: DecodeContext, check: HealthCheck, path: string): readonly string[] {
  const sinks = check.eventLogger.flatMap(({ typedConfig }, index) => {
    const at = `${path}.event_logger[${index}].typed_config`;
    const sink = context.open(typedConfig, at);
    if (sink === undefined) return [];
    if (!isMessage(sink, HealthCheckEventFileSinkSchema)) {
      context.refuse(at, `must be a ${HealthCheckEventFileSinkSchema.typeName}`);
      return [];
    }
    if (sink.eventLogPath === '') context.refuse(`${at}.event_log_path`, 'is missing');
    return [sink.eventLogPath];
  });
  return [...(check.eventLogPath === '' ? [] : [check.eventLogPath]), ...sinks];
}

const METHODS: { readonly [M in RequestMethod]?: HealthCheckMethod } = {
  [RequestMethod.GET]: 'GET',
  [RequestMethod.HEAD]: 'HEAD',
  [RequestMethod.OPTIONS]: 'OPTIONS',
  [RequestMethod.POST]: 'POST',
  [RequestMethod.PUT]: 'PUT',
  [RequestMethod.PATCH]: 'PATCH',
  [RequestMethod.DELETE]: 'DELETE',
  [RequestMethod.TRACE]: 'TRACE',
};

function decodeHttp(
  context: DecodeContext,
  check: HttpHealthCheck,
  at: string,
): Omit<Extract<ModelHealthCheck, { kind: 'http' }>, 'kind' | keyof HealthCheckRhythm> {
  const { host, path, method, expectedStatuses, retriableStatuses, codecClientType: codec } = check;
  if (codec === CodecClientType.HTTP3) context.refuse(`${at}.codec_client_type`, 'must be HTTP1 or HTTP2');
  if (method !== RequestMethod.METHOD_UNSPECIFIED && METHODS[method] === undefined)
    context.refuse(`${at}.method`, 'must not be CONNECT');
  return present({
    path,
    host: host === '' ? undefined : host,
    headers: decodeHeaders(context, check.requestHeadersToAdd, `${at}.request_headers_to_add`),
    codec: codec === CodecClientType.HTTP2 ? ('http2' as const) : undefined,
    method: METHODS[method],
    expectedStatuses: filled(expectedStatuses.map(decodeRange)),
    retriableStatuses: filled(retriableStatuses.map(decodeRange)),
    ...decodeBodies(context, check, at),
  });
}

function decodeBodies(context: DecodeContext, check: HttpHealthCheck, at: string): Bodies {
  const { send, receive, responseBufferSize: within, serviceNameMatcher: service } = check;
  const method = METHODS[check.method] ?? 'GET';
  if (send !== undefined && BODILESS_CHECK_METHODS.has(method))
    context.refuse(`${at}.send`, `must be absent where method is ${method}: use POST, PUT, PATCH or OPTIONS`);
  const wanted = receive.map((payload, index) => decodePayload(context, payload, `${at}.receive[${index}]`));
  const [bytes, most] = [
    wanted.reduce((sum, one) => sum + one.length / 2, 0),
    Number(within ?? DEFAULT_RECEIVED_BYTES),
  ];
  if (most !== 0 && bytes > most)
    context.refuse(`${at}.receive`, `is ${bytes} bytes long: more than response_buffer_size, ${most}`);
  if (most > MAX_RECEIVED_BYTES)
    context.refuse(`${at}.response_buffer_size`, `must be at most ${MAX_RECEIVED_BYTES}, but is ${most}`);
  const removed = check.requestHeadersToRemove.map((name) => name.toLowerCase());
  for (const [index, name] of removed.entries())
    if (name.startsWith(':') || name === 'host')
      context.refuse(`${at}.request_headers_to_remove[${index}]`, 'must be a field that may be missing');
  return present({
    send: send && decodePayload(context, send, `${at}.send`),
    receive: filled(wanted),
    receiveWithinBytes: within === undefined ? undefined : most,
    serviceName: service && decodeStringMatch(context, service, `${at}.service_name_matcher`),
    // There is no other field that nobody adds.
    withoutUserAgent: removed.includes('user-agent') || undefined,
  });
}

/** What is about bodies, and about who answers. */
type Bodies = Pick<
  Extract<ModelHealthCheck, { kind: 'http' }>,
  'send' | 'receive' | 'receiveWithinBytes' | 'serviceName' | 'withoutUserAgent'
>;

/**
 * Fields of a question. Nothing else adds any, so that it makes no difference how they are added; one without a value is
 * added where that is said (Envoy `HeaderValueOption.keep_empty_value`).
 */
function decodeHeaders(
  context: DecodeContext,
  options: readonly HeaderValueOption[],
  path: string,
): readonly HeaderValue[] | undefined {
  return filled(
    options.flatMap(({ header, keepEmptyValue }, index) => {
      if (header === undefined || header.key === '') context.refuse(`${path}[${index}].header`, 'is missing');
      const { key = '', value: text = '', rawValue } = header ?? {};
      if (text.includes('%'))
        context.refuse(`${path}[${index}].header.value`, 'must not hold operators: there is no request here');
      const value = text === '' && rawValue ? Buffer.from(rawValue).toString('latin1') : text;
      return value === '' && !keepEmptyValue ? [] : [{ name: key.toLowerCase(), value }];
    }),
  );
}

/** The wire leaves the end out. */
function decodeRange({ start, end }: Int64Range): StatusRange {
  return { from: Number(start), to: Number(end) - 1 };
}

function decodePayload(context: DecodeContext, { payload }: Payload, path: string): string {
  if (payload.case === 'text') return payload.value;
  if (payload.case === 'binary') return Buffer.from(payload.value).toString('hex');
  context.refuse(path, 'is empty');
  return '';
}
