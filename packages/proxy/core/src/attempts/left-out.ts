import type { Endpoint } from '@tulle/model';
import type { CompiledForward } from '../compile/compiled.ts';
import type { UpstreamEndpoint } from '../sides.ts';
import type { Stream } from '../stream/stream.ts';

/**
 * Endpoints that the next attempt leaves out: those that were tried, and where the cluster or the route says so those with certain labels, and all
 * others of the priorities that were tried. The balancer then takes the next priority that has one.
 */
export function leftOut(stream: Stream): readonly UpstreamEndpoint[] {
  const { cluster } = stream;
  const tried = triedByPriority(stream);
  const labels = policyOf(stream)?.avoidOnRetry ?? null;
  if (labels === null || cluster === undefined) return tried;
  return [...tried, ...cluster.balancer.endpoints.filter(({ endpoint }) => hasAll(endpoint, labels))];
}

/** Whether an endpoint has all labels of one of these. */
function hasAll({ labels = {} }: Endpoint, any: NonNullable<CompiledForward['avoidOnRetry']>): boolean {
  return any.some((wanted) =>
    wanted.every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value),
  );
}

function triedByPriority(stream: Stream): readonly UpstreamEndpoint[] {
  const { tried, cluster } = stream;
  const every = newPriorityEvery(stream);
  if (every === 0 || cluster === undefined || tried.length < every) return tried;
  const counted = tried.slice(0, tried.length - (tried.length % every));
  const others = cluster.balancer.endpoints.filter((one) =>
    counted.some((other) => other.priority === one.priority && other.data.cluster === one.data.cluster),
  );
  return [...tried, ...others];
}

/** Nothing is left: everything may be tried again, and where priorities were left out it counts from the beginning. */
export function leaveNothingOut(stream: Stream): undefined {
  if (newPriorityEvery(stream) > 0) stream.tried = [];
}

function newPriorityEvery(stream: Stream): number {
  return policyOf(stream)?.newPriorityEvery ?? 0;
}

/** The cluster's, else the route's. */
function policyOf({
  cluster,
  route,
}: Stream): Pick<CompiledForward, 'avoidOnRetry' | 'newPriorityEvery'> | undefined {
  const action = route?.action;
  return cluster?.policies?.retry ?? (action?.kind === 'forward' ? action : undefined);
}
