import { create } from '@bufbuild/protobuf';
import type { Endpoint, EndpointPolicy, EndpointSet, Locality as ModelLocality } from '@tulle/model';
import { HealthStatus } from '@tulle/xds-proto/envoy/config/core/v3/health_check';
import {
  type ClusterLoadAssignment,
  type ClusterLoadAssignment_PolicySchema,
  ClusterLoadAssignmentSchema,
} from '@tulle/xds-proto/envoy/config/endpoint/v3/endpoint';
import {
  type EndpointSchema,
  type LbEndpoint,
  LbEndpointSchema,
  type LocalityLbEndpointsSchema,
} from '@tulle/xds-proto/envoy/config/endpoint/v3/endpoint_components';
import { FractionalPercent_DenominatorType as Denominator } from '@tulle/xds-proto/envoy/type/v3/percent';
import { LB_METADATA, PLAIN_ENDPOINT, TRANSPORT_SOCKET_METADATA, TULLE_METADATA } from '../wire.ts';
import { encodeAddress } from './address.ts';
import type { EncodeForm } from './form.ts';
import { type Fields, metadata } from './values.ts';

export function encodeEndpointSet(
  { name, endpoints, policy }: EndpointSet,
  { workloadCertificate, release }: EncodeForm,
): ClusterLoadAssignment {
  const speaksTunnels = workloadCertificate.kind === 'own' && release === 'this';
  return encodeAssignment(name, speaksTunnels ? endpoints : withoutTunnels(endpoints), policy);
}

/**
 * Endpoints for a client that speaks no tunnels: TLS to their own ports would fail, which is in plain text.
 * @throws Error where that leaves none of them
 */
export function withoutTunnels(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const left = endpoints.filter(({ mode }) => mode !== 'hbone');
  if (left.length === 0 && endpoints.length > 0)
    throw new Error(
      '/endpoints: all are reached by tunnels (mode hbone), which this client does not speak; one with a sidecar can be reached',
    );
  return left;
}

/** Endpoints grouped by locality, its weight, and priority, groups in the order of their first endpoint. */
export function encodeAssignment(
  clusterName: string,
  endpoints: readonly Endpoint[],
  policy?: EndpointPolicy,
): ClusterLoadAssignment {
  const groups = new Map<string, GroupInit & { lbEndpoints: LbEndpoint[] }>();
  for (const endpoint of endpoints) {
    const { locality, localityWeight, priority = 0 } = endpoint;
    const key = JSON.stringify([
      priority,
      localityWeight,
      locality && [locality.region, locality.zone ?? '', locality.subZone ?? ''],
    ]);
    let group = groups.get(key);
    if (!group) {
      group = {
        priority,
        lbEndpoints: [],
        ...(locality && { locality: encodeLocality(locality) }),
        ...(localityWeight !== undefined && { loadBalancingWeight: localityWeight }),
      };
      groups.set(key, group);
    }
    group.lbEndpoints.push(encodeEndpoint(endpoint));
  }
  return create(ClusterLoadAssignmentSchema, {
    clusterName,
    endpoints: [...groups.values()],
    ...(policy && { policy: encodePolicy(policy) }),
  });
}

function encodePolicy({
  overprovisioningPercent,
  weightedHealth,
  drops = [],
}: EndpointPolicy): Fields<typeof ClusterLoadAssignment_PolicySchema> {
  return {
    ...(overprovisioningPercent !== undefined && { overprovisioningFactor: overprovisioningPercent }),
    weightedPriorityHealth: weightedHealth ?? false,
    dropOverloads: drops.map(({ category, perMillion }) => ({
      category,
      dropPercentage: { numerator: perMillion, denominator: Denominator.MILLION },
    })),
  };
}

type GroupInit = Fields<typeof LocalityLbEndpointsSchema>;

function encodeLocality({ region, zone, subZone }: ModelLocality): {
  region: string;
  zone: string;
  subZone: string;
} {
  return { region, zone: zone ?? '', subZone: subZone ?? '' };
}

const HEALTH = {
  healthy: HealthStatus.HEALTHY,
  unhealthy: HealthStatus.UNHEALTHY,
  draining: HealthStatus.DRAINING,
  degraded: HealthStatus.DEGRADED,
} as const;

function checked({ healthCheck }: Endpoint): Fields<typeof EndpointSchema> {
  if (healthCheck === undefined) return {};
  const { port, host, hostname = '', disabled = false } = healthCheck;
  return {
    healthCheckConfig: {
      portValue: port ?? 0,
      hostname,
      disableActiveHealthCheck: disabled,
      ...(host !== undefined && { address: encodeAddress({ host, port: port ?? 0 }) }),
    },
  };
}

function encodeEndpoint(endpoint: Endpoint): LbEndpoint {
  const {
    address,
    additionalAddresses = [],
    hostname = '',
    weight,
    health,
    identity,
    mode,
    tunnel,
    labels,
    tlsLabels,
  } = endpoint;
  const described = metadata({
    ...endpoint.metadata,
    ...(labels && { [LB_METADATA]: labels }),
    [TULLE_METADATA]: { identity, mode, tunnel },
    ...((mode === 'none' || tlsLabels !== undefined) && {
      [TRANSPORT_SOCKET_METADATA]: mode === 'none' ? { ...tlsLabels, ...PLAIN_ENDPOINT } : tlsLabels,
    }),
  });
  return create(LbEndpointSchema, {
    hostIdentifier: {
      case: 'endpoint',
      value: {
        address: encodeAddress(address),
        additionalAddresses: additionalAddresses.map((other) => ({ address: encodeAddress(other) })),
        hostname,
        ...checked(endpoint),
      },
    },
    healthStatus: health === undefined ? HealthStatus.UNKNOWN : HEALTH[health],
    ...(weight !== undefined && { loadBalancingWeight: weight }),
    ...(described && { metadata: described }),
  });
}
