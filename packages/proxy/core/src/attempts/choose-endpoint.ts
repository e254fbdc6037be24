import type { UpstreamCluster, UpstreamEndpoint } from '../sides.ts';
import type { Stream } from '../stream/stream.ts';
import { isFit } from './sessions.ts';

/** The endpoint of the next attempt: where the caller's session is, else one that was not tried, else any. */
export function chooseEndpoint(
  { tried, hash, target, sessionEndpoint }: Stream,
  { balancer }: UpstreamCluster,
  nowMs: number,
): UpstreamEndpoint | undefined {
  const subset = target?.subset;
  if (tried.length > 0)
    return balancer.pick(nowMs, tried, hash, subset) ?? balancer.pick(nowMs, undefined, hash, subset);
  if (sessionEndpoint !== undefined && isFit(sessionEndpoint)) return sessionEndpoint;
  return balancer.pick(nowMs, undefined, hash, subset);
}
