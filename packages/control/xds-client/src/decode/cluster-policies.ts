import type { ChoiceCondition, Cluster as ModelCluster, ClusterRetry } from '@tulle/model';
import type { MatchPredicate } from '@tulle/xds-proto/envoy/config/common/matcher/v3/matcher';
import type { HttpProtocolOptions } from '@tulle/xds-proto/envoy/extensions/upstreams/http/v3/http_protocol_options';
import type { DecodeContext } from './context.ts';
import { decodeHeaderCondition } from './matchers.ts';
import { decodeAttempts, decodeRetry } from './retry.ts';
import { decodeMirrors } from './route-action.ts';
import { present } from './values.ts';

type Policies = { readonly [K in 'retry' | 'mirrors' | 'failedAnswers']?: ModelCluster[K] | undefined };

/** What a cluster says in the place of routes. @param path of its options */
export function decodePolicies(context: DecodeContext, options: HttpProtocolOptions, path: string): Policies {
  const { outlierDetection, requestMirrorPolicies } = options;
  return {
    retry: decodeClusterRetry(context, options, `${path}.retry_policy`),
    mirrors: decodeMirrors(context, requestMirrorPolicies, path),
    failedAnswers:
      outlierDetection &&
      decodeFailures(context, outlierDetection, `${path}.outlier_detection.error_matcher`),
  };
}

/** It stands in the place of the route's also where it retries nothing. Envoy goes by the route's time limits of attempts even so. */
function decodeClusterRetry(
  context: DecodeContext,
  { retryPolicy }: HttpProtocolOptions,
  path: string,
): ClusterRetry | undefined {
  if (retryPolicy === undefined) return undefined;
  const { avoidOnRetry, newPriorityEvery } = decodeAttempts(context, retryPolicy, path);
  return present({
    policy: decodeRetry(context, retryPolicy, {}, path) ?? { retries: 0 },
    avoidOnRetry,
    newPriorityEvery,
  });
}

function decodeFailures(
  context: DecodeContext,
  { errorMatcher }: NonNullable<HttpProtocolOptions['outlierDetection']>,
  path: string,
): ChoiceCondition {
  if (errorMatcher !== undefined) return decodeAnswer(context, errorMatcher, path);
  context.refuse(path, 'is missing');
  return NEVER;
}

const NEVER: ChoiceCondition = { kind: 'any', of: [] };

/** Envoy asks when an answer's head is there, and of that alone. */
function decodeAnswer(context: DecodeContext, { rule }: MatchPredicate, path: string): ChoiceCondition {
  switch (rule.case) {
    case 'orMatch':
    case 'andMatch': {
      const at = `${path}.${rule.case === 'orMatch' ? 'or_match' : 'and_match'}.rules`;
      const { rules } = rule.value;
      if (rules.length < 2) context.refuse(at, 'must hold two or more');
      return {
        kind: rule.case === 'orMatch' ? 'any' : 'all',
        of: rules.map((one, index) => decodeAnswer(context, one, `${at}[${index}]`)),
      };
    }
    case 'notMatch':
      return { kind: 'not', of: decodeAnswer(context, rule.value, `${path}.not_match`) };
    case 'anyMatch':
      if (!rule.value) context.refuse(`${path}.any_match`, 'must be true');
      return { kind: 'all', of: [] };
    case 'httpResponseHeadersMatch':
      return {
        kind: 'all',
        of: rule.value.headers.map((matcher, index): ChoiceCondition => {
          const at = `${path}.http_response_headers_match.headers[${index}]`;
          const header = decodeHeaderCondition(context, matcher, false, at);
          if (header.name.startsWith(':') && header.name !== ':status')
            context.refuse(`${at}.name`, 'must be a field or :status: answers have nothing else');
          return { kind: 'header', header };
        }),
      };
    case undefined:
      context.refuse(
        path,
        'names nothing: give http_response_headers_match, or_match, and_match or not_match',
      );
      return NEVER;
    default: // other rules are reported by the field walk
      return NEVER;
  }
}
