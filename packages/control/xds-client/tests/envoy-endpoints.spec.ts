import type { JsonObject } from '@bufbuild/protobuf';
import { ClientSideWeightedRoundRobinSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/client_side_weighted_round_robin/v3/client_side_weighted_round_robin';
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

describe("Envoy's weights by reports of load", () => {
  const policy = (fields: JsonObject): JsonObject => ({
    load_balancing_policy: {
      policies: [
        {
          typed_extension_config: {
            name: 'weights',
            typed_config: {
              '@type':
                'type.googleapis.com/envoy.extensions.load_balancing_policies.client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin',
              ...fields,
            },
          },
        },
      ],
    },
  });

  it('have its periods, no update more often than every 100 ms', () => {
    const given = policy({
      blackout_period: '1s',
      weight_expiration_period: '2s',
      weight_update_period: '0.001s',
      error_utilization_penalty: 0.5,
      enable_oob_load_report: false,
    });
    expect(clusterOf(given, ClientSideWeightedRoundRobinSchema).balance).toEqual({
      policy: 'client-side-weighted-round-robin',
      blackoutMs: 1_000,
      expirationMs: 2_000,
      updateMs: 100,
      errorPenalty: 0.5,
    });
  });

  it('come with answers, not by calls of their own', () => {
    expect(refusedAt(policy({ enable_oob_load_report: true }), ClientSideWeightedRoundRobinSchema)).toEqual([
      'load_balancing_policy.policies[0].typed_extension_config.typed_config.enable_oob_load_report',
    ]);
  });
});
