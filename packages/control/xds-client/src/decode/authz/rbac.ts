import type { AuthzFilterConfig, AuthzPolicy, AuthzRule } from '@tulle/model';
import {
  type Policy,
  type RBAC as Rules,
  RBAC_Action as Action,
} from '@tulle/xds-proto/envoy/config/rbac/v3/rbac';
import type { RBAC } from '@tulle/xds-proto/envoy/extensions/filters/http/rbac/v3/rbac';
import type { DecodeContext } from '../context.ts';
import { decodeCondition } from './condition.ts';
import { decodePolicyExpression } from './expression.ts';
import { present } from '../values.ts';
import { decodeFrom, decodeTo } from './conditions.ts';
import { decodeMatchers } from './matcher.ts';

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
  const isWatched = rbac.shadowRules !== undefined || rbac.shadowMatcher !== undefined;
  return present({
    ...decodeMatchers(context, rbac, true, path),
    policies: sorted([...inForce, ...shadow]),
    defaultAction: allowsNobody ? ('deny' as const) : undefined,
    shadowMetadata: isWatched ? rbac.shadowRulesStatPrefix || undefined : undefined,
  });
}

/** What two of Envoy's filters in a row say together: who is denied, then who is allowed. */
export function joinAuthz(deny: AuthzFilterConfig, allow: AuthzFilterConfig): AuthzFilterConfig {
  const { defaultAction } = allow;
  const shadowMetadata = deny.shadowMetadata ?? allow.shadowMetadata;
  return present({
    firstMatch: allow.firstMatch,
    shadowFirstMatch: allow.shadowFirstMatch,
    policies: sorted([...deny.policies, ...allow.policies]),
    defaultAction,
    shadowMetadata,
  });
}

function sorted(policies: readonly AuthzPolicy[]): AuthzPolicy[] {
  const rank = ({ action, name }: AuthzPolicy): string => `${ORDER.indexOf(action)} ${name}`;
  return policies.toSorted((a, b) => (rank(a) < rank(b) ? -1 : rank(a) > rank(b) ? 1 : 0));
}

const ORDER = ['DENY', 'ALLOW', 'LOG'] as const;
const ACTIONS: ReadonlyMap<Action, AuthzPolicy['action']> = new Map([
  [Action.ALLOW, 'ALLOW'],
  [Action.DENY, 'DENY'],
  [Action.LOG, 'LOG'],
]);

/** `name[2]`: the third rule of a policy, `name[]`: none, if it is written so. Other control planes name policies as they like. */
const RULE_NAME = /^(.*)\[(\d*)\]$/s;

function decodeRules(context: DecodeContext, rules: Rules, shadow: boolean, path: string): AuthzPolicy[] {
  const action = ACTIONS.get(rules.action);
  if (action === undefined) context.refuse(`${path}.action`, 'must be ALLOW, DENY or LOG');
  const certain = action !== 'DENY';
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
      action: action ?? ('ALLOW' as const),
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

/** In Tulle's words where they say it, which looks closer; otherwise as it stands. */
function decodePolicy(context: DecodeContext, policy: Policy, certain: boolean, path: string): AuthzRule[] {
  return (
    inOwnWords(context, policy, certain, path) ?? [
      { expression: decodePolicyExpression(context, policy, path) },
    ]
  );
}

/** Alternatives of one policy: each principal with each permission. @returns `undefined` where words are lacking */
function inOwnWords(
  real: DecodeContext,
  policy: Policy,
  certain: boolean,
  path: string,
): AuthzRule[] | undefined {
  const { permissions, principals } = policy;
  if (permissions.length === 0 || principals.length === 0) return undefined;
  if (permissions.length * principals.length > 1000) return undefined;
  let lacking = false;
  const context: DecodeContext = {
    ...real,
    refuse() {
      lacking = true;
    },
  };
  const from = principals.map((one, index) =>
    decodeFrom(context, one, certain, `${path}.principals[${index}]`),
  );
  const to = permissions.map((one, index) =>
    decodeTo(context, one, certain, `${path}.permissions[${index}]`),
  );
  const expression = decodeCondition(context, policy, path);
  if (lacking || !from.every(hasIds) || !to.every(hasPaths)) return undefined;
  return to.flatMap((target) => from.map((source) => present({ from: source, to: target, expression })));
}

/** Ids that Tulle's own rules would take: a whole trust domain before any star. */
function hasIds(from: AuthzRule['from']): boolean {
  const ids = [...(from?.identities ?? []), ...(from?.notIdentities ?? [])];
  return ids.every((id) => id === '*' || /^spiffe:\/\/[^/*]+\//.test(id));
}

function hasPaths(to: AuthzRule['to']): boolean {
  return [...(to?.paths ?? []), ...(to?.notPaths ?? [])].every((path) => /^(?:\/|\*.)|^\*$/.test(path));
}
