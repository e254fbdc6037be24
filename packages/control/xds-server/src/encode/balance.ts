import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import type { BalancePolicy, SlowStart } from '@tulle/model';
import {
  Cluster_LbPolicy as LbPolicy,
  type Cluster_SlowStartConfigSchema as SlowStartConfigSchema,
  type ClusterSchema,
} from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import { LeastRequestSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/least_request/v3/least_request';
import { DEFAULT_BALANCE, PEAK_EWMA } from '../wire.ts';
import { duration, type Fields, typedStruct } from './values.ts';

/** Ours first, then what a proxy that does not know it takes instead: it uses the first policy that it has. */
export function encodeBalance(balance: BalancePolicy | undefined): Fields<typeof ClusterSchema> {
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
    case 'random':
      return { lbPolicy: LbPolicy.RANDOM };
    case 'least-request':
      return {
        lbPolicy: LbPolicy.LEAST_REQUEST,
        ...((balance.choices !== undefined || balance.slowStart !== undefined) && {
          lbConfig: {
            case: 'leastRequestLbConfig',
            value: {
              ...(balance.choices !== undefined && { choiceCount: balance.choices }),
              ...(balance.slowStart && { slowStartConfig: slowStart(balance.slowStart) }),
            },
          } as const,
        }),
      };
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
