import { create } from '@bufbuild/protobuf';
import { isIP } from 'node:net';
import type { Endpoint, EndpointSet } from '@tulle/model';
import { LocalitySchema } from '@tulle/xds-proto/envoy/config/core/v3/base';
import type { ClusterLoadAssignment } from '@tulle/xds-proto/envoy/config/endpoint/v3/endpoint';
import { encodeAssignment, withoutTunnels } from '../endpoints.ts';
import { refuse } from './refuse.ts';

const MAX_WEIGHT = 2 ** 32 - 1;

/**
 * Endpoints as gRPC reads them (gRFC A27): IP addresses, every group with a locality, be it the nameless one, and with a
 * weight, for without one gRPC passes over it; priorities without gaps.
 */
export function encodeGrpcEndpoints({ name, endpoints: all, policy }: EndpointSet): ClusterLoadAssignment {
  for (const [i, { address }] of all.entries())
    if (!('host' in address) || isIP(address.host) === 0)
      refuse(`/endpoints/${i}/address`, 'gRPC takes IP addresses only');
  const endpoints = withoutTunnels(all);
  const priorities = [...new Set(endpoints.map(({ priority = 0 }) => priority))].toSorted((a, b) => a - b);
  const placed = endpoints.map((endpoint): Endpoint => {
    const {
      labels: _l,
      identity: _i,
      mode: _m,
      tlsLabels: _t,
      healthCheck: _h,
      metadata: _o,
      ...rest
    } = endpoint;
    return { ...rest, priority: priorities.indexOf(endpoint.priority ?? 0) };
  });
  const assignment = encodeAssignment(name, placed, policy);
  for (const group of assignment.endpoints) {
    group.locality ??= create(LocalitySchema);
    const sum = group.lbEndpoints.reduce((all, { loadBalancingWeight = 1 }) => all + loadBalancingWeight, 0);
    group.loadBalancingWeight ??= Math.min(MAX_WEIGHT, Math.max(1, sum));
  }
  return assignment;
}
