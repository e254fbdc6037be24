import { create } from '@bufbuild/protobuf';
import { isIP } from 'node:net';
import type { IpAllowFilterConfig } from '@tulle/model';
import {
  type Principal,
  PrincipalSchema,
  RBAC_Action as Action,
} from '@tulle/xds-proto/envoy/config/rbac/v3/rbac';
import { type RBAC, RBACSchema } from '@tulle/xds-proto/envoy/extensions/filters/network/rbac/v3/rbac';
import { encodeCidr } from './address.ts';
import { hasOnly, isFilledList, isObject, isText } from './shape.ts';

/**
 * `deny` alone as a DENY; `allow`, less what `deny` says, as an ALLOW.
 * @returns `undefined` where Envoy's type would not say exactly the same
 */
export function encodeIpAllow(config: unknown, statPrefix: string): RBAC | undefined {
  if (!isIpAllow(config)) return undefined;
  const { allow, deny } = config;
  if (!allow) return network(Action.DENY, 'deny', peersIn(deny ?? []), statPrefix);
  const peers = deny
    ? create(PrincipalSchema, {
        identifier: {
          case: 'andIds',
          value: { ids: [peersIn(allow), { identifier: { case: 'notId', value: peersIn(deny) } }] },
        },
      })
    : peersIn(allow);
  return network(Action.ALLOW, 'allow', peers, statPrefix);
}

function network(action: Action, name: string, peers: Principal, statPrefix: string): RBAC {
  return create(RBACSchema, {
    statPrefix,
    rules: {
      action,
      policies: { [name]: { permissions: [{ rule: { case: 'any', value: true } }], principals: [peers] } },
    },
  });
}

/** Addresses that the kernel names. */
export function peersIn(cidrs: readonly string[]): Principal {
  return create(PrincipalSchema, {
    identifier: {
      case: 'orIds',
      value: {
        ids: cidrs.map((cidr) => ({
          identifier: { case: 'directRemoteIp' as const, value: encodeCidr(cidr) },
        })),
      },
    },
  });
}

function isIpAllow(config: unknown): config is IpAllowFilterConfig {
  if (!isObject(config) || !hasOnly(config, ['allow', 'deny'])) return false;
  const { allow, deny } = config;
  return (
    (allow !== undefined || deny !== undefined) &&
    [allow, deny].every((list) => list === undefined || isFilledList(list, isCidr))
  );
}

/** Network or single address, as Envoy reads it too. */
export function isCidr(value: unknown): value is string {
  if (!isText(value)) return false;
  const [address = '', bits, ...more] = value.split('/');
  const family = isIP(address);
  if (family === 0 || more.length > 0 || address.includes('%')) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}
