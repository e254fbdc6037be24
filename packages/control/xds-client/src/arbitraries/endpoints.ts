import fc from 'fast-check';
import type { Endpoint, EndpointPolicy, EndpointSet, Locality } from '@tulle/model';
import { address, ipAddress, label, labels, object, options, spiffeId } from './basics.ts';
import { tunnel } from './tunnel.ts';

const locality: fc.Arbitrary<Locality> = object<Locality>(
  { region: fc.constantFrom('', 'eu', 'us') },
  { zone: fc.constantFrom('a', 'b'), subZone: fc.constantFrom('1', '2') },
);

export const endpoint: fc.Arbitrary<Endpoint> = object<Endpoint>(
  { address },
  {
    hostname: label,
    weight: fc.integer({ min: 1, max: 1000 }),
    health: fc.constantFrom('healthy', 'unhealthy', 'draining', 'degraded'),
    locality,
    localityWeight: fc.integer({ min: 1, max: 1000 }),
    priority: fc.integer({ min: 0, max: 3 }),
    identity: spiffeId,
    mode: fc.constantFrom('sidecar', 'captured', 'none', 'hbone'),
    tunnel,
    healthCheck: options<NonNullable<Endpoint['healthCheck']>>({
      port: fc.integer({ min: 1, max: 65_535 }),
      host: fc.ipV4(),
      hostname: label,
      disabled: fc.constant(true),
    }),
    tlsLabels: fc.dictionary(label, label, { minKeys: 1, maxKeys: 2, noNullPrototype: true }),
    labels,
  },
);

export const policy: fc.Arbitrary<EndpointPolicy> = options<EndpointPolicy>({
  overprovisioningPercent: fc.integer({ min: 1, max: 1_000 }).filter((percent) => percent !== 140),
  weightedHealth: fc.constant(true),
  drops: fc.array(
    fc.record(
      { category: label, perMillion: fc.integer({ min: 0, max: 1_000_000 }) },
      { noNullPrototype: true },
    ),
    { minLength: 1, maxLength: 2 },
  ),
}).filter((some) => Object.keys(some).length > 0);

/** One that may have several addresses, which those do not have that are found by name. */
export const listed: fc.Arbitrary<Endpoint> = fc
  .tuple(
    endpoint,
    fc.array(
      fc.record({ host: ipAddress, port: fc.integer({ min: 1, max: 65_535 }) }, { noNullPrototype: true }),
      { maxLength: 2 },
    ),
  )
  .map(([one, additionalAddresses]) =>
    'host' in one.address && one.mode !== 'hbone' && additionalAddresses.length > 0
      ? { ...one, additionalAddresses }
      : one,
  );

/** An endpoint set of the given name. */
export function endpointSet(name: fc.Arbitrary<string> = label): fc.Arbitrary<EndpointSet> {
  return object<EndpointSet>({ name, endpoints: fc.array(listed, { maxLength: 4 }) }, { policy });
}
