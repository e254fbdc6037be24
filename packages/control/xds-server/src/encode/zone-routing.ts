import type { Cluster } from '@tulle/model';
import type { LocalityLbConfigSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/common/v3/common';
import type { Fields } from './values.ts';

/** Policies that know places of callers. */
const ZONED: ReadonlySet<string | undefined> = new Set(['round-robin', 'least-request', 'random']);

/** Fields that the older message and that of the policies share. */
export interface ZoneFields {
  readonly routingEnabled?: { readonly value: number };
  readonly minClusterSize?: bigint;
}

/** What places of callers do. @throws Error where Envoy's policies of that kind know no places */
export function encodeZones({ balance, zoneRouting, localityWeighted }: Cluster): ZoneFields | undefined {
  if (zoneRouting === undefined) return undefined;
  if (!ZONED.has(balance?.policy) || localityWeighted === true)
    throw new Error(
      'zoneRouting can be sent beside round-robin, least-request and random, and without localityWeighted',
    );
  const { percent, minEndpoints } = zoneRouting;
  return {
    ...(percent !== undefined && { routingEnabled: { value: percent } }),
    ...(minEndpoints !== undefined && { minClusterSize: BigInt(minEndpoints) }),
  };
}

/** The same for a policy in the newer form. */
export function localityConfig(zones: ZoneFields | undefined): {
  readonly localityLbConfig?: Fields<typeof LocalityLbConfigSchema>;
} {
  if (zones === undefined) return {};
  return {
    localityLbConfig: { localityConfigSpecifier: { case: 'zoneAwareLbConfig', value: { ...zones } } },
  };
}
