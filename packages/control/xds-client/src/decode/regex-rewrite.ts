import type { RegexRewrite } from '@tulle/model';
import type { RegexMatchAndSubstitute } from '@tulle/xds-proto/envoy/type/matcher/v3/regex';

export function decodeRegexRewrite({ pattern, substitution }: RegexMatchAndSubstitute): RegexRewrite {
  return { kind: 'regex', pattern: pattern?.regex ?? '', substitution };
}
