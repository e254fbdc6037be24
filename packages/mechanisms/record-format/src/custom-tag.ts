import type { CustomTag } from '@tulle/model';
import type { StreamRecord } from '@tulle/telemetry';
import { metadataText } from './metadata-text.ts';

/** A tag's name, and what it is for a record; `undefined`: nothing. */
export type TagOf = readonly [name: string, value: (record: StreamRecord) => string | undefined];

/** A tag of spans or of log entries. @param env the proxy's environment */
export function compileTag(tag: CustomTag, env: Readonly<Record<string, string | undefined>>): TagOf {
  switch (tag.kind) {
    case 'literal':
      return [tag.name, () => tag.value];
    case 'environment': {
      const value = env[tag.variable] ?? tag.byDefault;
      return [tag.name, () => value];
    }
    case 'header': {
      const header = tag.header.toLowerCase();
      return [tag.name, (record) => record.requestHeader(header) ?? tag.byDefault];
    }
    case 'metadata':
      return [tag.name, (record) => metadataText(record, tag.namespace, tag.path, tag.of) ?? tag.byDefault];
  }
}
