import type { ListStringMatcher } from '@tulle/xds-proto/envoy/type/matcher/v3/string';
import type { DecodeContext } from './context.ts';

/** Names, or starts, ends or parts of names, with stars for what they leave open. */
export function decodeNames(
  context: DecodeContext,
  list: ListStringMatcher | undefined,
  path: string,
): readonly string[] | undefined {
  return list?.patterns.map(({ matchPattern }, index) => {
    const here = `${path}.patterns[${index}]`;
    const { value } = matchPattern;
    if (typeof value === 'string' && value.includes('*'))
      context.refuse(here, `${JSON.stringify(value)} has a *, which names here may not have`);
    if ((matchPattern.case === 'suffix' || matchPattern.case === 'contains') && value === '')
      context.refuse(here, `${matchPattern.case} is empty, which every name is`);
    switch (matchPattern.case) {
      case 'exact':
        return matchPattern.value;
      case 'prefix':
        return `${matchPattern.value}*`;
      case 'suffix':
        return `*${matchPattern.value}`;
      case 'contains':
        return `*${matchPattern.value}*`;
      default:
        context.refuse(here, 'must be exact, prefix, suffix or contains');
        return '';
    }
  });
}
