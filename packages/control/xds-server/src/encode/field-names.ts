import type { ListStringMatcherSchema } from '@tulle/xds-proto/envoy/type/matcher/v3/string';
import { need } from './inexpressible.ts';
import { isText } from './shape.ts';
import type { Fields } from './values.ts';

/** Names, or starts, ends or parts of names with stars; field names have no case. */
export function fieldNames(list: unknown): Fields<typeof ListStringMatcherSchema> {
  // To Envoy an empty list is an error, and none at all is often every name.
  need(Array.isArray(list) && list.length > 0);
  return {
    patterns: list.map((name: unknown) => {
      need(isText(name) && /^\*?:?[!#$%&'+.^_`|~0-9A-Za-z-]*\*?$/.test(name) && name !== '');
      const matchPattern = patternOf(name);
      need(matchPattern.value !== '');
      return { matchPattern, ignoreCase: true };
    }),
  };
}

function patternOf(name: string): {
  readonly case: 'exact' | 'prefix' | 'suffix' | 'contains';
  readonly value: string;
} {
  const [open, close] = [name.startsWith('*') && name.length > 1, name.endsWith('*')];
  if (open)
    return close ? { case: 'contains', value: name.slice(1, -1) } : { case: 'suffix', value: name.slice(1) };
  return close ? { case: 'prefix', value: name.slice(0, -1) } : { case: 'exact', value: name };
}
