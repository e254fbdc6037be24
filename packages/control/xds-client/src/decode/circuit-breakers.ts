import type { CircuitLimits, Cluster as ModelCluster, RetryBudget } from '@tulle/model';
import type { CircuitBreakers_Thresholds as Thresholds } from '@tulle/xds-proto/envoy/config/cluster/v3/circuit_breaker';
import type { Cluster } from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import { RoutingPriority } from '@tulle/xds-proto/envoy/config/core/v3/base';
import type { DecodeContext } from './context.ts';
import { type Extras, readObject } from './extras.ts';
import { METADATA_PATH, milliseconds, present } from './values.ts';

/** Envoy's `max_retries`. */
const MAX_RETRIES = 3;

/** The limits of both priorities. */
export function decodeLimits(
  context: DecodeContext,
  { circuitBreakers }: Cluster,
  extras: Extras,
): { readonly [K in 'limits' | 'highLimits']?: ModelCluster[K] | undefined } {
  // Also empty: Tulle's own budget is meant, where Envoy would count.
  const budget = extras.object('retryBudget');
  const { thresholds = [], perHostThresholds = [] } = circuitBreakers ?? {};
  const found = new Map<RoutingPriority, Thresholds>();
  for (const [index, one] of thresholds.entries()) {
    if (found.has(one.priority))
      context.refuse(`circuit_breakers.thresholds[${index}]`, 'is of the same priority as one before');
    found.set(one.priority, one);
  }
  const given = found.get(RoutingPriority.DEFAULT);
  const limits: CircuitLimits = present({
    ...(given && counts(given)),
    ...(budget === undefined ? retries(given) : ownBudget(context, given, budget)),
    maxConnectionsPerEndpoint: perHost(context, perHostThresholds),
  });
  const high = found.get(RoutingPriority.HIGH);
  const counted = extras.flag('highRetryBudget') !== true;
  return {
    limits: Object.keys(limits).length === 0 ? undefined : limits,
    highLimits: high && { ...counts(high), ...(counted && retries(high)) },
  };
}

type Counts = Pick<CircuitLimits, 'maxConnections' | 'maxPendingRequests' | 'maxRequests' | 'trackRemaining'>;

function counts({ maxConnections, maxPendingRequests, maxRequests, trackRemaining }: Thresholds): Counts {
  return present({
    maxConnections,
    maxPendingRequests,
    maxRequests,
    trackRemaining: trackRemaining || undefined,
  });
}

/** As Envoy counts them, with its defaults. */
function retries(thresholds: Thresholds | undefined): Pick<CircuitLimits, 'maxRetries' | 'retryConcurrency'> {
  const budget = thresholds?.retryBudget;
  if (budget === undefined) return { maxRetries: thresholds?.maxRetries ?? MAX_RETRIES };
  return {
    retryConcurrency: present({
      percent: budget.budgetPercent?.value,
      least: budget.minRetryConcurrency,
      // Envoy counts in milliseconds.
      intervalMs: Math.floor(milliseconds(budget.budgetInterval) ?? 0) || undefined,
    }),
  };
}

function ownBudget(
  context: DecodeContext,
  thresholds: Thresholds | undefined,
  settings: Readonly<Record<string, unknown>>,
): Pick<CircuitLimits, 'retryBudget'> {
  const read = readObject(context, settings, `${METADATA_PATH}.retryBudget`);
  const budget: RetryBudget = present({
    percent: thresholds?.retryBudget?.budgetPercent?.value,
    minPerSecond: read.number('minPerSecond'),
    intervalMs: read.number('intervalMs'),
  });
  read.end();
  return thresholds?.retryBudget === undefined ? {} : { retryBudget: budget };
}

/** The only count that Envoy knows of single endpoints. */
function perHost(context: DecodeContext, thresholds: readonly Thresholds[]): number | undefined {
  const [one, ...more] = thresholds;
  if (one === undefined) return undefined;
  const at = 'circuit_breakers.per_host_thresholds';
  if (more.length > 0 || one.priority !== RoutingPriority.DEFAULT)
    context.refuse(at, 'must be one, of priority DEFAULT');
  if ((one.maxPendingRequests ?? one.maxRequests ?? one.maxRetries ?? one.retryBudget) !== undefined)
    context.refuse(`${at}[0]`, 'must have max_connections alone');
  return one.maxConnections;
}
