import type { IpAllowFilterConfig } from '@tulle/model';
import {
  type Permission,
  type Principal,
  RBAC_Action as Action,
} from '@tulle/xds-proto/envoy/config/rbac/v3/rbac';
import type { RBAC } from '@tulle/xds-proto/envoy/extensions/filters/network/rbac/v3/rbac';
import { decodeCidr } from './address.ts';
import type { DecodeContext } from './context.ts';

/** A network RBAC that speaks of peers' addresses alone. */
export function decodeIpAllow(context: DecodeContext, rbac: RBAC, path: string): IpAllowFilterConfig {
  const policies = Object.entries(rbac.rules?.policies ?? {});
  const [first] = policies;
  const here = `${path}.rules.policies[${JSON.stringify(first?.[0] ?? '')}]`;
  const peers = first?.[1].principals[0];
  if (policies.length !== 1 || !peers || first[1].principals.length !== 1) {
    context.refuse(`${path}.rules`, 'must hold one policy with one principal');
    return {};
  }
  if (first[1].permissions.length !== 1 || !isAny(first[1].permissions[0]))
    context.refuse(`${here}.permissions`, 'must be any: true');
  const decoded = decodePeers(peers);
  const deny = rbac.rules?.action === Action.DENY;
  if (!decoded || rbac.rules?.action === Action.LOG || (deny && decoded.deny)) {
    context.refuse(
      `${here}.principals[0]`,
      'must be or_ids of direct_remote_ip, in an ALLOW also and_ids of those and a not_id of such',
    );
    return {};
  }
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
