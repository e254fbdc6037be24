import type { ListStringMatcherSchema } from '@tulle/xds-proto/envoy/type/matcher/v3/string';
import { need } from './inexpressible.ts';
import { isText } from './shape.ts';
import type { Fields } from './values.ts';

/** Names, or starts of names and a star; field names have no case. */
export function fieldNames(list: unknown): Fields<typeof ListStringMatcherSchema> {
  // To Envoy an empty list is an error, and none at all is often every name.
  need(Array.isArray(list) && list.length > 0);
  return {
    patterns: list.map((name: unknown) => {
      need(isText(name) && /^:?[!#$%&'+.^_`|~0-9A-Za-z-]*\*?$/.test(name) && name !== '');
      const matchPattern = name.endsWith('*')
        ? ({ case: 'prefix', value: name.slice(0, -1) } as const)
        : ({ case: 'exact', value: name } as const);
      need(matchPattern.value !== '');
      return { matchPattern, ignoreCase: true };
    }),
  };
}
