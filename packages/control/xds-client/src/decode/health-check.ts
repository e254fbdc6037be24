import { Buffer } from 'node:buffer';
import type { HealthCheck as ModelHealthCheck, HealthCheckRhythm, StatusRange } from '@tulle/model';
import { RequestMethod } from '@tulle/xds-proto/envoy/config/core/v3/base';
import type {
  HealthCheck,
  HealthCheck_HttpHealthCheck as HttpHealthCheck,
  HealthCheck_Payload as Payload,
} from '@tulle/xds-proto/envoy/config/core/v3/health_check';
import type { Int64Range } from '@tulle/xds-proto/envoy/type/v3/range';
import type { DecodeContext } from './context.ts';
import { filled, milliseconds, present } from './values.ts';

/** The one check that a cluster may have, as in Envoy. */
export function decodeHealthCheck(
  context: DecodeContext,
  checks: readonly HealthCheck[],
): ModelHealthCheck | undefined {
  const [check, ...more] = checks;
  if (check === undefined) return undefined;
  if (more.length > 0)
    context.refuse('health_checks[1]', 'must be the only one: a cluster has one health check');
  const path = 'health_checks[0]';
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
      const { send, receive } = kind.value;
      const at = `${path}.tcp_health_check`;
      return present({
        kind: 'tcp' as const,
        ...rhythm,
        send: send && decodePayload(context, send, `${at}.send`),
        receive: filled(
          receive.map((payload, index) => decodePayload(context, payload, `${at}.receive[${index}]`)),
        ),
      });
    }
    case 'grpcHealthCheck': {
      const { serviceName, authority } = kind.value;
      return present({
        kind: 'grpc' as const,
        ...rhythm,
        service: serviceName === '' ? undefined : serviceName,
        authority: authority === '' ? undefined : authority,
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
    reuseConnection: check.reuseConnection,
  });
}

const METHODS: { readonly [M in RequestMethod]?: 'GET' | 'HEAD' | 'OPTIONS' } = {
  [RequestMethod.GET]: 'GET',
  [RequestMethod.HEAD]: 'HEAD',
  [RequestMethod.OPTIONS]: 'OPTIONS',
};

function decodeHttp(
  context: DecodeContext,
  { host, path, method, expectedStatuses, retriableStatuses }: HttpHealthCheck,
  at: string,
): Omit<Extract<ModelHealthCheck, { kind: 'http' }>, 'kind' | keyof HealthCheckRhythm> {
  if (method !== RequestMethod.METHOD_UNSPECIFIED && METHODS[method] === undefined)
    context.refuse(`${at}.method`, 'must be GET, HEAD or OPTIONS');
  return present({
    path,
    host: host === '' ? undefined : host,
    method: METHODS[method],
    expectedStatuses: filled(expectedStatuses.map(decodeRange)),
    retriableStatuses: filled(retriableStatuses.map(decodeRange)),
  });
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
