import { create } from '@bufbuild/protobuf';
import type { AdmissionControlFilterConfig, StatusRange } from '@tulle/model';
import {
  type AdmissionControl,
  AdmissionControlSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/admission_control/v3/admission_control';
import { hasOnly, isFilledList, isInteger, isObject } from './shape.ts';
import { duration } from './values.ts';

const FIELDS = [
  'windowMs',
  'successThresholdPercent',
  'aggression',
  'minRequestsPerSecond',
  'maxRejectionPercent',
  'success',
];

/** Envoy wants a name under which its operator may change a value. */
const runtimeKey = (what: string): string => `tulle.admission_control.${what}`;

/** @returns `undefined` where Envoy's type would not say exactly the same */
export function encodeAdmissionControl(config: unknown): AdmissionControl | undefined {
  if (!fits(config)) return undefined;
  const { windowMs, successThresholdPercent, aggression, minRequestsPerSecond, maxRejectionPercent } = config;
  const { httpStatuses, grpcStatuses } = config.success ?? {};
  return create(AdmissionControlSchema, {
    evaluationCriteria: {
      case: 'successCriteria',
      value: {
        ...(httpStatuses && {
          // Without their end there.
          httpCriteria: {
            httpSuccessStatus: httpStatuses.map(({ from, to }) => ({ start: from, end: to + 1 })),
          },
        }),
        ...(grpcStatuses && { grpcCriteria: { grpcSuccessStatus: [...grpcStatuses] } }),
      },
    },
    ...(windowMs !== undefined && { samplingWindow: duration(windowMs) }),
    ...(aggression !== undefined && {
      aggression: { defaultValue: aggression, runtimeKey: runtimeKey('aggression') },
    }),
    ...(successThresholdPercent !== undefined && {
      srThreshold: {
        defaultValue: { value: successThresholdPercent },
        runtimeKey: runtimeKey('sr_threshold'),
      },
    }),
    ...(minRequestsPerSecond !== undefined && {
      rpsThreshold: { defaultValue: minRequestsPerSecond, runtimeKey: runtimeKey('rps_threshold') },
    }),
    ...(maxRejectionPercent !== undefined && {
      maxRejectionProbability: {
        defaultValue: { value: maxRejectionPercent },
        runtimeKey: runtimeKey('max_rejection_probability'),
      },
    }),
  });
}

function fits(config: unknown): config is AdmissionControlFilterConfig {
  if (!isObject(config) || !hasOnly(config, FIELDS)) return false;
  const { windowMs, success = {} } = config;
  return (
    (windowMs === undefined || (isInteger(windowMs, 1000, 600_000) && windowMs % 1000 === 0)) &&
    isNumber(config['successThresholdPercent'], 1, 100) &&
    isNumber(config['aggression'], 1, 1000) &&
    (config['minRequestsPerSecond'] === undefined ||
      isInteger(config['minRequestsPerSecond'], 0, 2 ** 32 - 1)) &&
    isNumber(config['maxRejectionPercent'], 0, 100) &&
    isObject(success) &&
    hasOnly(success, ['httpStatuses', 'grpcStatuses']) &&
    (success['httpStatuses'] === undefined || isFilledList(success['httpStatuses'], isRange)) &&
    (success['grpcStatuses'] === undefined || isFilledList(success['grpcStatuses'], isGrpcStatus))
  );
}

function isNumber(value: unknown, least: number, most: number): boolean {
  return value === undefined || (typeof value === 'number' && value >= least && value <= most);
}

function isGrpcStatus(value: unknown): value is number {
  return isInteger(value, 0, 16);
}

function isRange(value: unknown): value is StatusRange {
  return (
    isObject(value) &&
    hasOnly(value, ['from', 'to']) &&
    isInteger(value['from'], 100, 599) &&
    isInteger(value['to'], value['from'], 599)
  );
}
