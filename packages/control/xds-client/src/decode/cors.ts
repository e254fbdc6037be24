import type { CorsFilterConfig } from '@tulle/model';
import type { CorsPolicy } from '@tulle/xds-proto/envoy/extensions/filters/http/cors/v3/cors';
import type { DecodeContext } from './context.ts';
import { decodeStringMatch } from './matchers.ts';
import { present } from './values.ts';

export function decodeCors(context: DecodeContext, policy: CorsPolicy, path: string): CorsFilterConfig {
  if (policy.allowOriginStringMatch.length === 0)
    context.refuse(`${path}.allow_origin_string_match`, 'is empty');
  if (policy.forwardNotMatchingPreflights === true)
    context.refuse(
      `${path}.forward_not_matching_preflights`,
      'must be false; this proxy answers every preflight itself',
    );
  return present({
    allowOrigins: policy.allowOriginStringMatch.map((matcher, index) => {
      const here = `${path}.allow_origin_string_match[${index}]`;
      const match = decodeStringMatch(context, matcher, here);
      const origin = match.kind === 'present' ? undefined : originOf(match);
      if (origin === undefined)
        context.refuse(here, 'must be one exact origin, or a pattern for every host below one');
      return origin ?? '';
    }),
    allowMethods: listOf(policy.allowMethods),
    allowHeaders: listOf(policy.allowHeaders),
    exposeHeaders: listOf(policy.exposeHeaders),
    allowCredentials: policy.allowCredentials,
    maxAgeSeconds: decodeMaxAge(context, policy.maxAge, `${path}.max_age`),
  });
}

const WILDCARD = /^\\Q(https?:\/\/)\\E\[a-z0-9\._-\]\+\\Q([A-Za-z0-9._:-]*)\\E$/;

/** As Tulle's control plane writes them; origins have no case, whether a matcher says so or not. */
function originOf(match: { readonly kind: string; readonly value: string }): string | undefined {
  if (match.kind === 'exact') return match.value;
  const [, scheme, rest] = match.kind === 'regex' ? (WILDCARD.exec(match.value) ?? []) : [];
  return scheme === undefined ? undefined : `${scheme}*${rest ?? ''}`;
}

function listOf(text: string): readonly string[] | undefined {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  return names.length === 0 ? undefined : names;
}

function decodeMaxAge(context: DecodeContext, text: string, path: string): number | undefined {
  if (text === '') return undefined;
  if (/^\d{1,5}$/.test(text) && Number(text) <= 86_400) return Number(text);
  context.refuse(path, `must be seconds, at most 86400, but is "${text}"`);
  return undefined;
}
