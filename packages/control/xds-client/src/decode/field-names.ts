import type { ListStringMatcher } from '@tulle/xds-proto/envoy/type/matcher/v3/string';
import type { DecodeContext } from './context.ts';

/** Names, or starts of names and a star. */
export function decodeNames(
  context: DecodeContext,
  list: ListStringMatcher | undefined,
  path: string,
): readonly string[] | undefined {
  return list?.patterns.map(({ matchPattern }, index) => {
    if (matchPattern.case === 'exact') return matchPattern.value;
    if (matchPattern.case === 'prefix') return `${matchPattern.value}*`;
    context.refuse(`${path}.patterns[${index}]`, 'must be exact or prefix');
    return '';
  });
}
