import type { AdmissionControlFilterConfig, StatusRange } from '@tulle/model';
import type { AdmissionControl } from '@tulle/xds-proto/envoy/extensions/filters/http/admission_control/v3/admission_control';
import type { Int32Range } from '@tulle/xds-proto/envoy/type/v3/range';
import type { DecodeContext } from './context.ts';
import { filled, milliseconds, present } from './values.ts';

/** Runtime keys name switches that only an operator of Envoy can turn. */
export function decodeAdmissionControl(
  context: DecodeContext,
  message: AdmissionControl,
  path: string,
): AdmissionControlFilterConfig {
  const { evaluationCriteria: criteria, enabled, aggression } = message;
  if (enabled?.defaultValue === false)
    context.refuse(`${path}.enabled`, 'must be true; leave the filter out where it is to do nothing');
  if (criteria.case !== 'successCriteria') context.refuse(path, 'names no criteria: give success_criteria');
  const { httpCriteria, grpcCriteria } = criteria.value ?? {};
  const windowMs = milliseconds(message.samplingWindow);
  // Envoy rounds it to the nearest second.
  const wholeMs = windowMs === undefined ? undefined : Math.round(windowMs / 1000) * 1000;
  if (wholeMs !== undefined && (wholeMs < 1000 || wholeMs > 600_000))
    context.refuse(`${path}.sampling_window`, 'must be 1 s to 600 s');
  const threshold = message.srThreshold && (message.srThreshold.defaultValue?.value ?? 0);
  if (threshold !== undefined && !(threshold >= 1 && threshold <= 100))
    context.refuse(`${path}.sr_threshold`, `must be 1 to 100, but is ${threshold}`);
  const maxRejection =
    message.maxRejectionProbability && (message.maxRejectionProbability.defaultValue?.value ?? 0);
  if (maxRejection !== undefined && !(maxRejection >= 0 && maxRejection <= 100))
    context.refuse(`${path}.max_rejection_probability`, `must be 0 to 100, but is ${maxRejection}`);
  if (aggression !== undefined && !(aggression.defaultValue <= 1000))
    context.refuse(`${path}.aggression`, `must be at most 1000, but is ${aggression.defaultValue}`);
  const success = present({
    httpStatuses: filled(
      (httpCriteria?.httpSuccessStatus ?? []).map((range, index) =>
        decodeRange(context, range, `${path}.success_criteria.http_criteria.http_success_status[${index}]`),
      ),
    ),
    grpcStatuses: filled(grpcCriteria?.grpcSuccessStatus ?? []),
  });
  for (const status of success.grpcStatuses ?? [])
    if (status > 16) context.refuse(`${path}.success_criteria.grpc_criteria`, `${status} is no gRPC status`);
  return present({
    windowMs: wholeMs,
    successThresholdPercent: threshold,
    // Envoy takes 1 where less is given.
    aggression: aggression === undefined ? undefined : Math.max(aggression.defaultValue, 1),
    minRequestsPerSecond: message.rpsThreshold?.defaultValue,
    maxRejectionPercent: maxRejection,
    success: Object.keys(success).length === 0 ? undefined : success,
  });
}

/** Without its end there. */
function decodeRange(context: DecodeContext, { start, end }: Int32Range, path: string): StatusRange {
  if (start < 100 || end > 600 || start >= end)
    context.refuse(path, `must be within 100 to 600, but is ${start} to ${end}`);
  return { from: start, to: end - 1 };
}
