import type { SlowStart } from '@tulle/model';

/** Envoy `SlowStartConfig.min_weight_percent`. */
const DEFAULT_MIN_WEIGHT_PERCENT = 10;

/** A share of nothing would never be picked, nor compared. */
const LEAST = 0.001;

/** How often shares follow the ramp: fifty steps a window, but neither finer than 100 ms nor coarser than a second. */
export function rampStepMs({ windowMs }: SlowStart): number {
  return Math.min(1_000, Math.max(100, windowMs / 50));
}

/**
 * Part of its weight that an endpoint has some time after it came: (time / window) to the power of 1 / aggression, but
 * not less than the least (Envoy `SlowStartConfig`); 1 past the window.
 */
export function rampFactor(
  { windowMs, aggression = 1, minWeightPercent = DEFAULT_MIN_WEIGHT_PERCENT }: SlowStart,
  sinceMs: number,
): number {
  if (sinceMs >= windowMs) return 1;
  return Math.max(minWeightPercent / 100, (Math.max(sinceMs, 0) / windowMs) ** (1 / aggression), LEAST);
}
