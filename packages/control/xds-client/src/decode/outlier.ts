import type { OutlierDetection } from '@tulle/model';
import type { OutlierDetection as EnvoyOutlier } from '@tulle/xds-proto/envoy/config/cluster/v3/outlier_detection';
import type { DecodeContext } from './context.ts';
import { type Extras, readObject } from './extras.ts';
import { METADATA_PATH, milliseconds, present } from './values.ts';

export function decodeOutlier(
  context: DecodeContext,
  outlier: EnvoyOutlier | undefined,
  extras: Extras,
): OutlierDetection | undefined {
  const exact = extras.object('successRate');
  if (!outlier) return undefined;
  const path = 'outlier_detection';
  for (const [field, value] of [
    ['enforcing_consecutive_5xx', outlier.enforcingConsecutive5xx],
    ['enforcing_failure_percentage', outlier.enforcingFailurePercentage],
  ] as const) {
    if (value !== undefined && value !== 0 && value !== 100)
      context.refuse(`${path}.${field}`, `must be 0 or 100, but is ${value}`);
  }
  if ((outlier.enforcingSuccessRate ?? 0) !== 0)
    context.refuse(`${path}.enforcing_success_rate`, 'must be 0; this proxy has no rule by deviation');
  return present({
    consecutiveFailures: outlier.enforcingConsecutive5xx === 0 ? 0 : outlier.consecutive5xx,
    successRate: decodeSuccessRate(context, outlier, exact),
    intervalMs: milliseconds(outlier.interval),
    baseEjectionMs: milliseconds(outlier.baseEjectionTime),
    maxEjectionMs: milliseconds(outlier.maxEjectionTime),
    maxEjectionPercent: outlier.maxEjectionPercent,
  });
}

/** The exact figures where the control plane gave them, else Envoy's failure percentage with Envoy's defaults. */
function decodeSuccessRate(
  context: DecodeContext,
  outlier: EnvoyOutlier,
  exact: Readonly<Record<string, unknown>> | undefined,
): OutlierDetection['successRate'] | undefined {
  if (exact) {
    const read = readObject(context, exact, `${METADATA_PATH}.successRate`);
    const rate = {
      belowPercent: read.number('belowPercent') ?? 0,
      windowMs: read.number('windowMs') ?? 0,
      minimumRequests: read.number('minimumRequests') ?? 0,
    };
    read.end();
    return rate;
  }
  if ((outlier.enforcingFailurePercentage ?? 0) === 0) return undefined;
  return {
    belowPercent: 100 - (outlier.failurePercentageThreshold ?? 85),
    windowMs: milliseconds(outlier.interval) ?? 10_000,
    minimumRequests: outlier.failurePercentageRequestVolume ?? 50,
  };
}
