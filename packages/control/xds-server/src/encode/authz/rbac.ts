import { create } from '@bufbuild/protobuf';
import type { AuthzFilterConfig, AuthzPolicy } from '@tulle/model';
import {
  type Policy,
  PolicySchema,
  type RBAC as Rules,
  RBAC_Action as Action,
  RBACSchema as RulesSchema,
} from '@tulle/xds-proto/envoy/config/rbac/v3/rbac';
import { type RBAC, RBACSchema } from '@tulle/xds-proto/envoy/extensions/filters/http/rbac/v3/rbac';
import { hasOnly, isObject } from '../shape.ts';
import { sortedMap } from '../values.ts';
import { encodeFrom, encodeTo, type Reader } from './conditions.ts';
import { need, orInexpressible } from '../inexpressible.ts';

/** One of Envoy's filters has one action, so a config is two of them: who is denied, then who is allowed. */
export interface RbacPair {
  readonly deny: RBAC;
  readonly allow: RBAC;
  /** Whether either says anything. */
  readonly denies: boolean;
  readonly allows: boolean;
}

/**
 * @param reader who judges by it
 * @returns `undefined` where Envoy's type would not say the same
 */
export function encodeAuthz(config: unknown, reader: Reader = 'proxy'): RbacPair | undefined {
  return orInexpressible(() => {
    need(isAuthz(config));
    const policies = config.policies;
    need(new Set(policies.map(({ name }) => name)).size === policies.length);
    const of = (action: 'ALLOW' | 'DENY'): AuthzPolicy[] => policies.filter((one) => one.action === action);
    const [deny, allow] = [of('DENY'), of('ALLOW')];
    const denied = enforced(deny).length > 0 ? rules(Action.DENY, enforced(deny), reader) : undefined;
    // With an ALLOW that is enforced, or by default, what none allows is denied: also with none at all.
    const allowed =
      enforced(allow).length > 0 || config.defaultAction === 'deny'
        ? rules(Action.ALLOW, enforced(allow), reader)
        : undefined;
    return {
      deny: filter(denied, deny, Action.DENY, reader),
      allow: filter(allowed, allow, Action.ALLOW, reader),
      denies: deny.length > 0,
      allows: allowed !== undefined || allow.length > 0,
    };
  });
}

function enforced(policies: readonly AuthzPolicy[]): AuthzPolicy[] {
  return policies.filter(({ shadow }) => shadow !== true);
}

/** Policies in shadow mode are watched beside those that are enforced, as if they were. */
function filter(
  inForce: Rules | undefined,
  all: readonly AuthzPolicy[],
  action: Action,
  reader: Reader,
): RBAC {
  return create(RBACSchema, {
    ...(inForce && { rules: inForce }),
    ...(all.some(({ shadow }) => shadow === true) && { shadowRules: rules(action, all, reader) }),
  });
}

function rules(action: Action, policies: readonly AuthzPolicy[], reader: Reader): Rules {
  const entries = policies.flatMap(({ name, rules: list }): (readonly [string, Policy])[] =>
    list.length === 0
      ? [[`${name}[]`, nobody()]]
      : list.map((rule, index) => [`${name}[${index}]`, encodeRule(rule, action === Action.ALLOW, reader)]),
  );
  return create(RulesSchema, { action, policies: sortedMap(entries) });
}

/** A policy without rules matches nothing. */
function nobody(): Policy {
  return create(PolicySchema, {
    permissions: [{ rule: { case: 'notRule', value: { rule: { case: 'any', value: true } } } }],
    principals: [{ identifier: { case: 'any', value: true } }],
  });
}

function encodeRule(rule: unknown, certain: boolean, reader: Reader): Policy {
  // Conditions on tokens are Tulle's own: Envoy would need to be told which filter verified them, and how.
  need(isObject(rule) && hasOnly(rule, ['from', 'to']));
  return create(PolicySchema, {
    permissions: [encodeTo(rule['to'], certain, reader)],
    principals: [encodeFrom(rule['from'], certain, reader)],
  });
}

function isAuthz(config: unknown): config is AuthzFilterConfig {
  if (!isObject(config) || !hasOnly(config, ['policies', 'defaultAction'])) return false;
  const { policies, defaultAction } = config;
  return (
    [undefined, 'allow', 'deny'].includes(defaultAction as string | undefined) &&
    Array.isArray(policies) &&
    policies.every(isPolicy)
  );
}

function isPolicy(policy: unknown): policy is AuthzPolicy {
  return (
    isObject(policy) &&
    hasOnly(policy, ['name', 'action', 'shadow', 'rules']) &&
    typeof policy['name'] === 'string' &&
    // So that a name and the place of a rule can be told apart.
    !/\[\d*\]$/.test(policy['name']) &&
    (policy['action'] === 'ALLOW' || policy['action'] === 'DENY') &&
    [undefined, true, false].includes(policy['shadow'] as boolean | undefined) &&
    Array.isArray(policy['rules']) &&
    policy['rules'].length <= 1000
  );
}
