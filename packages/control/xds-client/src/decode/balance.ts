import { isMessage, type Message } from '@bufbuild/protobuf';
import type { BalancePolicy, Cluster as ModelCluster, HashOptions, SlowStart } from '@tulle/model';
import {
  type Cluster,
  type Cluster_CommonLbConfig,
  Cluster_DiscoveryType as DiscoveryType,
  Cluster_LbPolicy as LbPolicy,
  type Cluster_SlowStartConfig,
  type LoadBalancingPolicy,
} from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import type {
  ConsistentHashingLbConfig,
  LocalityLbConfig,
} from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/common/v3/common';
import {
  type ClientSideWeightedRoundRobin,
  ClientSideWeightedRoundRobinSchema as ClientSideWeightedSchema,
} from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/client_side_weighted_round_robin/v3/client_side_weighted_round_robin';
import {
  LeastRequest_SelectionMethod as SelectionMethod,
  LeastRequestSchema,
} from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/least_request/v3/least_request';
import { MaglevSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/maglev/v3/maglev';
import { OverrideHostSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/override_host/v3/override_host';
import { PickFirstSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/pick_first/v3/pick_first';
import { RingHashSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash';
import { ClusterProvidedSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/cluster_provided/v3/cluster_provided';
import { RandomSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/random/v3/random';
import { RoundRobinSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin';
import { SubsetSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/subset/v3/subset';
import { WrrLocalitySchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/wrr_locality/v3/wrr_locality';
import { DEFAULT_BALANCE, PEAK_EWMA } from '../wire.ts';
import { createDecodeContext, type DecodeContext } from './context.ts';
import { readObject } from './extras.ts';
import { decodeHashPolicies } from './hash-policy.ts';
import { decodeHostOverride } from './host-override.ts';
import { decodeSubsets } from './subsets.ts';
import { isObject, milliseconds, present, structOf } from './values.ts';

/** What says how endpoints are chosen; `balance` is `undefined` when the proxy is to choose. */
export type Balancing = {
  readonly [
    K in
      | 'balance'
      | 'panicThresholdPercent'
      | 'localityWeighted'
      | 'failOnPanic'
      | 'subsets'
      | 'hostOverride'
      | 'zoneRouting'
      | 'hashPolicy'
  ]?: ModelCluster[K] | undefined;
};

export function decodeBalancing(context: DecodeContext, cluster: Cluster): Balancing {
  const common = cluster.commonLbConfig;
  const own = cluster.loadBalancingPolicy
    ? decodePolicies(context, cluster.loadBalancingPolicy, 'load_balancing_policy')
    : decodeOldPolicy(context, cluster);
  if (own === PROVIDED && !bringsPolicy(cluster))
    context.refuse('load_balancing_policy', 'ClusterProvided is for kinds of clusters that bring one');
  const { zoneRouting, ...places } = localities(common?.localityConfigSpecifier);
  return {
    panicThresholdPercent: common?.healthyPanicThreshold?.value,
    ...places,
    // Of a policy in the newer form its own field says it; and whoever goes by hashes knows no zones.
    ...(cluster.loadBalancingPolicy === undefined && ZONED.has(cluster.lbPolicy) && { zoneRouting }),
    ...own,
  };
}

const ZONED: ReadonlySet<LbPolicy> = new Set([LbPolicy.ROUND_ROBIN, LbPolicy.LEAST_REQUEST, LbPolicy.RANDOM]);

function decodeOldPolicy(context: DecodeContext, cluster: Cluster): Balancing {
  const { lbConfig, commonLbConfig: common, lbSubsetConfig } = cluster;
  const subsets = decodeSubsets(context, lbSubsetConfig, 'lb_subset_config');
  const chosen = (balance: BalancePolicy): Balancing => ({ balance, ...(subsets && { subsets }) });
  const hashing = hashOptions(common?.consistentHashingLbConfig);
  switch (cluster.lbPolicy) {
    case LbPolicy.ROUND_ROBIN:
      return chosen(
        roundRobin(
          context,
          lbConfig.case === 'roundRobinLbConfig' ? lbConfig.value.slowStartConfig : undefined,
          'round_robin_lb_config',
        ),
      );
    case LbPolicy.RANDOM:
      return chosen({ policy: 'random' });
    case LbPolicy.LEAST_REQUEST:
      return chosen(
        lbConfig.case === 'leastRequestLbConfig'
          ? leastRequest(context, lbConfig.value, 'least_request_lb_config')
          : { policy: 'least-request' },
      );
    case LbPolicy.RING_HASH:
      return chosen({
        ...ringHash(lbConfig.case === 'ringHashLbConfig' ? lbConfig.value : {}),
        ...hashing,
      });
    case LbPolicy.MAGLEV:
      return chosen({
        ...maglev(lbConfig.case === 'maglevLbConfig' ? lbConfig.value.tableSize : undefined),
        ...hashing,
      });
    case LbPolicy.CLUSTER_PROVIDED:
      if (!bringsPolicy(cluster))
        context.refuse('lb_policy', 'CLUSTER_PROVIDED is for kinds of clusters that bring one');
      return {};
    default:
      context.refuse(
        'lb_policy',
        'must be ROUND_ROBIN, RANDOM, LEAST_REQUEST, RING_HASH or MAGLEV, or stand beside a load_balancing_policy',
      );
      return {};
  }
}

/** The kind of cluster has its own way; within another policy it has none. */
const PROVIDED: Balancing = Object.freeze({});

/** Those of extensions, and ORIGINAL_DST. */
function bringsPolicy({ clusterDiscoveryType: kind }: Cluster): boolean {
  return kind.case === 'clusterType' || kind.value === DiscoveryType.ORIGINAL_DST;
}

type LocalitySpecifier =
  | Cluster_CommonLbConfig['localityConfigSpecifier']
  | LocalityLbConfig['localityConfigSpecifier'];

/** Without a cluster that is known as the proxy's own (`local_cluster_name`) zones make no difference, as in Envoy. */
function localities(specifier: LocalitySpecifier | undefined): Balancing {
  if (specifier?.case === 'localityWeightedLbConfig') return { localityWeighted: true };
  if (specifier?.case !== 'zoneAwareLbConfig') return {};
  const { routingEnabled, minClusterSize, failTrafficOnPanic } = specifier.value;
  return present({
    // Nothing of it is wanted then but the last.
    zoneRouting:
      routingEnabled?.value === 0
        ? undefined
        : present({
            percent: routingEnabled?.value,
            minEndpoints: minClusterSize === undefined ? undefined : Number(minClusterSize),
          }),
    failOnPanic: failTrafficOnPanic || undefined,
  });
}

function hashOptions(
  config: Pick<ConsistentHashingLbConfig, 'useHostnameForHashing' | 'hashBalanceFactor'> | undefined,
): HashOptions {
  return present({
    useHostname: config?.useHostnameForHashing || undefined,
    balanceFactorPercent: config?.hashBalanceFactor,
  });
}

function hashedBy(
  context: DecodeContext,
  config: ConsistentHashingLbConfig | undefined,
  path: string,
): Pick<Balancing, 'hashPolicy'> {
  const at = `${path}.consistent_hashing_lb_config`;
  const hashPolicy = config && decodeHashPolicies(context, config.hashPolicy, at);
  return hashPolicy === undefined ? {} : { hashPolicy };
}

interface RingSizes {
  readonly minimumRingSize?: bigint | undefined;
  readonly maximumRingSize?: bigint | undefined;
}

/** Where points lie is this proxy's own affair, so neither of Envoy's hash functions says anything here. */
function ringHash({ minimumRingSize: least, maximumRingSize: most }: RingSizes): BalancePolicy {
  return present({
    policy: 'ring-hash' as const,
    minRingSize: least === undefined ? undefined : Number(least),
    maxRingSize: most === undefined ? undefined : Number(most),
  });
}

function maglev(tableSize: bigint | undefined): BalancePolicy {
  return present({
    policy: 'maglev' as const,
    tableSize: tableSize === undefined ? undefined : Number(tableSize),
  });
}

function roundRobin(
  context: DecodeContext,
  slowStart: SlowStartConfig | undefined,
  path: string,
): BalancePolicy {
  return present({ policy: 'round-robin' as const, slowStart: decodeSlowStart(context, slowStart, path) });
}

function leastRequest(
  context: DecodeContext,
  settings: {
    readonly choiceCount?: number | undefined;
    readonly activeRequestBias?: { readonly defaultValue: number } | undefined;
    readonly slowStartConfig?: SlowStartConfig | undefined;
  },
  path: string,
  fullScan?: boolean,
): BalancePolicy {
  return present({
    policy: 'least-request' as const,
    choices: settings.choiceCount,
    fullScan: fullScan || undefined,
    activeRequestBias: settings.activeRequestBias?.defaultValue,
    slowStart: decodeSlowStart(context, settings.slowStartConfig, path),
  });
}

/** The old message and that of the policies have the same fields. A key of Envoy's runtime names nothing here. */
type SlowStartConfig = Pick<Cluster_SlowStartConfig, 'slowStartWindow' | 'aggression' | 'minWeightPercent'>;

function decodeSlowStart(
  context: DecodeContext,
  config: SlowStartConfig | undefined,
  path: string,
): SlowStart | undefined {
  if (config === undefined) return undefined;
  const windowMs = milliseconds(config.slowStartWindow);
  if (windowMs === undefined) context.refuse(`${path}.slow_start_config.slow_start_window`, 'is missing');
  return present({
    windowMs: windowMs ?? 0,
    aggression: config.aggression?.defaultValue,
    minWeightPercent: config.minWeightPercent?.value,
  });
}

/** The first policy of the list that this proxy has; those that it lacks are passed over, as the field says. */
function decodePolicies(
  context: DecodeContext,
  list: LoadBalancingPolicy | undefined,
  path: string,
): Balancing {
  const names: string[] = [];
  for (const [index, { typedExtensionConfig: config }] of (list?.policies ?? []).entries()) {
    const here = `${path}.policies[${index}].typed_extension_config.typed_config`;
    const peeked = createDecodeContext({ tolerated: new Set(), allowUnknown: true }).open(
      config?.typedConfig,
      here,
    );
    if (!peeked || !isKnown(peeked)) {
      names.push(config?.name ?? '');
      continue;
    }
    const message = context.open(config?.typedConfig, here);
    if (message === undefined) return {};
    if (isMessage(message, ClusterProvidedSchema) && path !== 'load_balancing_policy')
      context.refuse(here, 'must stand alone: no kind of cluster brings a policy for parts of it');
    return decodePolicy(context, message, here);
  }
  context.refuse(path, `holds no policy that this proxy has: ${names.join(', ')}`);
  return {};
}

function isKnown(message: Message): boolean {
  const name = structOf(message)?.name;
  if (name !== undefined) return name === PEAK_EWMA || name === DEFAULT_BALANCE;
  return (
    isMessage(message, RoundRobinSchema) ||
    isMessage(message, RandomSchema) ||
    isMessage(message, ClientSideWeightedSchema) ||
    isMessage(message, RingHashSchema) ||
    isMessage(message, MaglevSchema) ||
    isMessage(message, PickFirstSchema) ||
    isMessage(message, WrrLocalitySchema) ||
    isMessage(message, SubsetSchema) ||
    isMessage(message, OverrideHostSchema) ||
    isMessage(message, ClusterProvidedSchema) ||
    isMessage(message, LeastRequestSchema)
  );
}

function decodePolicy(context: DecodeContext, message: Message, path: string): Balancing {
  if (isMessage(message, RoundRobinSchema))
    return {
      balance: roundRobin(context, message.slowStartConfig, path),
      ...localities(message.localityLbConfig?.localityConfigSpecifier),
    };
  if (isMessage(message, ClientSideWeightedSchema))
    return { balance: clientSideWeighted(context, message, path) };
  if (isMessage(message, ClusterProvidedSchema)) return PROVIDED;
  if (isMessage(message, RandomSchema))
    return {
      balance: { policy: 'random' },
      ...localities(message.localityLbConfig?.localityConfigSpecifier),
    };
  if (isMessage(message, LeastRequestSchema)) {
    const scan = message.selectionMethod === SelectionMethod.FULL_SCAN || message.enableFullScan === true;
    return {
      balance: leastRequest(context, message, path, scan),
      ...localities(message.localityLbConfig?.localityConfigSpecifier),
    };
  }
  if (isMessage(message, RingHashSchema))
    return {
      balance: {
        ...ringHash(message),
        ...hashOptions(message.consistentHashingLbConfig ?? message),
      },
      ...hashedBy(context, message.consistentHashingLbConfig, path),
      ...(message.localityWeightedLbConfig && { localityWeighted: true }),
    };
  if (isMessage(message, MaglevSchema))
    return {
      balance: { ...maglev(message.tableSize), ...hashOptions(message.consistentHashingLbConfig) },
      ...hashedBy(context, message.consistentHashingLbConfig, path),
      ...(message.localityWeightedLbConfig && { localityWeighted: true }),
    };
  if (isMessage(message, PickFirstSchema))
    return {
      balance: present({ policy: 'pick-first' as const, shuffle: message.shuffleAddressList || undefined }),
    };
  if (isMessage(message, WrrLocalitySchema))
    return {
      ...decodePolicies(context, message.endpointPickingPolicy, `${path}.endpoint_picking_policy`),
      localityWeighted: true,
    };
  if (isMessage(message, SubsetSchema)) {
    if (message.allowRedundantKeys)
      context.refuse(
        `${path}.allow_redundant_keys`,
        'must be false: a request asks for the keys of a selector',
      );
    const { localityWeighted, hostOverride, ...inner } = decodePolicies(
      context,
      message.subsetLbPolicy,
      `${path}.subset_lb_policy`,
    );
    // It would have to find the address within the subset.
    if (hostOverride !== undefined)
      context.refuse(`${path}.subset_lb_policy`, 'must stand in the fallback_policy of the OverrideHost');
    const subsets = decodeSubsets(context, message, path);
    return { ...inner, ...(localityWeighted === true && { localityWeighted }), ...(subsets && { subsets }) };
  }
  if (isMessage(message, OverrideHostSchema)) {
    const inner = decodePolicies(context, message.fallbackPolicy, `${path}.fallback_policy`);
    if (inner.hostOverride !== undefined)
      context.refuse(`${path}.fallback_policy`, 'must not look for addresses again');
    return { ...inner, hostOverride: decodeHostOverride(context, message, path) };
  }
  return decodeOwn(context, message, path);
}

/** Out-of-band reports need a call to each endpoint for life, which nobody makes here. */
function clientSideWeighted(
  context: DecodeContext,
  message: ClientSideWeightedRoundRobin,
  path: string,
): BalancePolicy {
  if (message.enableOobLoadReport === true)
    context.refuse(`${path}.enable_oob_load_report`, 'must be false: load is read from answers');
  const updateMs = milliseconds(message.weightUpdatePeriod);
  return present({
    policy: 'client-side-weighted-round-robin' as const,
    blackoutMs: milliseconds(message.blackoutPeriod),
    expirationMs: milliseconds(message.weightExpirationPeriod),
    // As there, more often than that is not worth it.
    updateMs: updateMs === undefined ? undefined : Math.max(updateMs, 100),
    errorPenalty: message.errorUtilizationPenalty,
  });
}

/** A policy that Envoy lacks. */
function decodeOwn(context: DecodeContext, message: Message, path: string): Balancing {
  const struct = structOf(message);
  const settings = readObject(context, isObject(struct?.config) ? struct.config : {}, `${path}.value`);
  const [defaultRttMs, decayMs] =
    struct?.name === PEAK_EWMA ? [settings.number('defaultRttMs'), settings.number('decayMs')] : [];
  settings.end();
  return struct?.name === PEAK_EWMA
    ? { balance: present({ policy: 'peak-ewma' as const, defaultRttMs, decayMs }) }
    : {};
}
