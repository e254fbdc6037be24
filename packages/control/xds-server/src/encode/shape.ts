import type { ValueMatch } from '@tulle/model';

/**
 * Guards that decide whether a filter config, `unknown` by type, has exactly the shape that an Envoy message can carry.
 * What fails them travels as a TypedStruct instead, and the filter's own schema judges it at the proxy.
 */

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function hasOnly(value: Readonly<Record<string, unknown>>, keys: readonly string[]): boolean {
  return Object.keys(value).every((key) => keys.includes(key));
}

export function isInteger(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}

/** Absent, or 0–100 with at most four decimals (Envoy's finest denominator is a million). */
export function isPercent(value: unknown): boolean {
  if (value === undefined) return true;
  if (typeof value !== 'number' || !(value >= 0 && value <= 100)) return false;
  return Math.round(value * 10_000) / 10_000 === value;
}

/** A list with at least one item, each of which passes. */
export function isFilledList<T>(value: unknown, item: (one: unknown) => one is T): value is readonly T[] {
  return Array.isArray(value) && value.length > 0 && value.every(item);
}

/** A condition on a field that Envoy can say. */
export function isCondition(value: unknown): value is ValueMatch {
  if (!isObject(value) || !hasOnly(value, ['name', 'match', 'invert'])) return false;
  const { name, match, invert } = value;
  if (!isText(name) || name === '' || name.startsWith(':') || !isObject(match)) return false;
  const { kind, value: text, ignoreCase } = match;
  return (
    isFlag(invert) &&
    (kind === 'present'
      ? hasOnly(match, ['kind'])
      : hasOnly(match, ['kind', 'value', 'ignoreCase']) &&
        ['exact', 'prefix', 'suffix', 'contains', 'regex'].includes(String(kind)) &&
        isText(text) &&
        isFlag(ignoreCase))
  );
}

/** Absent, or a truth. */
export function isFlag(value: unknown): value is boolean | undefined {
  return value === undefined || typeof value === 'boolean';
}

export function isText(value: unknown): value is string {
  return typeof value === 'string';
}
