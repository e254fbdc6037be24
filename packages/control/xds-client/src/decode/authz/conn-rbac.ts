import type { AuthzExpression, ConnAuthzFilterConfig, ConnAuthzPolicy } from '@tulle/model';
import { type RBAC as Rules, RBAC_Action as Action } from '@tulle/xds-proto/envoy/config/rbac/v3/rbac';
import type { RBAC } from '@tulle/xds-proto/envoy/extensions/filters/network/rbac/v3/rbac';
import type { DecodeContext } from '../context.ts';
import { present } from '../values.ts';
import { decodePolicyExpression } from './expression.ts';
import { decodeMatchers } from './matcher.ts';

const ACTIONS: ReadonlyMap<Action, ConnAuthzPolicy['action']> = new Map([
  [Action.ALLOW, 'ALLOW'],
  [Action.DENY, 'DENY'],
  [Action.LOG, 'LOG'],
]);

/** Envoy's network RBAC. */
export function decodeConnAuthz(context: DecodeContext, rbac: RBAC, path: string): ConnAuthzFilterConfig {
  const inForce = rbac.rules ? policiesOf(context, rbac.rules, false, `${path}.rules`) : [];
  const watched = rbac.shadowRules ? policiesOf(context, rbac.shadowRules, true, `${path}.shadow_rules`) : [];
  const allowsNobody = rbac.rules?.action === Action.ALLOW && inForce.length === 0;
  return present({
    ...decodeMatchers(context, rbac, false, path),
    policies: [...inForce, ...watched],
    defaultAction: allowsNobody ? ('deny' as const) : undefined,
  });
}

function policiesOf(
  context: DecodeContext,
  { action, policies }: Rules,
  shadow: boolean,
  path: string,
): ConnAuthzPolicy[] {
  return Object.entries(policies)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, policy]) => {
      const here = `${path}.policies[${JSON.stringify(name)}]`;
      const expression = decodePolicyExpression(context, policy, here, 'anybody');
      if (asksForRequest(expression))
        context.refuse(here, 'asks for a path or header, which a connection has none of');
      return present({
        name,
        action: ACTIONS.get(action) ?? ('DENY' as const),
        shadow: shadow ? true : undefined,
        expression,
      });
    });
}

/**
 * Whether a policy asks for the name that TLS asks for.
 * @param config of the filter; where it travelled as it stands, nobody has looked at it yet
 */
export function asksForServerName(config: unknown): boolean {
  return ['policies', 'firstMatch', 'shadowFirstMatch'].some((key) => {
    const judges = partOf(config, key);
    return Array.isArray(judges) && judges.some((one) => namesServer(partOf(one, 'expression')));
  });
}

function namesServer(expression: unknown): boolean {
  const parts = [partOf(expression, 'allOf'), partOf(expression, 'anyOf'), [partOf(expression, 'not')]];
  return (
    partOf(expression, 'serverName') !== undefined ||
    partOf(expression, 'input') === 'server-name' ||
    parts.some((part) => Array.isArray(part) && part.some((one) => one !== undefined && namesServer(one)))
  );
}

function partOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}

function asksForRequest(expression: AuthzExpression): boolean {
  if ('allOf' in expression) return expression.allOf.some(asksForRequest);
  if ('anyOf' in expression) return expression.anyOf.some(asksForRequest);
  if ('not' in expression) return asksForRequest(expression.not);
  return 'path' in expression || 'header' in expression;
}
