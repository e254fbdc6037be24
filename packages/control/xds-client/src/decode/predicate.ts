import type { StringMatch } from '@tulle/model';
import type { StringMatcher } from '@tulle/xds-proto/envoy/type/matcher/v3/string';
import type { TypedExtensionConfig } from '@tulle/xds-proto/xds/core/v3/extension';
import type { Matcher_MatcherList_Predicate as Predicate } from '@tulle/xds-proto/xds/type/matcher/v3/matcher';
import type { DecodeContext } from './context.ts';
import { decodeStringMatch } from './matchers.ts';

/** A condition of a matcher (`xds.type.matcher.v3.Matcher.MatcherList.Predicate`) over what `Leaf` asks. */
export type Condition<Leaf> =
  | Leaf
  | { readonly kind: 'all' | 'any'; readonly of: readonly Condition<Leaf>[] }
  | { readonly kind: 'not'; readonly of: Condition<Leaf> };

/** What is asked of one input. @param path of the input */
export type DecodeLeaf<Leaf> = (
  input: TypedExtensionConfig | undefined,
  match: StringMatch,
  path: string,
) => Leaf;

/** What asks an input by something other than a text (`custom_match`). @param path of the part */
export type DecodeCustom<Leaf> = (
  input: TypedExtensionConfig | undefined,
  custom: TypedExtensionConfig,
  path: string,
) => Leaf;

/**
 * A condition whose single parts ask an input for a text (`value_match`).
 * @param custom for those that ask otherwise; absent: they are refused
 */
export function decodePredicate<Leaf>(
  context: DecodeContext,
  predicate: Predicate | undefined,
  path: string,
  leaf: DecodeLeaf<Leaf>,
  custom?: DecodeCustom<Leaf>,
): Condition<Leaf> {
  const type = predicate?.matchType;
  switch (type?.case) {
    case 'singlePredicate': {
      const { input, matcher } = type.value;
      const at = `${path}.single_predicate`;
      if (matcher.case === 'customMatch' && custom) return custom(input, matcher.value, at);
      // The two types of string matchers say the same in the same words.
      const asked = matcher.case === 'valueMatch' ? (matcher.value as unknown as StringMatcher) : undefined;
      if (asked === undefined) context.refuse(at, 'must have a value_match');
      const match: StringMatch =
        asked === undefined ? { kind: 'present' } : decodeStringMatch(context, asked, `${at}.value_match`);
      return leaf(input, match, `${at}.input`);
    }
    case 'andMatcher':
    case 'orMatcher': {
      const field = type.case === 'andMatcher' ? 'and_matcher' : 'or_matcher';
      if (type.value.predicate.length < 2)
        context.refuse(`${path}.${field}.predicate`, 'must hold two or more');
      return {
        kind: type.case === 'andMatcher' ? 'all' : 'any',
        of: type.value.predicate.map((one, index) =>
          decodePredicate(context, one, `${path}.${field}.predicate[${index}]`, leaf, custom),
        ),
      };
    }
    case 'notMatcher':
      return { kind: 'not', of: decodePredicate(context, type.value, `${path}.not_matcher`, leaf, custom) };
    default:
      context.refuse(path, 'names nothing: give single_predicate, and_matcher, or_matcher or not_matcher');
      return { kind: 'all', of: [] };
  }
}
