import type { HashPolicy } from '@tulle/model';
import type { RouteAction_HashPolicy } from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import type { DecodeContext } from './context.ts';
import { decodeRegexRewrite } from './regex-rewrite.ts';
import { filled, milliseconds, present } from './values.ts';

export function decodeHashPolicies(
  context: DecodeContext,
  policies: readonly RouteAction_HashPolicy[],
  path: string,
): readonly HashPolicy[] | undefined {
  return filled(
    policies.flatMap(
      (policy, index) => decodeHashPolicy(context, policy, `${path}.hash_policy[${index}]`) ?? [],
    ),
  );
}

function decodeHashPolicy(
  context: DecodeContext,
  { policySpecifier: chosen, terminal }: RouteAction_HashPolicy,
  path: string,
): HashPolicy | undefined {
  const last = terminal ? { terminal } : {};
  switch (chosen.case) {
    case 'header':
      return {
        kind: 'header',
        name: chosen.value.headerName,
        ...(chosen.value.regexRewrite && { rewrite: decodeRegexRewrite(chosen.value.regexRewrite) }),
        ...last,
      };
    case 'queryParameter':
      return { kind: 'query', name: chosen.value.name, ...last };
    case 'filterState':
      if (chosen.value.key === '') context.refuse(`${path}.filter_state.key`, 'is missing');
      return { kind: 'filter-state', name: chosen.value.key, ...last };
    case 'cookie': {
      const { name, ttl, path: cookiePath, attributes } = chosen.value;
      return present({
        kind: 'cookie' as const,
        name,
        ttlMs: milliseconds(ttl),
        path: cookiePath === '' ? undefined : cookiePath,
        attributes: filled(attributes.map((attribute) => ({ name: attribute.name, value: attribute.value }))),
        ...last,
      });
    }
    case 'connectionProperties':
      if (!chosen.value.sourceIp) context.refuse(`${path}.connection_properties.source_ip`, 'must be true');
      return { kind: 'source-ip', ...last };
    default:
      context.refuse(
        path,
        'must be a header, cookie, query_parameter, filter_state or connection_properties',
      );
      return undefined;
  }
}
