import { create } from '@bufbuild/protobuf';
import type { RegexRewrite } from '@tulle/model';
import {
  type RegexMatchAndSubstitute,
  RegexMatchAndSubstituteSchema,
} from '@tulle/xds-proto/envoy/type/matcher/v3/regex';

/** A regex, and what stands in the place of what it finds. */
export function encodeRegexRewrite({ pattern, substitution }: RegexRewrite): RegexMatchAndSubstitute {
  return create(RegexMatchAndSubstituteSchema, { pattern: { regex: pattern }, substitution });
}
