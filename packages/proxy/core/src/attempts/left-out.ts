import type { UpstreamEndpoint } from '../sides.ts';
import type { Stream } from '../stream/stream.ts';

/**
 * Endpoints that the next attempt leaves out: those that were tried, and where the route says so all others of their priorities. The
 * balancer then takes the next priority that has one.
 */
export function leftOut(stream: Stream): readonly UpstreamEndpoint[] {
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

function newPriorityEvery({ route }: Stream): number {
  return route?.action.kind === 'forward' ? route.action.newPriorityEvery : 0;
}
