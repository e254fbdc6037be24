import type { AuthzFilterConfig, AuthzPolicy, AuthzRule } from '@tulle/model';
import {
  type Policy,
  type RBAC as Rules,
  RBAC_Action as Action,
} from '@tulle/xds-proto/envoy/config/rbac/v3/rbac';
import type { RBAC } from '@tulle/xds-proto/envoy/extensions/filters/http/rbac/v3/rbac';
import type { DecodeContext } from '../context.ts';
import { present } from '../values.ts';
import { decodeFrom, decodeTo } from './conditions.ts';

/** One of Envoy's filters, which has one action. Those that deny come first. */
export function decodeAuthz(context: DecodeContext, rbac: RBAC, path: string): AuthzFilterConfig {
  const inForce = rbac.rules ? decodeRules(context, rbac.rules, false, `${path}.rules`) : [];
  const names = new Set(inForce.map(({ name }) => name));
  const watched = rbac.shadowRules
    ? decodeRules(context, rbac.shadowRules, true, `${path}.shadow_rules`)
    : [];
  // Those in force are watched beside the others: they are said once.
  const shadow = watched.filter(({ name }) => !names.has(name));
  const allowsNobody = rbac.rules?.action === Action.ALLOW && Object.keys(rbac.rules.policies).length === 0;
  return present({
    policies: sorted([...inForce, ...shadow]),
    defaultAction: allowsNobody ? ('deny' as const) : undefined,
  });
}

/** What two of Envoy's filters in a row say together: who is denied, then who is allowed. */
export function joinAuthz(deny: AuthzFilterConfig, allow: AuthzFilterConfig): AuthzFilterConfig {
  const { defaultAction } = allow;
  return present({ policies: sorted([...deny.policies, ...allow.policies]), defaultAction });
}

function sorted(policies: readonly AuthzPolicy[]): AuthzPolicy[] {
  const rank = ({ action, name }: AuthzPolicy): string => `${action === 'DENY' ? 0 : 1} ${name}`;
  return policies.toSorted((a, b) => (rank(a) < rank(b) ? -1 : rank(a) > rank(b) ? 1 : 0));
}

/** `name[2]`: the third rule of a policy, `name[]`: none, if it is written so. Other control planes name policies as they like. */
const RULE_NAME = /^(.*)\[(\d*)\]$/s;

function decodeRules(context: DecodeContext, rules: Rules, shadow: boolean, path: string): AuthzPolicy[] {
  const { action } = rules;
  if (action !== Action.ALLOW && action !== Action.DENY)
    context.refuse(`${path}.action`, 'must be ALLOW or DENY');
  const certain = action !== Action.DENY;
  const found = new Map<string, { at: number; rules: readonly AuthzRule[] }[]>();
  for (const [key, policy] of Object.entries(rules.policies)) {
    const [, name = key, place] = RULE_NAME.exec(key) ?? [];
    const here = `${path}.policies[${JSON.stringify(key)}]`;
    const list = place === '' && isNobody(policy) ? [] : decodePolicy(context, policy, certain, here);
    found.set(name, [...(found.get(name) ?? []), { at: Number(place ?? 0), rules: list }]);
  }
  return [...found].map(([name, parts]) =>
    present({
      name,
      action: certain ? ('ALLOW' as const) : ('DENY' as const),
      shadow: shadow ? true : undefined,
      rules: parts.toSorted((a, b) => a.at - b.at).flatMap((part) => part.rules),
    }),
  );
}

/** Matches nothing, which is how a policy without rules is written. */
function isNobody({ permissions }: Policy): boolean {
  return permissions.every(
    ({ rule }) => rule.case === 'notRule' && rule.value.rule.case === 'any' && rule.value.rule.value,
  );
}

/** Alternatives of one policy: each principal with each permission. */
function decodePolicy(context: DecodeContext, policy: Policy, certain: boolean, path: string): AuthzRule[] {
  const { permissions, principals } = policy;
  if (permissions.length * principals.length > 1000) {
    context.refuse(path, 'has more than 1000 pairs of permissions and principals');
    return [];
  }
  const from = principals.map((one, index) =>
    decodeFrom(context, one, certain, `${path}.principals[${index}]`),
  );
  const to = permissions.map((one, index) =>
    decodeTo(context, one, certain, `${path}.permissions[${index}]`),
  );
  return to.flatMap((target) => from.map((source) => present({ from: source, to: target })));
}
