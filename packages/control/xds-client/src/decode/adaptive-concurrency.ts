import type { AdaptiveConcurrencyFilterConfig } from '@tulle/model';
import type { AdaptiveConcurrency } from '@tulle/xds-proto/envoy/extensions/filters/http/adaptive_concurrency/v3/adaptive_concurrency';
import type { DecodeContext } from './context.ts';
import { milliseconds, present } from './values.ts';

export function decodeAdaptiveConcurrency(
  context: DecodeContext,
  message: AdaptiveConcurrency,
  path: string,
): AdaptiveConcurrencyFilterConfig {
  const { concurrencyControllerConfig: controller, enabled } = message;
  if (enabled?.defaultValue === false)
    context.refuse(`${path}.enabled`, 'must be true; leave the filter out where it is to do nothing');
  if (controller.case !== 'gradientControllerConfig') {
    context.refuse(path, 'names no controller: give gradient_controller_config');
    return {};
  }
  const here = `${path}.gradient_controller_config`;
  const {
    sampleAggregatePercentile,
    concurrencyLimitParams: limit,
    minRttCalcParams: minRtt,
  } = controller.value;
  const updateIntervalMs = milliseconds(limit?.concurrencyUpdateInterval);
  const intervalMs = milliseconds(minRtt?.interval);
  if (updateIntervalMs === undefined || updateIntervalMs < 1 || updateIntervalMs > 3_600_000)
    context.refuse(
      `${here}.concurrency_limit_params.concurrency_update_interval`,
      'must be 0.001 s to 3600 s',
    );
  if (intervalMs === undefined || intervalMs < 1 || intervalMs > 86_400_000)
    context.refuse(`${here}.min_rtt_calc_params.interval`, 'must be 0.001 s to 86400 s');
  // Envoy answers 503 where a lower status is given.
  const status = message.concurrencyLimitExceededStatus?.code ?? 0;
  const percent = (value: number | undefined, field: string): number | undefined => {
    if (value !== undefined && !(value >= 0 && value <= 100))
      context.refuse(`${here}.${field}`, `must be 0 to 100, but is ${value}`);
    return value;
  };
  const count = (value: number | undefined, field: string): number | undefined => {
    if (value !== undefined && (value < 1 || value > 1_000_000))
      context.refuse(`${here}.${field}`, `must be 1 to 1000000, but is ${value}`);
    return value;
  };
  const ofMinRtt = present({
    intervalMs: intervalMs === 60_000 ? undefined : intervalMs,
    jitterPercent: percent(minRtt?.jitter?.value, 'min_rtt_calc_params.jitter'),
    requests: count(minRtt?.requestCount, 'min_rtt_calc_params.request_count'),
    minConcurrency: count(minRtt?.minConcurrency, 'min_rtt_calc_params.min_concurrency'),
    bufferPercent: percent(minRtt?.buffer?.value, 'min_rtt_calc_params.buffer'),
  });
  return present({
    samplePercentile: percent(sampleAggregatePercentile?.value, 'sample_aggregate_percentile'),
    maxConcurrency: count(limit?.maxConcurrencyLimit, 'concurrency_limit_params.max_concurrency_limit'),
    updateIntervalMs: updateIntervalMs === 100 ? undefined : updateIntervalMs,
    minRtt: Object.keys(ofMinRtt).length === 0 ? undefined : ofMinRtt,
    status: status < 400 ? undefined : (status as number),
  });
}
