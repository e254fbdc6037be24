import type { HashPolicy } from '@tulle/model';
import type { RouteAction_HashPolicySchema as HashPolicySchema } from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import { encodeRegexRewrite } from './regex-rewrite.ts';
import { duration, type Fields } from './values.ts';

/** Of a route or of a cluster. */
export function encodeHashPolicy(policy: HashPolicy): Fields<typeof HashPolicySchema> {
  const terminal = policy.terminal ?? false;
  switch (policy.kind) {
    case 'header':
      return {
        policySpecifier: {
          case: 'header',
          value: {
            headerName: policy.name,
            ...(policy.rewrite && { regexRewrite: encodeRegexRewrite(policy.rewrite) }),
          },
        },
        terminal,
      };
    case 'query':
      return { policySpecifier: { case: 'queryParameter', value: { name: policy.name } }, terminal };
    case 'filter-state':
      return { policySpecifier: { case: 'filterState', value: { key: policy.name } }, terminal };
    case 'source-ip':
      return { policySpecifier: { case: 'connectionProperties', value: { sourceIp: true } }, terminal };
    case 'cookie': {
      const { name, ttlMs, path = '', attributes = [] } = policy;
      const value = { name, path, attributes: attributes.map((attribute) => ({ ...attribute })) };
      return {
        policySpecifier: {
          case: 'cookie',
          value: ttlMs === undefined ? value : { ...value, ttl: duration(ttlMs) },
        },
        terminal,
      };
    }
  }
}
