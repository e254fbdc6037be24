import type { Metadata } from '@tulle/xds-proto/envoy/config/core/v3/base';
import { LB_METADATA } from '../wire.ts';
import type { DecodeContext } from './context.ts';
import { namespaceOf } from './values.ts';

/**
 * Labels from metadata. Numbers and truth values become text, as YAML makes them of what was meant as text; the same on both
 * sides of a comparison.
 * @returns `undefined` where there are none
 */
export function decodeLabels(
  context: DecodeContext,
  values: Readonly<Record<string, unknown>> | undefined,
  path: string,
): Readonly<Record<string, string>> | undefined {
  const labels: Record<string, string> = {};
  for (const [key, value] of Object.entries(values ?? {})) {
    if (typeof value === 'string') labels[key] = value;
    else if (typeof value === 'number' || typeof value === 'boolean') labels[key] = String(value);
    else context.refuse(`${path}.${key}`, 'must be a string, a number, true or false');
  }
  return Object.keys(labels).length === 0 ? undefined : labels;
}

/** @returns what reads the labels that endpoints of a cluster must have: its own, and those `metadataMatch` has for all */
export function subsetsOf(
  context: DecodeContext,
  metadataMatch: Metadata | undefined,
): (own: Metadata | undefined, path: string) => Readonly<Record<string, string>> | undefined {
  const common = namespaceOf(metadataMatch, LB_METADATA);
  return (own, path) =>
    decodeLabels(
      context,
      { ...common, ...namespaceOf(own, LB_METADATA) },
      `${path}.metadata_match["${LB_METADATA}"]`,
    );
}
