import {
  CONN_AUTHZ_FILTER,
  type AuthzExpression,
  type AuthzPolicy,
  type AuthzRule,
  type ConnAuthzFilterConfig,
  type FilterEntry,
} from '@tulle/model';
import type { MeshSettings } from './clusters.ts';

/**
 * AuthorizationPolicies as a proxy enforces them that sees connections and no requests. It never lets more pass than was asked: an
 * ALLOW rule that asks for something of a request allows nobody here, a DENY rule that does denies whoever it might mean. Who
 * calls is judged as `tulle.http.authz` judges it.
 * @returns none where there is nothing to ask
 */
export function connectionAuthz(policies: readonly AuthzPolicy[], mesh: MeshSettings): FilterEntry[] {
  if (policies.length === 0 && mesh.defaultAction === 'allow') return [];
  const config: ConnAuthzFilterConfig = {
    policies: policies.map(({ name, action, shadow, rules }) => ({
      name,
      action,
      ...(shadow === true && { shadow }),
      expression: anyOf(rules.flatMap((rule) => expressionOf(rule, action === 'DENY') ?? [])),
    })),
    defaultAction: mesh.defaultAction,
  };
  return [{ name: CONN_AUTHZ_FILTER, filter: CONN_AUTHZ_FILTER, config, mandatory: true }];
}

/** Whether a policy asks for something of a request, which who sees connections alone cannot judge. */
export function asksOfRequests({ rules }: AuthzPolicy): boolean {
  return rules.some(ruleAsksOfRequests);
}

function ruleAsksOfRequests({ from: _from, to, when, ...others }: AuthzRule): boolean {
  const { ports: _ports, ...ofRequests } = to ?? {};
  return when !== undefined || Object.keys(ofRequests).length > 0 || Object.keys(others).length > 0;
}

const NEVER: AuthzExpression = { not: { any: true } };
const PROVEN: AuthzExpression = { identity: { kind: 'present' } };
/** The address of the peer is known. */
const LOCATED: AuthzExpression = { anyOf: [{ peer: '0.0.0.0/0' }, { peer: '::/0' }] };

function anyOf(parts: readonly AuthzExpression[]): AuthzExpression {
  return parts.length === 0 ? NEVER : { anyOf: parts };
}

/** @param denies take what asks for something of a request for what it is without that; else it matches nothing */
function expressionOf(rule: AuthzRule, denies: boolean): AuthzExpression | undefined {
  if (!denies && ruleAsksOfRequests(rule)) return undefined;
  const { ports } = rule.to ?? {};
  const { identities, notIdentities, namespaces, cidrs, notCidrs } = rule.from ?? {};
  const all: AuthzExpression[] = [];
  if (identities !== undefined) all.push({ anyOf: identities.map(identity) });
  // Of whom nothing is known might be anybody: that is enough to deny and not enough to allow.
  if (notIdentities !== undefined)
    all.push(...(denies ? [] : [PROVEN]), { not: { anyOf: notIdentities.map(identity) } });
  if (namespaces !== undefined) all.push({ anyOf: namespaces.map(ofNamespace) });
  if (cidrs !== undefined) all.push({ anyOf: cidrs.map((peer) => ({ peer })) });
  if (notCidrs !== undefined)
    all.push(...(denies ? [] : [LOCATED]), { not: { anyOf: notCidrs.map((peer) => ({ peer })) } });
  if (ports !== undefined) all.push({ anyOf: ports.map((port) => ({ ports: { first: port, last: port } })) });
  return all.length === 0 ? { any: true } : { allOf: all };
}

/** `*` for any proven identity, an id, `…/*` for all below, `…/name*` for the rest of a segment. */
function identity(pattern: string): AuthzExpression {
  if (pattern === '*') return PROVEN;
  if (!pattern.endsWith('*')) return { identity: { kind: 'exact', value: pattern } };
  const start = pattern.slice(0, -1);
  return {
    identity: start.endsWith('/')
      ? { kind: 'prefix', value: start }
      : { kind: 'regex', value: `${escaped(start)}[^/]*` },
  };
}

function ofNamespace(namespace: string): AuthzExpression {
  return { identity: { kind: 'regex', value: `spiffe://[^/]+/ns/${escaped(namespace)}/sa/[^/]+` } };
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
