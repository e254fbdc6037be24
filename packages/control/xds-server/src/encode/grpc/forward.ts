import { create } from '@bufbuild/protobuf';
import { type FilterConfigs, type ForwardAction, type HashPolicy, RETRY_FILTER } from '@tulle/model';
import {
  type RouteAction,
  type RouteAction_HashPolicySchema as HashPolicySchema,
  RouteActionSchema,
  WeightedClusterSchema,
} from '@tulle/xds-proto/envoy/config/route/v3/route_components';
import { duration, type Fields } from '../values.ts';
import { refuse, refuseFields } from './refuse.ts';
import { encodeGrpcRetry } from './retry.ts';

/**
 * Where calls go. Time limits of attempts and of silence, replay buffers and upgrades, which gRPC does not have, are left out;
 * what would change the call is refused.
 */
export function encodeGrpcForward(
  action: ForwardAction,
  overrides: FilterConfigs | undefined,
  path: string,
): RouteAction {
  refuseFields(path, action, {
    rewrite: 'gRPC clients call what they were asked to call',
    mirrors: 'gRPC clients make no copies of calls',
    clusterHeader: 'which Service is called is no choice of the call',
    splitHeader: 'gRPC chooses shares by chance only',
    splitByHash: 'gRPC chooses shares by chance only',
    rateLimits: 'gRPC has no rate limits',
    grpcTimeoutOffsetMs: 'gRPC takes nothing off a deadline',
    internalRedirect: 'gRPC clients follow no redirects',
    persistence: 'gRPC clients keep no sessions by cookies or headers',
  });
  const retryPolicy = encodeGrpcRetry(overrides?.[RETRY_FILTER]);
  const limits = [action.requestTimeoutMs, action.maxStreamDurationMs].filter(
    (ms) => ms !== undefined && ms > 0,
  );
  const least = Math.min(...(limits as number[]));
  return create(RouteActionSchema, {
    clusterSpecifier: clusters(action, path),
    // `timeout` gRPC does not read (gRFC A31).
    ...((limits.length > 0 || action.maxGrpcTimeoutMs !== undefined) && {
      maxStreamDuration: {
        ...(limits.length > 0 && { maxStreamDuration: duration(least) }),
        ...(action.maxGrpcTimeoutMs !== undefined && {
          grpcTimeoutHeaderMax: duration(action.maxGrpcTimeoutMs),
        }),
      },
    }),
    ...(retryPolicy && { retryPolicy }),
    hashPolicy: (action.hashPolicy ?? []).map((policy, i) => hashPolicy(policy, `${path}/hashPolicy/${i}`)),
  });
}

function clusters({ clusters: given }: ForwardAction, path: string): RouteAction['clusterSpecifier'] {
  for (const [i, one] of given.entries())
    refuseFields(`${path}/clusters/${i}`, one, {
      clusterHeader: 'which Service is called is no choice of the call',
      subset: 'gRPC has no subsets of endpoints by label',
      host: 'gRPC clients call what they were asked to call',
      requestHeaders: 'gRPC clients change no metadata of calls',
      responseHeaders: 'gRPC clients change no metadata of answers',
      filterConfigs: 'gRPC is given overrides of routes only',
    });
  const [only, ...more] = given;
  if (only !== undefined && more.length === 0) return { case: 'cluster', value: only.name ?? '' };
  return {
    case: 'weightedClusters',
    value: create(WeightedClusterSchema, {
      clusters: given.map(({ name = '', weight = 1 }) => ({ name, weight })),
    }),
  };
}

/** gRPC knows fields, and the channel (gRFC A42): the caller's address is the same for all calls of a channel. */
function hashPolicy(policy: HashPolicy, path: string): Fields<typeof HashPolicySchema> {
  const terminal = policy.terminal ?? false;
  switch (policy.kind) {
    case 'header':
      if (policy.rewrite !== undefined) return refuse(`${path}/rewrite`, 'gRPC hashes a field as it is');
      return { policySpecifier: { case: 'header', value: { headerName: policy.name } }, terminal };
    case 'source-ip':
      return { policySpecifier: { case: 'filterState', value: { key: 'io.grpc.channel_id' } }, terminal };
    case 'query':
    case 'filter-state':
    case 'cookie':
      return refuse(path, `a call has no ${policy.kind}; let it be told by a header`);
  }
}
