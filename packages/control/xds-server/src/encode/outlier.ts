import type { OutlierDetection } from '@tulle/model';
import type { OutlierDetectionSchema } from '@tulle/xds-proto/envoy/config/cluster/v3/outlier_detection';
import { localOnly } from './local-only.ts';
import { duration, type Fields } from './values.ts';

type OutlierFields = Fields<typeof OutlierDetectionSchema>;

export function outlierDetection(outlier: OutlierDetection): OutlierFields {
  const { consecutiveFailures, consecutiveFailuresEnforcedPercent: enforced, gatewayFailures } = outlier;
  localOnly(outlier.eventLog, 'outlier.eventLog');
  const { intervalMs, baseEjectionMs, maxEjectionMs, maxEjectionPercent, ejectionJitterMs } = outlier;
  return {
    ...(consecutiveFailures === 0
      ? { enforcingConsecutive5xx: 0 }
      : {
          ...(consecutiveFailures !== undefined && { consecutive5xx: consecutiveFailures }),
          ...(enforced !== undefined && { enforcingConsecutive5xx: enforced }),
        }),
    ...(gatewayFailures && {
      consecutiveGatewayFailure: gatewayFailures.count,
      enforcingConsecutiveGatewayFailure: gatewayFailures.enforcedPercent ?? 100,
    }),
    ...localFailures(outlier),
    ...deviation(outlier),
    ...failures(outlier),
    ...(intervalMs !== undefined && { interval: duration(intervalMs) }),
    ...(baseEjectionMs !== undefined && { baseEjectionTime: duration(baseEjectionMs) }),
    ...(maxEjectionMs !== undefined && { maxEjectionTime: duration(maxEjectionMs) }),
    ...(ejectionJitterMs !== undefined && { maxEjectionTimeJitter: duration(ejectionJitterMs) }),
    ...(maxEjectionPercent !== undefined && { maxEjectionPercent }),
    ...(outlier.healthCheckReturns !== undefined && {
      successfulActiveHealthCheckUnejectHost: outlier.healthCheckReturns,
    }),
  };
}

function localFailures({ splitLocalFailures, localFailures: rule }: OutlierDetection): OutlierFields {
  if (splitLocalFailures !== true) return {};
  return {
    splitExternalLocalOriginErrors: true,
    ...(rule && {
      consecutiveLocalOriginFailure: rule.count,
      enforcingConsecutiveLocalOriginFailure: rule.enforcedPercent ?? 100,
    }),
  };
}

/** Tulle ejects by deviation only where it is told to; Envoy does by default. */
function deviation({ deviation: rule, splitLocalFailures }: OutlierDetection): OutlierFields {
  if (rule === undefined)
    return {
      enforcingSuccessRate: 0,
      ...(splitLocalFailures === true && { enforcingLocalOriginSuccessRate: 0 }),
    };
  return {
    successRateStdevFactor: Math.round(rule.factor * 1_000),
    successRateMinimumHosts: rule.minimumEndpoints,
    successRateRequestVolume: rule.minimumRequests,
    ...(rule.enforcedPercent !== undefined && { enforcingSuccessRate: rule.enforcedPercent }),
    ...(rule.localEnforcedPercent !== undefined && {
      enforcingLocalOriginSuccessRate: rule.localEnforcedPercent,
    }),
  };
}

/** For Tulle's own rule the nearest that Envoy has; the exact figures are in the metadata. */
function failures({ failurePercentage: rule, successRate }: OutlierDetection): OutlierFields {
  if (rule !== undefined)
    return {
      failurePercentageThreshold: rule.thresholdPercent,
      failurePercentageMinimumHosts: rule.minimumEndpoints,
      failurePercentageRequestVolume: rule.minimumRequests,
      enforcingFailurePercentage: rule.enforcedPercent ?? 100,
      enforcingFailurePercentageLocalOrigin: rule.localEnforcedPercent ?? 100,
    };
  if (successRate === undefined) return {};
  return {
    failurePercentageThreshold: Math.min(100, Math.max(0, Math.round(100 - successRate.belowPercent))),
    enforcingFailurePercentage: 100,
    failurePercentageRequestVolume: successRate.minimumRequests,
  };
}
