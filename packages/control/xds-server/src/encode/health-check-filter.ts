import { create } from '@bufbuild/protobuf';
import {
  type HealthCheck,
  HealthCheckSchema,
} from '@tulle/xds-proto/envoy/extensions/filters/http/health_check/v3/health_check';
import { need, orInexpressible } from './inexpressible.ts';
import { encodeHeaderMatch } from './matchers.ts';
import { hasOnly, isCondition, isFilledList, isInteger, isObject } from './shape.ts';
import { duration, sortedMap } from './values.ts';

/** The filter that answers health checks. @returns `undefined` where Envoy's type would not say exactly the same */
export function encodeHealthCheckFilter(config: unknown): HealthCheck | undefined {
  return orInexpressible(() => {
    need(isObject(config) && hasOnly(config, ['match', 'answerBy', 'cacheMs', 'minHealthyPercent']));
    const { match, answerBy = 'proxy', cacheMs, minHealthyPercent = {} } = config;
    need(isFilledList(match, isCondition) && isObject(minHealthyPercent));
    const passes = answerBy === 'service';
    need(passes || answerBy === 'proxy');
    need(cacheMs === undefined || (passes && isInteger(cacheMs, 0, 3_600_000)));
    const least = Object.entries(minHealthyPercent);
    need(!passes || least.length === 0);
    return create(HealthCheckSchema, {
      passThroughMode: passes,
      ...(cacheMs !== undefined && { cacheTime: duration(cacheMs) }),
      clusterMinHealthyPercentages: sortedMap(
        least.map(([cluster, value]) => {
          need(isInteger(value, 0, 100));
          return [cluster, { value }] as const;
        }),
      ) as never,
      headers: match.map(encodeHeaderMatch),
    });
  });
}
