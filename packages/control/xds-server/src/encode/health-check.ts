import type { HeaderValue, HealthCheck as ModelHealthCheck, StatusRange } from '@tulle/model';
import { CodecClientType } from '@tulle/xds-proto/envoy/type/v3/http';
import { RequestMethod } from '@tulle/xds-proto/envoy/config/core/v3/base';
import type { HealthCheck, HealthCheckSchema } from '@tulle/xds-proto/envoy/config/core/v3/health_check';
import { duration, type Fields } from './values.ts';

export function encodeHealthCheck(check: ModelHealthCheck): Fields<typeof HealthCheckSchema> {
  const {
    initialJitterMs,
    intervalJitterMs,
    intervalJitterPercent,
    noTrafficIntervalMs,
    unhealthyIntervalMs,
  } = check;
  return {
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
    healthChecker: checker(check) as HealthCheck['healthChecker'],
  };
}

const METHODS = { GET: RequestMethod.GET, HEAD: RequestMethod.HEAD, OPTIONS: RequestMethod.OPTIONS } as const;

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
    const payload = (text: string): object => ({ payload: { case: 'text', value: text } });
    return {
      case: 'tcpHealthCheck',
      value: {
        ...(check.send !== undefined && { send: payload(check.send) }),
        receive: (check.receive ?? []).map(payload),
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
      method: check.method === undefined ? RequestMethod.METHOD_UNSPECIFIED : METHODS[check.method],
      expectedStatuses: (check.expectedStatuses ?? []).map(range),
      retriableStatuses: (check.retriableStatuses ?? []).map(range),
    },
  };
}

function headers(list: readonly HeaderValue[] = []): readonly object[] {
  return list.map(({ name, value }) => ({ header: { key: name, value } }));
}

/** The wire leaves the end out. */
function range({ from, to }: StatusRange): { readonly start: bigint; readonly end: bigint } {
  return { start: BigInt(from), end: BigInt(to + 1) };
}
