import type { HealthCheckFilterConfig } from '@tulle/model';
import type { HealthCheck } from '@tulle/xds-proto/envoy/extensions/filters/http/health_check/v3/health_check';
import type { DecodeContext } from './context.ts';
import { decodeHeaderMatch } from './matchers.ts';
import { milliseconds, present } from './values.ts';

/** The filter that answers health checks. */
export function decodeHealthCheckFilter(
  context: DecodeContext,
  message: HealthCheck,
  path: string,
): HealthCheckFilterConfig {
  if (message.passThroughMode === undefined) context.refuse(`${path}.pass_through_mode`, 'is missing');
  if (message.headers.length === 0)
    context.refuse(`${path}.headers`, 'is empty, so every request would be a health check');
  const passes = message.passThroughMode === true;
  const least = Object.entries(message.clusterMinHealthyPercentages).map(
    // As an integer, cut.
    ([cluster, share]) => [cluster, Math.trunc(share.value)] as const,
  );
  if (passes && least.length > 0)
    context.refuse(`${path}.cluster_min_healthy_percentages`, 'means nothing with pass_through_mode');
  if (!passes && message.cacheTime)
    context.refuse(`${path}.cache_time`, 'means nothing without pass_through_mode');
  return present({
    match: message.headers.map((one, index) => decodeHeaderMatch(context, one, `${path}.headers[${index}]`)),
    answerBy: passes ? ('service' as const) : undefined,
    cacheMs: passes ? milliseconds(message.cacheTime) : undefined,
    minHealthyPercent: least.length === 0 ? undefined : Object.fromEntries(least),
  });
}
