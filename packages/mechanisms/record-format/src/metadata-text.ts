import type { StreamRecord } from '@tulle/telemetry';

/** What a filter found out, by the way to it: `undefined` where nobody did. */
export function metadataAt(
  values: Readonly<Record<string, unknown>> | undefined,
  path: readonly string[],
): unknown {
  let value: unknown = values;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[key];
  }
  return value ?? undefined;
}

/** The same of the request or of its route as text: a string as it is, anything else as JSON. */
export function metadataText(
  record: StreamRecord,
  namespace: string,
  path: readonly string[],
  of: 'request' | 'route' = 'request',
): string | undefined {
  const values = of === 'route' ? record.routeMetadata(namespace) : record.metadata(namespace);
  const value = metadataAt(values, path);
  return value === undefined || typeof value === 'string' ? value : JSON.stringify(value);
}
