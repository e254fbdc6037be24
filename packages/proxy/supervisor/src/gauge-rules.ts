/** How gauges of several processes become one. */
export type GaugeRule = 'sum' | 'max' | 'min';

/**
 * By name, the first that fits; everything else is a sum: connections, requests under way, bytes held.
 *
 * - What each process has the whole of, or sees for itself, is not added: the highest where high is what needs a look
 *   (ejected endpoints, series near their limit, times, shares), the lowest where low is (healthy endpoints, keys).
 * - `tulle_server_live`: the proxy takes calls as long as one process does.
 */
const RULES: readonly (readonly [RegExp, GaugeRule])[] = [
  [/(?:_info|_build|_generation|_live|_series|_series_limit|_msecs|_percent|_ejections_active)$/, 'max'],
  [/(?:_expiry_timestamp_seconds|_start_time_seconds|_window_seconds|_healthy|_keys|_gradient)$/, 'min'],
];

/** @param name of the family */
export function gaugeRule(name: string): GaugeRule {
  return RULES.find(([pattern]) => pattern.test(name))?.[1] ?? 'sum';
}

/** Adds one process's value to what is there. */
export function combineGauge(rule: GaugeRule, before: number | undefined, value: number): number {
  if (before === undefined) return value;
  return rule === 'sum' ? before + value : rule === 'max' ? Math.max(before, value) : Math.min(before, value);
}
