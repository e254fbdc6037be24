import type { CustomTag } from '@tulle/model';
import { metadataText } from '@tulle/record-format';
import type { StreamRecord } from '@tulle/telemetry';

/** A tag's name, and what it is for a record; `undefined`: nothing. */
export type TagOf = readonly [name: string, value: (record: StreamRecord) => string | undefined];

/** @param env the proxy's environment */
export function tagOf(tag: CustomTag, env: Readonly<Record<string, string | undefined>>): TagOf {
  if (tag.kind === 'literal') return [tag.name, () => tag.value];
  if (tag.kind === 'environment') {
    const value = env[tag.variable] ?? tag.byDefault;
    return [tag.name, () => value];
  }
  if (tag.kind === 'metadata')
    return [tag.name, (record) => metadataText(record, tag.namespace, tag.path, tag.of) ?? tag.byDefault];
  const header = tag.header.toLowerCase();
  return [tag.name, (record) => record.requestHeader(header) ?? tag.byDefault];
}
