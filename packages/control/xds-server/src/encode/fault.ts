import { create } from '@bufbuild/protobuf';
import { GRPC_HTTP_STATUSES, type FaultFilterConfig } from '@tulle/model';
import {
  type HTTPFault,
  HTTPFaultSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/fault/v3/fault';
import {
  type FractionalPercent,
  FractionalPercent_DenominatorType as Denominator,
  FractionalPercentSchema,
} from '@tulle/xds-proto/envoy/type/v3/percent';
import { encodeHeaderMatch } from './matchers.ts';
import { hasOnly, isInteger, isObject, isPercent } from './shape.ts';
import { duration } from './values.ts';

/** @returns `undefined` where Envoy's type would not say exactly the same */
export function encodeFault(config: unknown): HTTPFault | undefined {
  if (!isFault(config)) return undefined;
  const { delay, abort, headers, maxActiveDelays } = config;
  return create(HTTPFaultSchema, {
    ...(delay && {
      delay: {
        faultDelaySecifier: { case: 'fixedDelay', value: duration(delay.durationMs) },
        percentage: share(delay.percent),
      },
    }),
    ...(abort && {
      abort: {
        errorType:
          abort.grpcStatus === undefined
            ? { case: 'httpStatus', value: abort.status }
            : { case: 'grpcStatus', value: abort.grpcStatus },
        percentage: share(abort.percent),
      },
    }),
    headers: Object.entries(headers ?? {})
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => encodeHeaderMatch({ name, match: { kind: 'exact', value } })),
    ...(maxActiveDelays !== undefined && { maxActiveFaults: maxActiveDelays }),
  });
}

/** Envoy's default is 0 %, ours 100 %, so it is always written. The coarsest denominator that is exact. */
export function share(percent = 100): FractionalPercent {
  if (Number.isInteger(percent))
    return create(FractionalPercentSchema, { numerator: percent, denominator: Denominator.HUNDRED });
  return create(FractionalPercentSchema, {
    numerator: Math.round(percent * 10_000),
    denominator: Denominator.MILLION,
  });
}

function isFault(config: unknown): config is FaultFilterConfig {
  if (!isObject(config) || !hasOnly(config, ['delay', 'abort', 'headers', 'maxActiveDelays'])) return false;
  const { delay, abort, headers, maxActiveDelays } = config;
  return (
    (delay === undefined ||
      (isObject(delay) &&
        hasOnly(delay, ['durationMs', 'percent']) &&
        isInteger(delay['durationMs'], 0, 3_600_000) &&
        isPercent(delay['percent']))) &&
    (abort === undefined ||
      (isObject(abort) &&
        hasOnly(abort, ['status', 'grpcStatus', 'percent']) &&
        isInteger(abort['status'], 200, 599) &&
        // Envoy has one of them, and makes the other one of it.
        (abort['grpcStatus'] === undefined ||
          (isInteger(abort['grpcStatus'], 0, 16) &&
            GRPC_HTTP_STATUSES[abort['grpcStatus']] === abort['status'])) &&
        isPercent(abort['percent']))) &&
    (headers === undefined ||
      (isObject(headers) &&
        Object.keys(headers).length > 0 &&
        Object.values(headers).every((value) => typeof value === 'string'))) &&
    (maxActiveDelays === undefined || isInteger(maxActiveDelays, 0, 2 ** 32 - 1))
  );
}
