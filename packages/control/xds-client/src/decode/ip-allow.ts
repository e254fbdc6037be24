import type { IpAllowFilterConfig } from '@tulle/model';
import {
  type Permission,
  type Principal,
  RBAC_Action as Action,
} from '@tulle/xds-proto/envoy/config/rbac/v3/rbac';
import type { RBAC } from '@tulle/xds-proto/envoy/extensions/filters/network/rbac/v3/rbac';
import { decodeCidr } from './address.ts';

/** A network RBAC that speaks of peers' addresses alone. @returns `undefined` for one that says more */
export function decodeIpAllow({
  rules,
  shadowRules,
  matcher,
  shadowMatcher,
}: RBAC): IpAllowFilterConfig | undefined {
  const policies = Object.values(rules?.policies ?? {});
  const [policy] = policies;
  const peers = policy?.principals[0];
  if (
    shadowRules ||
    matcher ||
    shadowMatcher ||
    policies.length !== 1 ||
    !peers ||
    policy.principals.length !== 1
  )
    return undefined;
  if (policy.permissions.length !== 1 || !isAny(policy.permissions[0])) return undefined;
  const decoded = decodePeers(peers);
  const deny = rules?.action === Action.DENY;
  if (!decoded || rules?.action === Action.LOG || (deny && decoded.deny)) return undefined;
  return deny && decoded.allow ? { deny: decoded.allow } : decoded;
}

function isAny(permission: Permission | undefined): boolean {
  return permission?.rule.case === 'any' && permission.rule.value;
}

function decodePeers({ identifier }: Principal): IpAllowFilterConfig | undefined {
  if (identifier.case !== 'andIds') {
    const allow = networksOf(identifier);
    return allow && { allow };
  }
  const [inside, outside, ...more] = identifier.value.ids;
  const allow = inside && networksOf(inside.identifier);
  const deny =
    outside?.identifier.case === 'notId' ? networksOf(outside.identifier.value.identifier) : undefined;
  return allow && deny && more.length === 0 ? { allow, deny } : undefined;
}

/** `or_ids` of addresses that the kernel names, or one of them. */
export function networksOf(identifier: Principal['identifier']): readonly string[] | undefined {
  if (identifier.case === 'directRemoteIp') return [decodeCidr(identifier.value)];
  if (identifier.case !== 'orIds') return undefined;
  const lists = identifier.value.ids.map((one) =>
    one.identifier.case === 'directRemoteIp' ? decodeCidr(one.identifier.value) : undefined,
  );
  return lists.length > 0 && lists.every((one) => one !== undefined) ? lists : undefined;
}
