import {
  CONN_AUTHZ_FILTER,
  type AuthzExpression,
  type AuthzPolicy,
  type AuthzRule,
  type FilterEntry,
} from '@tulle/model';
import type { MeshSettings } from './clusters.ts';

/**
 * AuthorizationPolicies as a proxy enforces them that sees connections and no requests. It never lets more pass than was asked: an
 * ALLOW rule that asks for something of a request allows nobody here, a DENY rule that does denies whoever it might mean.
 * @param mayAlways identities that pass whatever ALLOW policies say: waypoints, which have judged the requests
 * @returns none where there is nothing to ask
 */
export function connectionAuthz(
  policies: readonly AuthzPolicy[],
  mayAlways: readonly string[],
  mesh: MeshSettings,
): FilterEntry[] {
  if (policies.length === 0 && mesh.defaultAction === 'allow') return [];
  const spared = mayAlways.map((id): AuthzExpression => ({ identity: { kind: 'exact', value: id } }));
  const judged = policies.flatMap(({ name, action, shadow, rules }) => {
    const matches = rules.flatMap((rule) => expressionOf(rule, action === 'DENY') ?? []);
    // Whom a waypoint lets pass was judged there by the same rules.
    const expression: AuthzExpression =
      action === 'DENY' && spared.length > 0
        ? { allOf: [anyOf(matches), ...spared.map((not) => ({ not }))] }
        : anyOf(matches);
    return [{ name, action, ...(shadow === true && { shadow }), expression }];
  });
  const waypoints =
    spared.length > 0 && (mesh.defaultAction === 'deny' || judged.some(({ action }) => action === 'ALLOW'))
      ? [{ name: 'waypoint', action: 'ALLOW', expression: anyOf(spared) }]
      : [];
  return [
    {
      name: CONN_AUTHZ_FILTER,
      filter: CONN_AUTHZ_FILTER,
      config: { policies: [...judged, ...waypoints], defaultAction: mesh.defaultAction },
      mandatory: true,
    },
  ];
}

const NEVER: AuthzExpression = { not: { any: true } };

function anyOf(parts: readonly AuthzExpression[]): AuthzExpression {
  return parts.length === 0 ? NEVER : { anyOf: parts };
}

/** @param wide take what asks for something of a request for what it is without that; else it matches nothing */
function expressionOf({ from, to, when, ...others }: AuthzRule, wide: boolean): AuthzExpression | undefined {
  const { ports, ...ofRequests } = to ?? {};
  const { identities, notIdentities, namespaces, cidrs, notCidrs } = from ?? {};
  if (!wide && (when !== undefined || Object.keys(ofRequests).length > 0 || Object.keys(others).length > 0))
    return undefined;
  const all: AuthzExpression[] = [];
  if (identities !== undefined) all.push({ anyOf: identities.map(identity) });
  if (notIdentities !== undefined) all.push({ not: { anyOf: notIdentities.map(identity) } });
  if (namespaces !== undefined)
    all.push({
      anyOf: namespaces.map((ns) => ({
        identity: { kind: 'regex', value: `spiffe://[^/]+/ns/${escaped(ns)}/sa/.+` },
      })),
    });
  if (cidrs !== undefined) all.push({ anyOf: cidrs.map((cidr) => ({ source: cidr })) });
  if (notCidrs !== undefined) all.push({ not: { anyOf: notCidrs.map((cidr) => ({ source: cidr })) } });
  if (ports !== undefined) all.push({ anyOf: ports.map((port) => ({ ports: { first: port, last: port } })) });
  return all.length === 0 ? { any: true } : { allOf: all };
}

function identity(pattern: string): AuthzExpression {
  return {
    identity: pattern.endsWith('*')
      ? { kind: 'prefix', value: pattern.slice(0, -1) }
      : { kind: 'exact', value: pattern },
  };
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
