import { create, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import type {
  BalancePolicy,
  Cluster as ModelCluster,
  HashOptions,
  HostOverride,
  MetadataPlace,
} from '@tulle/model';
import type { ClusterSchema } from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import { LeastRequestSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/least_request/v3/least_request';
import { MaglevSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/maglev/v3/maglev';
import { OverrideHostSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/override_host/v3/override_host';
import { RandomSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/random/v3/random';
import { RingHashSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash';
import { RoundRobinSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin';
import type { MetadataKeySchema } from '@tulle/xds-proto/envoy/type/metadata/v3/metadata';
import { encodeBalance, listed } from './balance.ts';
import type { Fields } from './values.ts';
import { encodeZones, localityConfig } from './zone-routing.ts';

type ClusterInit = Fields<typeof ClusterSchema>;

/** The policy in the form that can stand in another: those that are mostly sent in the older one are written in the newer. */
export function encodeInner(cluster: ModelCluster): ClusterInit {
  const { balance } = cluster;
  const zones = encodeZones(cluster);
  const locality = localityConfig(zones);
  const older = encodeBalance(balance, zones);
  const { lbConfig } = older;
  const settings = lbConfig?.value ?? {};
  switch (balance?.policy) {
    case 'round-robin':
      return policy('round_robin', RoundRobinSchema, { ...settings, ...locality });
    case 'random':
      return policy('random', RandomSchema, { ...locality });
    case 'least-request':
      return older.loadBalancingPolicy === undefined
        ? policy('least_request', LeastRequestSchema, { ...settings, ...locality })
        : older;
    case 'ring-hash':
      return policy('ring_hash', RingHashSchema, { ...settings, ...hashing(balance) });
    case 'maglev':
      return policy('maglev', MaglevSchema, { ...settings, ...hashing(balance) });
    default:
      return older;
  }
}

function policy<Desc extends DescMessage>(name: string, desc: Desc, fields: object): ClusterInit {
  return listed(
    `envoy.load_balancing_policies.${name}`,
    anyPack(desc, create(desc, fields as MessageInitShape<Desc>)),
  );
}

function hashing({ useHostname = false, balanceFactorPercent }: BalancePolicy & HashOptions): object {
  if (!useHostname && balanceFactorPercent === undefined) return {};
  return {
    consistentHashingLbConfig: {
      useHostnameForHashing: useHostname,
      ...(balanceFactorPercent !== undefined && { hashBalanceFactor: balanceFactorPercent }),
    },
  };
}

/** Around what it falls back to. */
export function withHostOverride(inner: ClusterInit, { sources, chosenIn }: HostOverride): ClusterInit {
  const message = create(OverrideHostSchema, {
    overrideHostSources: sources.map((source) =>
      source.kind === 'header' ? { header: source.name } : { metadata: place(source) },
    ),
    ...(chosenIn && { selectedHostKey: place(chosenIn) }),
    ...(inner.loadBalancingPolicy && { fallbackPolicy: inner.loadBalancingPolicy }),
  });
  return listed('envoy.load_balancing_policies.override_host', anyPack(OverrideHostSchema, message));
}

export function place({ namespace, path }: MetadataPlace): Fields<typeof MetadataKeySchema> {
  return { key: namespace, path: path.map((key) => ({ segment: { case: 'key', value: key } })) };
}
