import type { ConsecutiveRule, OutlierDetection } from '@tulle/model';
import type { OutlierDetection as EnvoyOutlier } from '@tulle/xds-proto/envoy/config/cluster/v3/outlier_detection';
import type { DecodeContext } from './context.ts';
import { type Extras, readObject } from './extras.ts';
import { METADATA_PATH, milliseconds, present } from './values.ts';

/** With Envoy's defaults where they are others than Tulle's. */
export function decodeOutlier(
  context: DecodeContext,
  outlier: EnvoyOutlier | undefined,
  extras: Extras,
): OutlierDetection | undefined {
  const exact = extras.object('successRate');
  const both = extras.flag('failurePercentage') === true;
  if (!outlier) return undefined;
  const enforced = outlier.enforcingConsecutive5xx;
  const log = context.ejectionLog;
  // What is found and not enforced is to be seen in a log alone.
  const off = (percent: number): boolean => percent === 0 && log === undefined;
  return present({
    consecutiveFailures: enforced !== undefined && off(enforced) ? 0 : outlier.consecutive5xx,
    consecutiveFailuresEnforcedPercent:
      enforced === undefined || off(enforced) || enforced === 100 ? undefined : enforced,
    gatewayFailures: consecutive(
      outlier.consecutiveGatewayFailure,
      outlier.enforcingConsecutiveGatewayFailure ?? 0,
      off,
    ),
    splitLocalFailures: outlier.splitExternalLocalOriginErrors || undefined,
    localFailures: decodeLocal(outlier),
    successRate: exact && decodeSuccessRate(context, exact),
    deviation: decodeDeviation(outlier, off),
    failurePercentage: exact && !both ? undefined : decodeFailurePercentage(outlier, off),
    intervalMs: milliseconds(outlier.interval),
    baseEjectionMs: milliseconds(outlier.baseEjectionTime),
    maxEjectionMs: milliseconds(outlier.maxEjectionTime),
    ejectionJitterMs: milliseconds(outlier.maxEjectionTimeJitter),
    maxEjectionPercent: outlier.maxEjectionPercent,
    healthCheckReturns: outlier.successfulActiveHealthCheckUnejectHost,
    eventLog: log,
  });
}

/** Whether a rule that is enforced by so many percent is of no use. */
type Off = (percent: number) => boolean;

function consecutive(count: number | undefined, enforced: number, off: Off): ConsecutiveRule | undefined {
  if (off(enforced) || count === 0) return undefined;
  return { count: count ?? 5, ...(enforced !== 100 && { enforcedPercent: enforced }) };
}

/** Where local failures count apart. */
function decodeLocal(outlier: EnvoyOutlier): ConsecutiveRule | undefined {
  const { consecutiveLocalOriginFailure: count, enforcingConsecutiveLocalOriginFailure: enforced } = outlier;
  if (!outlier.splitExternalLocalOriginErrors || (count ?? enforced) === undefined) return undefined;
  return {
    count: count ?? 5,
    ...(enforced !== undefined && enforced !== 100 && { enforcedPercent: enforced }),
  };
}

function decodeDeviation(outlier: EnvoyOutlier, off: Off): OutlierDetection['deviation'] {
  const enforced = outlier.enforcingSuccessRate ?? 100;
  const local = outlier.enforcingLocalOriginSuccessRate ?? 100;
  if (off(enforced) && (off(local) || !outlier.splitExternalLocalOriginErrors)) return undefined;
  return present({
    factor: (outlier.successRateStdevFactor ?? 1_900) / 1_000,
    minimumEndpoints: outlier.successRateMinimumHosts ?? 5,
    minimumRequests: outlier.successRateRequestVolume ?? 100,
    enforcedPercent: enforced === 100 ? undefined : enforced,
    localEnforcedPercent: local === 100 ? undefined : local,
  });
}

function decodeFailurePercentage(outlier: EnvoyOutlier, off: Off): OutlierDetection['failurePercentage'] {
  const enforced = outlier.enforcingFailurePercentage ?? 0;
  const local = outlier.enforcingFailurePercentageLocalOrigin ?? 0;
  if (off(enforced) && (off(local) || !outlier.splitExternalLocalOriginErrors)) return undefined;
  return present({
    thresholdPercent: outlier.failurePercentageThreshold ?? 85,
    minimumEndpoints: outlier.failurePercentageMinimumHosts ?? 5,
    minimumRequests: outlier.failurePercentageRequestVolume ?? 50,
    enforcedPercent: enforced === 100 ? undefined : enforced,
    localEnforcedPercent: local === 100 ? undefined : local,
  });
}

/** Tulle's own rule. */
function decodeSuccessRate(
  context: DecodeContext,
  exact: Readonly<Record<string, unknown>>,
): OutlierDetection['successRate'] & {} {
  const read = readObject(context, exact, `${METADATA_PATH}.successRate`);
  const rate = {
    belowPercent: read.number('belowPercent') ?? 0,
    windowMs: read.number('windowMs') ?? 0,
    minimumRequests: read.number('minimumRequests') ?? 0,
  };
  read.end();
  return rate;
}
