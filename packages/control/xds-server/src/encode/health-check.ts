import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import type {
  HeaderValue,
  HealthCheck as ModelHealthCheck,
  HttpHealthCheck,
  StatusRange,
} from '@tulle/model';
import { HealthCheckEventFileSinkSchema as SinkSchema } from '@tulle/xds-proto/envoy/extensions/health_check/event_sinks/file/v3/file';
import { CodecClientType } from '@tulle/xds-proto/envoy/type/v3/http';
import { RequestMethod } from '@tulle/xds-proto/envoy/config/core/v3/base';
import { ProxyProtocolConfig_Version as ProxyVersion } from '@tulle/xds-proto/envoy/config/core/v3/proxy_protocol';
import type { HealthCheck, HealthCheckSchema } from '@tulle/xds-proto/envoy/config/core/v3/health_check';
import { encodeStringMatch } from './matchers.ts';
import { duration, type Fields, sortedMap } from './values.ts';

export function encodeHealthCheck(check: ModelHealthCheck): Fields<typeof HealthCheckSchema> {
  const {
    initialJitterMs,
    intervalJitterMs,
    intervalJitterPercent,
    noTrafficIntervalMs,
    unhealthyIntervalMs,
  } = check;
  return {
    name: check.name ?? '',
    interval: duration(check.intervalMs),
    timeout: duration(check.timeoutMs),
    unhealthyThreshold: check.unhealthyThreshold,
    healthyThreshold: check.healthyThreshold,
    ...(initialJitterMs !== undefined && { initialJitter: duration(initialJitterMs) }),
    ...(intervalJitterMs !== undefined && { intervalJitter: duration(intervalJitterMs) }),
    ...(intervalJitterPercent !== undefined && { intervalJitterPercent }),
    ...(noTrafficIntervalMs !== undefined && { noTrafficInterval: duration(noTrafficIntervalMs) }),
    ...(unhealthyIntervalMs !== undefined && { unhealthyInterval: duration(unhealthyIntervalMs) }),
    ...(check.noTrafficHealthyIntervalMs !== undefined && {
      noTrafficHealthyInterval: duration(check.noTrafficHealthyIntervalMs),
    }),
    ...(check.unhealthyEdgeIntervalMs !== undefined && {
      unhealthyEdgeInterval: duration(check.unhealthyEdgeIntervalMs),
    }),
    ...(check.healthyEdgeIntervalMs !== undefined && {
      healthyEdgeInterval: duration(check.healthyEdgeIntervalMs),
    }),
    ...(check.altPort !== undefined && { altPort: check.altPort }),
    ...(check.reuseConnection !== undefined && { reuseConnection: check.reuseConnection }),
    ...(check.alpn !== undefined && { tlsOptions: { alpnProtocols: [...check.alpn] } }),
    ...(check.tlsLabels !== undefined && {
      transportSocketMatchCriteria: sortedMap(Object.entries(check.tlsLabels)),
    }),
    alwaysLogHealthCheckFailures: check.logsFailures ?? false,
    alwaysLogHealthCheckSuccess: check.logsSuccesses ?? false,
    eventLogger: (check.eventLogs ?? []).map((eventLogPath) => ({
      name: 'envoy.health_check.event_sinks.file',
      typedConfig: anyPack(SinkSchema, create(SinkSchema, { eventLogPath })),
    })),
    healthChecker: checker(check) as HealthCheck['healthChecker'],
  };
}

/** Bytes in hexadecimal. */
const payload = (text: string): object => ({ payload: { case: 'text', value: text } });

function checker(check: ModelHealthCheck): { readonly case: string; readonly value: object } {
  if (check.kind === 'grpc')
    return {
      case: 'grpcHealthCheck',
      value: {
        serviceName: check.service ?? '',
        authority: check.authority ?? '',
        initialMetadata: headers(check.headers),
      },
    };
  if (check.kind === 'tcp') {
    return {
      case: 'tcpHealthCheck',
      value: {
        ...(check.send !== undefined && { send: payload(check.send) }),
        receive: (check.receive ?? []).map(payload),
        ...(check.proxyProtocol !== undefined && {
          proxyProtocolConfig: { version: check.proxyProtocol === 2 ? ProxyVersion.V2 : ProxyVersion.V1 },
        }),
      },
    };
  }
  return {
    case: 'httpHealthCheck',
    value: {
      path: check.path,
      host: check.host ?? '',
      requestHeadersToAdd: headers(check.headers),
      ...(check.codec === 'http2' && { codecClientType: CodecClientType.HTTP2 }),
      method: check.method === undefined ? RequestMethod.METHOD_UNSPECIFIED : RequestMethod[check.method],
      expectedStatuses: (check.expectedStatuses ?? []).map(range),
      retriableStatuses: (check.retriableStatuses ?? []).map(range),
      ...encodeBodies(check),
    },
  };
}

function encodeBodies({
  send,
  receive,
  receiveWithinBytes,
  serviceName,
  withoutUserAgent,
}: HttpHealthCheck): object {
  return {
    ...(send !== undefined && { send: payload(send) }),
    receive: (receive ?? []).map(payload),
    ...(receiveWithinBytes !== undefined && { responseBufferSize: BigInt(receiveWithinBytes) }),
    ...(serviceName !== undefined && {
      serviceNameMatcher: encodeStringMatch(serviceName.kind === 'present' ? ANY : serviceName),
    }),
    ...(withoutUserAgent === true && { requestHeadersToRemove: ['user-agent'] }),
  };
}

/** Whatever it is. */
const ANY = { kind: 'prefix', value: '' } as const;

function headers(list: readonly HeaderValue[] = []): readonly object[] {
  return list.map(({ name, value }) => ({
    header: { key: name, value },
    keepEmptyValue: value === '',
  }));
}

/** The wire leaves the end out. */
function range({ from, to }: StatusRange): { readonly start: bigint; readonly end: bigint } {
  return { start: BigInt(from), end: BigInt(to + 1) };
}
