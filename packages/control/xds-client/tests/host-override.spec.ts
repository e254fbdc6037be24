import type { JsonObject } from '@bufbuild/protobuf';
import { OverrideHostSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/override_host/v3/override_host';
import { RingHashSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash';
import { SubsetSchema } from '@tulle/xds-proto/envoy/extensions/load_balancing_policies/subset/v3/subset';
import { expect, it } from 'vitest';
import { clusterOf, refusedAt } from './envoy-json.ts';

const PREFIX = 'type.googleapis.com/envoy.extensions.load_balancing_policies';
const TYPES = [OverrideHostSchema, RingHashSchema, SubsetSchema];
const AT = 'load_balancing_policy.policies[0].typed_extension_config.typed_config';

const policies = (typed_config: JsonObject): JsonObject => ({
  policies: [{ typed_extension_config: { name: 'p', typed_config } }],
});
const ring = policies({ '@type': `${PREFIX}.ring_hash.v3.RingHash`, minimum_ring_size: '7' });
const override = (fields: JsonObject): JsonObject =>
  policies({
    '@type': `${PREFIX}.override_host.v3.OverrideHost`,
    override_host_sources: [{ header: 'x-endpoint' }],
    fallback_policy: ring,
    ...fields,
  });
const cluster = (policy: JsonObject): JsonObject => ({ load_balancing_policy: policy });
const place: JsonObject = { key: 'envoy.lb', path: [{ key: 'a' }, { key: 'b' }] };

it('stands around the policy that it falls back to', () => {
  const given = override({
    override_host_sources: [{ header: 'x-endpoint' }, { metadata: place }],
    selected_host_key: { key: 'envoy.lb', path: [{ key: 'served' }] },
  });
  expect(clusterOf(cluster(given), ...TYPES)).toMatchObject({
    balance: { policy: 'ring-hash', minRingSize: 7 },
    hostOverride: {
      sources: [
        { kind: 'header', name: 'x-endpoint' },
        { kind: 'metadata', namespace: 'envoy.lb', path: ['a', 'b'] },
      ],
      chosenIn: { namespace: 'envoy.lb', path: ['served'] },
    },
  });
});

it.each([
  ['override_host_sources', { override_host_sources: [] }],
  ['override_host_sources[0]', { override_host_sources: [{}] }],
  ['override_host_sources[0]', { override_host_sources: [{ header: 'x', metadata: place }] }],
  ['override_host_sources[0].metadata.path', { override_host_sources: [{ metadata: { key: 'a' } }] }],
  ['selected_host_key.key', { selected_host_key: { path: [{ key: 'a' }] } }],
  ['fallback_policy', { fallback_policy: { policies: [] } }],
  ['fallback_policy', { fallback_policy: override({}) }],
])('is refused at %s', (field, fields) => {
  expect(refusedAt(cluster(override(fields as unknown as JsonObject)), ...TYPES)).toEqual([`${AT}.${field}`]);
});

it('stands around subsets, not within', () => {
  const subset = policies({
    '@type': `${PREFIX}.subset.v3.Subset`,
    subset_selectors: [{ keys: ['k'] }],
    subset_lb_policy: override({}),
  });
  expect(refusedAt(cluster(subset), ...TYPES)).toEqual([`${AT}.subset_lb_policy`]);
});
