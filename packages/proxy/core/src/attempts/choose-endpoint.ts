import type { UpstreamCluster, UpstreamEndpoint } from '../sides.ts';
import type { Stream } from '../stream/stream.ts';
import { askedFor, noteChosen } from './host-override.ts';
import { leaveNothingOut, leftOut } from './left-out.ts';
import { isFit } from './sessions.ts';

/** The endpoint of the next attempt: where the caller's session is, else what the request asks for, else what balancing chooses. */
export function chooseEndpoint(
  stream: Stream,
  cluster: UpstreamCluster,
  nowMs: number,
): UpstreamEndpoint | undefined {
  const { sessionEndpoint } = stream;
  if (sessionEndpoint !== undefined && stream.tried.length === 0 && isFit(sessionEndpoint))
    return sessionEndpoint;
  const { hostOverride } = cluster;
  if (hostOverride === undefined) return byBalance(stream, cluster, nowMs);
  const endpoint = askedFor(stream, cluster, hostOverride) ?? byBalance(stream, cluster, nowMs);
  if (endpoint !== undefined) noteChosen(stream, hostOverride, endpoint);
  return endpoint;
}

/** One that was not tried, else any. */
function byBalance(
  stream: Stream,
  { balancer }: UpstreamCluster,
  nowMs: number,
): UpstreamEndpoint | undefined {
  const { hash, target } = stream;
  const subset = target?.subset;
  if (stream.tried.length === 0) return balancer.pick(nowMs, undefined, hash, subset);
  return (
    balancer.pick(nowMs, leftOut(stream), hash, subset) ??
    balancer.pick(nowMs, leaveNothingOut(stream), hash, subset)
  );
}
