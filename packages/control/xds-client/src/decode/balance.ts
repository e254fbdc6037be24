import { isMessage, type Message } from '@bufbuild/protobuf';
import type { BalancePolicy, SlowStart } from '@tulle/model';
import {
  type Cluster,
  Cluster_LbPolicy as LbPolicy,
  Cluster_RingHashLbConfig_HashFunction as OldHash,
  type Cluster_SlowStartConfig,
} from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import { LeastRequestSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/least_request/v3/least_request';
import { MaglevSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/maglev/v3/maglev';
import {
  RingHash_HashFunction as HashFunction,
  RingHashSchema,
} from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash';
import { RandomSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/random/v3/random';
import { RoundRobinSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin';
import { DEFAULT_BALANCE, PEAK_EWMA } from '../wire.ts';
import { createDecodeContext, type DecodeContext } from './context.ts';
import { readObject } from './extras.ts';
import { isObject, milliseconds, present, structOf } from './values.ts';

/** @returns `undefined` when the proxy is to choose */
export function decodeBalance(context: DecodeContext, cluster: Cluster): BalancePolicy | undefined {
  if (cluster.loadBalancingPolicy) return decodePolicies(context, cluster);
  switch (cluster.lbPolicy) {
    case LbPolicy.ROUND_ROBIN:
      return roundRobin(
        context,
        cluster.lbConfig.case === 'roundRobinLbConfig' ? cluster.lbConfig.value.slowStartConfig : undefined,
        'round_robin_lb_config',
      );
    case LbPolicy.RANDOM:
      return { policy: 'random' };
    case LbPolicy.LEAST_REQUEST:
      return cluster.lbConfig.case === 'leastRequestLbConfig'
        ? leastRequest(context, cluster.lbConfig.value, 'least_request_lb_config')
        : { policy: 'least-request' };
    case LbPolicy.RING_HASH: {
      const settings = cluster.lbConfig.case === 'ringHashLbConfig' ? cluster.lbConfig.value : undefined;
      const foreign = settings !== undefined && settings.hashFunction !== OldHash.XX_HASH;
      return ringHash(context, settings ?? {}, foreign, 'ring_hash_lb_config');
    }
    case LbPolicy.MAGLEV:
      return maglev(
        cluster.lbConfig.case === 'maglevLbConfig' ? cluster.lbConfig.value.tableSize : undefined,
      );
    default:
      context.refuse(
        'lb_policy',
        'must be ROUND_ROBIN, RANDOM, LEAST_REQUEST, RING_HASH or MAGLEV, or stand beside a load_balancing_policy',
      );
      return undefined;
  }
}

interface RingSizes {
  readonly minimumRingSize?: bigint | undefined;
  readonly maximumRingSize?: bigint | undefined;
}

/** @param foreign another hash function than the one there is */
function ringHash(
  context: DecodeContext,
  { minimumRingSize: least, maximumRingSize: most }: RingSizes,
  foreign: boolean,
  path: string,
): BalancePolicy {
  if (foreign) context.refuse(`${path}.hash_function`, 'must be XX_HASH');
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
    readonly slowStartConfig?: SlowStartConfig | undefined;
  },
  path: string,
): BalancePolicy {
  return present({
    policy: 'least-request' as const,
    choices: settings.choiceCount,
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
function decodePolicies(context: DecodeContext, cluster: Cluster): BalancePolicy | undefined {
  const policies = cluster.loadBalancingPolicy?.policies ?? [];
  const names: string[] = [];
  for (const [index, { typedExtensionConfig: config }] of policies.entries()) {
    const path = `load_balancing_policy.policies[${index}].typed_extension_config.typed_config`;
    const peeked = createDecodeContext({ tolerated: new Set(), allowUnknown: true }).open(
      config?.typedConfig,
      path,
    );
    if (!peeked || !isKnown(peeked)) {
      names.push(config?.name ?? '');
      continue;
    }
    const message = context.open(config?.typedConfig, path);
    return message && decodePolicy(context, message, path);
  }
  context.refuse('load_balancing_policy', `holds no policy that this proxy has: ${names.join(', ')}`);
  return undefined;
}

function isKnown(message: Message): boolean {
  const name = structOf(message)?.name;
  if (name !== undefined) return name === PEAK_EWMA || name === DEFAULT_BALANCE;
  return (
    isMessage(message, RoundRobinSchema) ||
    isMessage(message, RandomSchema) ||
    isMessage(message, RingHashSchema) ||
    isMessage(message, MaglevSchema) ||
    isMessage(message, LeastRequestSchema)
  );
}

function decodePolicy(context: DecodeContext, message: Message, path: string): BalancePolicy | undefined {
  if (isMessage(message, RoundRobinSchema)) return roundRobin(context, message.slowStartConfig, path);
  if (isMessage(message, RandomSchema)) return { policy: 'random' };
  if (isMessage(message, LeastRequestSchema)) return leastRequest(context, message, path);
  if (isMessage(message, RingHashSchema)) {
    const { hashFunction } = message;
    const foreign = hashFunction !== HashFunction.DEFAULT_HASH && hashFunction !== HashFunction.XX_HASH;
    return ringHash(context, message, foreign, path);
  }
  if (isMessage(message, MaglevSchema)) return maglev(message.tableSize);
  const struct = structOf(message);
  const settings = readObject(context, isObject(struct?.config) ? struct.config : {}, `${path}.value`);
  const [defaultRttMs, decayMs] =
    struct?.name === PEAK_EWMA ? [settings.number('defaultRttMs'), settings.number('decayMs')] : [];
  settings.end();
  return struct?.name === PEAK_EWMA
    ? present({ policy: 'peak-ewma' as const, defaultRttMs, decayMs })
    : undefined;
}
