import type { JsonObject } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { clusterOf, refusedAt } from './envoy-json.ts';

describe("Envoy's policy of endpoints", () => {
  const withPolicy = (policy: JsonObject, lbEndpoints: JsonObject[] = []): JsonObject => ({
    type: 'STATIC',
    load_assignment: { cluster_name: 'c', policy, endpoints: [{ lb_endpoints: lbEndpoints }] },
  });

  it('says what is refused, and how health counts', () => {
    const given = {
      drop_overloads: [
        { category: 'lb', drop_percentage: { numerator: 5, denominator: 'TEN_THOUSAND' } },
        { category: 'all', drop_percentage: { numerator: 200 } },
      ],
      overprovisioning_factor: 100,
      weighted_priority_health: true,
    };
    expect(clusterOf(withPolicy(given)).discovery).toEqual({
      kind: 'static',
      endpoints: [],
      policy: {
        drops: [
          { category: 'lb', perMillion: 500 },
          { category: 'all', perMillion: 1_000_000 },
        ],
        overprovisioningPercent: 100,
        weightedHealth: true,
      },
    });
    expect(clusterOf(withPolicy({ overprovisioning_factor: 140 })).discovery).not.toHaveProperty('policy');
  });

  it.each([
    ['overprovisioning_factor', { overprovisioning_factor: 0 }],
    ['drop_overloads[0].category', { drop_overloads: [{ drop_percentage: { numerator: 1 } }] }],
    ['drop_overloads[0].drop_percentage', { drop_overloads: [{ category: 'lb' }] }],
    ['endpoint_stale_after', { endpoint_stale_after: '1s' }],
  ])('is refused at %s', (field, policy) => {
    expect(refusedAt(withPolicy(policy as unknown as JsonObject))).toEqual([
      `load_assignment.policy.${field}`,
    ]);
  });

  it('may call endpoints degraded', () => {
    const address = { socket_address: { address: '10.0.0.1', port_value: 80 } };
    const { discovery } = clusterOf(withPolicy({}, [{ endpoint: { address }, health_status: 'DEGRADED' }]));
    expect(discovery).toMatchObject({ endpoints: [{ health: 'degraded' }] });
  });
});
