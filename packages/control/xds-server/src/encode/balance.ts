import { create } from '@bufbuild/protobuf';
import { type Any, anyPack } from '@bufbuild/protobuf/wkt';
import type { BalancePolicy, SlowStart, SubsetRules } from '@tulle/model';
import {
  type Cluster_LbSubsetConfigSchema as LbSubsetConfigSchema,
  Cluster_LbSubsetConfig_LbSubsetFallbackPolicy as Fallback,
  Cluster_LbSubsetConfig_LbSubsetSelector_LbSubsetSelectorFallbackPolicy as SelectorFallback,
  Cluster_LbPolicy as LbPolicy,
  type Cluster_SlowStartConfigSchema as SlowStartConfigSchema,
  type ClusterSchema,
} from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import { ClientSideWeightedRoundRobinSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/client_side_weighted_round_robin/v3/client_side_weighted_round_robin';
import {
  LeastRequest_SelectionMethod as SelectionMethod,
  LeastRequestSchema,
} from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/least_request/v3/least_request';
import { PickFirstSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/pick_first/v3/pick_first';
import { SubsetSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/subset/v3/subset';
import { DEFAULT_BALANCE, PEAK_EWMA } from '../wire.ts';
import { canonicalObject, duration, type Fields, typedStruct } from './values.ts';
import { localityConfig, type ZoneFields } from './zone-routing.ts';

/**
 * Ours first, then what a proxy that does not know it takes instead: it uses the first policy that it has.
 * @param zones for a policy that is sent in the newer form
 */
export function encodeBalance(
  balance: BalancePolicy | undefined,
  zones: ZoneFields | undefined,
): Fields<typeof ClusterSchema> {
  switch (balance?.policy) {
    case 'round-robin':
      return {
        lbPolicy: LbPolicy.ROUND_ROBIN,
        ...(balance.slowStart && {
          lbConfig: {
            case: 'roundRobinLbConfig',
            value: { slowStartConfig: slowStart(balance.slowStart) },
          } as const,
        }),
      };
    case 'client-side-weighted-round-robin': {
      const { blackoutMs, expirationMs, updateMs, errorPenalty } = balance;
      return listed(
        'envoy.load_balancing_policies.client_side_weighted_round_robin',
        anyPack(
          ClientSideWeightedRoundRobinSchema,
          create(ClientSideWeightedRoundRobinSchema, {
            ...(blackoutMs !== undefined && { blackoutPeriod: duration(blackoutMs) }),
            ...(expirationMs !== undefined && { weightExpirationPeriod: duration(expirationMs) }),
            ...(updateMs !== undefined && { weightUpdatePeriod: duration(updateMs) }),
            ...(errorPenalty !== undefined && { errorUtilizationPenalty: errorPenalty }),
          }),
        ),
      );
    }
    case 'random':
      return { lbPolicy: LbPolicy.RANDOM };
    case 'least-request':
      return leastRequest(balance, zones);
    case 'pick-first':
      return listed(
        'envoy.load_balancing_policies.pick_first',
        anyPack(PickFirstSchema, create(PickFirstSchema, { shuffleAddressList: balance.shuffle ?? false })),
      );
    case 'ring-hash':
      return {
        lbPolicy: LbPolicy.RING_HASH,
        lbConfig: {
          case: 'ringHashLbConfig',
          value: {
            ...(balance.minRingSize !== undefined && { minimumRingSize: BigInt(balance.minRingSize) }),
            ...(balance.maxRingSize !== undefined && { maximumRingSize: BigInt(balance.maxRingSize) }),
          },
        },
      };
    case 'maglev':
      return {
        lbPolicy: LbPolicy.MAGLEV,
        ...(balance.tableSize !== undefined && {
          lbConfig: { case: 'maglevLbConfig', value: { tableSize: BigInt(balance.tableSize) } } as const,
        }),
      };
    case 'peak-ewma': {
      const { policy: _, ...settings } = balance;
      return extended(PEAK_EWMA, settings);
    }
    case undefined:
      return extended(DEFAULT_BALANCE, {});
  }
}

/** A scan of all stands in the newer form only. */
function leastRequest(
  balance: Extract<BalancePolicy, { readonly policy: 'least-request' }>,
  zones: ZoneFields | undefined,
): Fields<typeof ClusterSchema> {
  const { choices, fullScan = false, activeRequestBias: bias } = balance;
  const value = {
    ...(choices !== undefined && { choiceCount: choices }),
    ...(bias !== undefined && {
      activeRequestBias: { defaultValue: bias, runtimeKey: 'tulle.least_request.bias' },
    }),
    ...(balance.slowStart && { slowStartConfig: slowStart(balance.slowStart) }),
  };
  if (fullScan)
    return listed(
      'envoy.load_balancing_policies.least_request',
      anyPack(
        LeastRequestSchema,
        create(LeastRequestSchema, {
          ...value,
          ...localityConfig(zones),
          selectionMethod: SelectionMethod.FULL_SCAN,
        }),
      ),
    );
  return {
    lbPolicy: LbPolicy.LEAST_REQUEST,
    ...(Object.keys(value).length > 0 && {
      lbConfig: { case: 'leastRequestLbConfig', value } as const,
    }),
  };
}

/** One policy in the newer form. */
export function listed(name: string, typedConfig: Any): Fields<typeof ClusterSchema> {
  return {
    lbPolicy: LbPolicy.LOAD_BALANCING_POLICY_CONFIG,
    loadBalancingPolicy: { policies: [{ typedExtensionConfig: { name, typedConfig } }] },
  };
}

const FALLBACKS = {
  none: Fallback.NO_FALLBACK,
  any: Fallback.ANY_ENDPOINT,
  default: Fallback.DEFAULT_SUBSET,
} as const;
const SELECTOR_FALLBACKS = {
  none: SelectorFallback.NO_FALLBACK,
  any: SelectorFallback.ANY_ENDPOINT,
  default: SelectorFallback.DEFAULT_SUBSET,
  keys: SelectorFallback.KEYS_SUBSET,
} as const;

type SubsetFields = Fields<typeof LbSubsetConfigSchema>;

/**
 * Subsets around a policy: in the field beside an old policy, else in the policy that holds the others, which has the same
 * fields by the same numbers.
 */
export function withSubsets(
  chosen: Fields<typeof ClusterSchema>,
  rules: SubsetRules | undefined,
): Fields<typeof ClusterSchema> {
  if (rules === undefined) return chosen;
  const config = subsets(rules);
  const { loadBalancingPolicy: inner } = chosen;
  if (inner === undefined) return { ...chosen, lbSubsetConfig: config };
  return listed(
    'envoy.load_balancing_policies.subset',
    anyPack(
      SubsetSchema,
      create(SubsetSchema, { ...(config as Fields<typeof SubsetSchema>), subsetLbPolicy: inner }),
    ),
  );
}

function subsets({
  fallback = 'none',
  defaultSubset,
  selectors,
  localityWeighted,
}: SubsetRules): SubsetFields {
  return {
    fallbackPolicy: FALLBACKS[fallback],
    ...(defaultSubset && { defaultSubset: canonicalObject(defaultSubset) }),
    subsetSelectors: selectors.map((selector) => ({
      keys: [...selector.keys],
      fallbackPolicy:
        selector.fallback === undefined
          ? SelectorFallback.NOT_DEFINED
          : SELECTOR_FALLBACKS[selector.fallback],
      fallbackKeysSubset: [...(selector.fallbackKeys ?? [])],
      singleHostPerSubset: selector.singleHost ?? false,
    })),
    localityWeightAware: localityWeighted ?? false,
  };
}

function slowStart({
  windowMs,
  aggression,
  minWeightPercent,
}: SlowStart): Fields<typeof SlowStartConfigSchema> {
  return {
    slowStartWindow: duration(windowMs),
    // Envoy wants a name for what could be changed while it runs.
    ...(aggression !== undefined && {
      aggression: { defaultValue: aggression, runtimeKey: 'tulle.slow_start.aggression' },
    }),
    ...(minWeightPercent !== undefined && { minWeightPercent: { value: minWeightPercent } }),
  };
}

function extended(name: string, settings: Readonly<Record<string, unknown>>): Fields<typeof ClusterSchema> {
  return {
    lbPolicy: LbPolicy.LOAD_BALANCING_POLICY_CONFIG,
    loadBalancingPolicy: {
      policies: [
        { typedExtensionConfig: { name, typedConfig: typedStruct(name, settings) } },
        {
          typedExtensionConfig: {
            name: 'envoy.load_balancing_policies.least_request',
            typedConfig: anyPack(LeastRequestSchema, create(LeastRequestSchema)),
          },
        },
      ],
    },
  };
}
