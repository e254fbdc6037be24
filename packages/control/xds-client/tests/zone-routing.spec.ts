import type { JsonObject } from '@bufbuild/protobuf';
import { LeastRequestSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/least_request/v3/least_request';
import { expect, it } from 'vitest';
import { clusterOf } from './envoy-json.ts';

const ZONES: JsonObject = {
  routing_enabled: { value: 40 },
  min_cluster_size: '3',
  fail_traffic_on_panic: true,
};
const common = (zone_aware_lb_config: JsonObject): JsonObject => ({
  common_lb_config: { zone_aware_lb_config },
});

it.each(['ROUND_ROBIN', 'LEAST_REQUEST', 'RANDOM'])('is taken beside %s', (lb_policy) => {
  expect(clusterOf({ lb_policy, ...common(ZONES) })).toMatchObject({
    zoneRouting: { percent: 40, minEndpoints: 3 },
    failOnPanic: true,
  });
  expect(clusterOf({ lb_policy, ...common({}) }).zoneRouting).toEqual({});
});

it('is taken of a policy in the newer form, and then not of the older field', () => {
  const policy = (fields: JsonObject): JsonObject => ({
    load_balancing_policy: {
      policies: [
        {
          typed_extension_config: {
            name: 'p',
            typed_config: {
              '@type':
                'type.googleapis.com/envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest',
              ...fields,
            },
          },
        },
      ],
    },
  });
  const zoned = policy({ locality_lb_config: { zone_aware_lb_config: ZONES } });
  expect(clusterOf(zoned, LeastRequestSchema).zoneRouting).toEqual({ percent: 40, minEndpoints: 3 });
  const old = clusterOf({ ...policy({}), ...common(ZONES) }, LeastRequestSchema);
  expect(old).not.toHaveProperty('zoneRouting');
});

it('says nothing beside hashes, and for none of the requests', () => {
  expect(clusterOf({ lb_policy: 'MAGLEV', ...common(ZONES) })).not.toHaveProperty('zoneRouting');
  const off = clusterOf(common({ routing_enabled: { value: 0 }, fail_traffic_on_panic: true }));
  expect(off).not.toHaveProperty('zoneRouting');
  expect(off.failOnPanic).toBe(true);
});
