import type { UpstreamCluster, UpstreamEndpoint } from '../sides.ts';
import type { Stream } from '../stream/stream.ts';
import { leaveNothingOut, leftOut } from './left-out.ts';
import { isFit } from './sessions.ts';

/** The endpoint of the next attempt: where the caller's session is, else one that was not tried, else any. */
export function chooseEndpoint(
  stream: Stream,
  { balancer }: UpstreamCluster,
  nowMs: number,
): UpstreamEndpoint | undefined {
  const { hash, target, sessionEndpoint } = stream;
  const subset = target?.subset;
  if (stream.tried.length > 0)
    return (
      balancer.pick(nowMs, leftOut(stream), hash, subset) ??
      balancer.pick(nowMs, leaveNothingOut(stream), hash, subset)
    );
  if (sessionEndpoint !== undefined && isFit(sessionEndpoint)) return sessionEndpoint;
  return balancer.pick(nowMs, undefined, hash, subset);
}
