import type { FilterStateTest } from '@tulle/model';
import type { FilterStateMatcher } from '@tulle/xds-proto/envoy/type/matcher/v3/filter_state';
import { decodeCidr } from './address.ts';
import type { DecodeContext } from './context.ts';
import { decodeStringMatch } from './matchers.ts';

/** A condition on what filters put down. */
export function decodeFilterStateMatch(
  context: DecodeContext,
  { key, matcher }: FilterStateMatcher,
  path: string,
): FilterStateTest {
  if (key === '') context.refuse(`${path}.key`, 'is missing');
  if (matcher.case === 'addressMatch') {
    const cidrs = matcher.value.ranges.map(decodeCidr);
    if (matcher.value.invertMatch)
      context.refuse(
        `${path}.address_match.invert_match`,
        'must be false: it is honoured of rate limits alone',
      );
    if (cidrs.length === 0) context.refuse(`${path}.address_match.ranges`, 'is empty');
    return { key, cidrs };
  }
  if (matcher.case === undefined) context.refuse(path, 'says nothing: give string_match or address_match');
  return { key, match: decodeStringMatch(context, matcher.value, `${path}.string_match`) };
}
