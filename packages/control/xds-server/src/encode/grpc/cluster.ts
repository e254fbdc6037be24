import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import type { BalancePolicy, Cluster as ModelCluster, OutlierDetection } from '@tulle/model';
import {
  type Cluster,
  Cluster_DiscoveryType as DiscoveryType,
  Cluster_LbPolicy as LbPolicy,
  ClusterSchema,
} from '@tulle/xds-proto/envoy/config/cluster/v3/cluster';
import { LeastRequestSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/least_request/v3/least_request';
import { RoundRobinSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin';
import { WrrLocalitySchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/wrr_locality/v3/wrr_locality';
import { adsSource } from '../config-source.ts';
import { encodeAssignment } from '../endpoints.ts';
import type { EncodeForm } from '../form.ts';
import { outlierDetection } from '../outlier.ts';
import type { Fields } from '../values.ts';
import { refuse, refuseFields } from './refuse.ts';
import { encodeClientTls } from './tls.ts';

type ClusterInit = Fields<typeof ClusterSchema>;

/**
 * A cluster as gRPC reads it. What only tunes a proxy (time limits of connections, pools, active health checks, consecutive
 * failures, slow start) is left out; what decides whom is called is kept or refused.
 */
export function encodeGrpcCluster(cluster: ModelCluster, form: EncodeForm): Cluster {
  refuseFields('', cluster, {
    subsets: 'gRPC has no subsets of endpoints by label',
    proxyProtocol: 'gRPC speaks no PROXY protocol',
    proxyHeader: 'gRPC speaks no PROXY protocol',
    passthrough: 'gRPC knows no listeners of its own process',
    tlsMatches: 'gRPC has one kind of TLS a Service',
    retry: 'gRPC reads of routes what is tried again',
    mirrors: 'gRPC clients make no copies of calls',
  });
  const { maxRequests } = cluster.limits ?? {};
  return create(ClusterSchema, {
    name: cluster.name,
    ...discovery(cluster),
    ...balance(cluster.balance),
    ...(maxRequests !== undefined && { circuitBreakers: { thresholds: [{ maxRequests }] } }),
    // Also where there is none: grpc-js (1.14) does not notice it when it comes to a cluster that had nothing there.
    outlierDetection: (cluster.outlier && statistical(cluster.outlier)) ?? { enforcingSuccessRate: 0 },
    ...(cluster.tls && { transportSocket: encodeClientTls(cluster.tls, form) }),
  });
}

function discovery({ name, discovery: source }: ModelCluster): ClusterInit {
  if (source.kind === 'eds')
    return {
      clusterDiscoveryType: { case: 'type', value: DiscoveryType.EDS },
      edsClusterConfig: {
        edsConfig: adsSource(),
        ...(source.serviceName !== undefined && { serviceName: source.serviceName }),
      },
    };
  if (source.kind !== 'dns' || source.endpoints.length !== 1)
    return refuse('/discovery', 'gRPC finds endpoints by discovery, or one name by DNS');
  return {
    clusterDiscoveryType: { case: 'type', value: DiscoveryType.LOGICAL_DNS },
    loadAssignment: encodeAssignment(name, source.endpoints, source.policy),
  };
}

/** Round robin is what every gRPC has; of a list each takes the first that it knows. */
function balance(policy: BalancePolicy | undefined): ClusterInit {
  switch (policy?.policy) {
    case 'ring-hash':
      refuseFields('/balance', policy, { balanceFactorPercent: 'gRPC bounds no load on a ring' });
      return ringHash(policy.minRingSize, policy.maxRingSize);
    case 'maglev':
      // Stickiness is what is asked for, and gRPC has it by a ring.
      return ringHash(undefined, undefined);
    case 'least-request':
      return {
        lbPolicy: LbPolicy.LOAD_BALANCING_POLICY_CONFIG,
        loadBalancingPolicy: { policies: [leastRequest(policy.choices)] },
      };
    default:
      return { lbPolicy: LbPolicy.ROUND_ROBIN };
  }
}

function ringHash(least: number | undefined, most: number | undefined): ClusterInit {
  return {
    lbPolicy: LbPolicy.RING_HASH,
    lbConfig: {
      case: 'ringHashLbConfig',
      value: {
        ...(least !== undefined && { minimumRingSize: BigInt(least) }),
        ...(most !== undefined && { maximumRingSize: BigInt(most) }),
      },
    },
  };
}

/** Within localities by their weights, as gRPC balances by default. */
function leastRequest(choices: number | undefined) {
  const policies = [
    {
      typedExtensionConfig: {
        name: 'envoy.load_balancing_policies.least_request',
        typedConfig: anyPack(
          LeastRequestSchema,
          create(LeastRequestSchema, { ...(choices !== undefined && { choiceCount: choices }) }),
        ),
      },
    },
    {
      typedExtensionConfig: {
        name: 'envoy.load_balancing_policies.round_robin',
        typedConfig: anyPack(RoundRobinSchema, create(RoundRobinSchema)),
      },
    },
  ];
  return {
    typedExtensionConfig: {
      name: 'envoy.load_balancing_policies.wrr_locality',
      typedConfig: anyPack(
        WrrLocalitySchema,
        create(WrrLocalitySchema, { endpointPickingPolicy: { policies } }),
      ),
    },
  };
}

/** gRPC compares endpoints with each other (gRFC A50), and counts no failures in a row. */
function statistical(rules: OutlierDetection): ReturnType<typeof outlierDetection> | undefined {
  const { deviation, failurePercentage, successRate } = rules;
  if ((deviation ?? failurePercentage ?? successRate) === undefined) return undefined;
  const { intervalMs, baseEjectionMs, maxEjectionMs, maxEjectionPercent } = rules;
  const given = {
    deviation,
    failurePercentage,
    successRate,
    intervalMs,
    baseEjectionMs,
    maxEjectionMs,
    maxEjectionPercent,
  };
  const encoded = outlierDetection(
    Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as OutlierDetection,
  );
  // Tulle's own rule judges each endpoint by itself, however few there are.
  return successRate !== undefined && failurePercentage === undefined
    ? { ...encoded, failurePercentageMinimumHosts: 1 }
    : encoded;
}
