import type { CircuitLimits, RetryBudget } from '@tulle/model';
import type { Cluster } from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import { RoutingPriority } from '@tulle/xds-proto/envoy/config/core/v3/base';
import type { DecodeContext } from './context.ts';
import { type Extras, readObject } from './extras.ts';
import { METADATA_PATH, present } from './values.ts';

export function decodeLimits(
  context: DecodeContext,
  { circuitBreakers }: Cluster,
  extras: Extras,
): CircuitLimits | undefined {
  const floor = extras.object('retryBudget');
  if (!circuitBreakers) return undefined;
  const { thresholds } = circuitBreakers;
  for (const [index, { priority }] of thresholds.entries()) {
    if (priority !== RoutingPriority.DEFAULT || index > 0) {
      context.refuse(
        `circuit_breakers.thresholds[${index}]`,
        'must be the only one, for priority DEFAULT; this proxy has one priority',
      );
    }
  }
  const [limits] = thresholds;
  if (!limits) return {};
  const { maxConnections, maxPendingRequests, maxRequests, retryBudget } = limits;
  return present({
    maxConnections,
    maxPendingRequests,
    maxRequests,
    retryBudget: retryBudget && decodeBudget(context, retryBudget.budgetPercent?.value, floor),
  });
}

function decodeBudget(
  context: DecodeContext,
  percent: number | undefined,
  floor: Readonly<Record<string, unknown>> | undefined,
): RetryBudget {
  const read = readObject(context, floor ?? {}, `${METADATA_PATH}.retryBudget`);
  const budget: RetryBudget = present({
    percent,
    minPerSecond: read.number('minPerSecond'),
    intervalMs: read.number('intervalMs'),
  });
  read.end();
  return budget;
}
