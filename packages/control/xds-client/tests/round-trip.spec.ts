import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeResource, type ResourceKind, type ResourceModels, versionOf } from '@tulle/xds-server';
import { cluster, endpointSet, listener, routeConfig } from '../src/arbitraries/index.ts';
import { createResourceDecoder } from '../src/decode/resource.ts';
import { canonical } from './canonical.ts';

const decoder = createResourceDecoder();

function roundTrip<Kind extends ResourceKind>(
  kind: Kind,
  resource: ResourceModels[Kind],
): ResourceModels[Kind] {
  const decoded = decoder.decode(kind, encodeResource(kind, resource));
  if (!decoded.ok)
    throw new Error(decoded.issues.map(({ path, message }) => `${path}: ${message}`).join('\n'));
  return decoded.resource;
}

const cases = [
  ['listener', listener()],
  ['route', routeConfig()],
  ['cluster', cluster()],
  ['endpoint', endpointSet()],
] as const;

describe.each(cases)('a %s over the wire', (kind, arbitrary) => {
  it('means the same as before, whatever it holds', () => {
    fc.assert(
      fc.property(arbitrary as fc.Arbitrary<never>, (resource: ResourceModels[typeof kind]) => {
        const form = canonical[kind] as (model: ResourceModels[typeof kind]) => unknown;
        const received = roundTrip(kind, resource);
        expect(form(received)).toStrictEqual(form(resource));
        // What was received goes on unchanged: a second trip alters nothing, not even the form.
        expect(roundTrip(kind, received)).toStrictEqual(received);
      }),
      { numRuns: 300 },
    );
  });

  it('has a version that depends on its content alone', () => {
    fc.assert(
      fc.property(arbitrary as fc.Arbitrary<never>, (resource: ResourceModels[typeof kind]) => {
        const shuffled = reverseKeys(resource) as ResourceModels[typeof kind];
        expect(versionOf(encodeResource(kind, shuffled).value)).toBe(
          versionOf(encodeResource(kind, resource).value),
        );
      }),
      { numRuns: 100 },
    );
  });
});

function reverseKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reverseKeys);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, one]) => [key, reverseKeys(one)]),
  );
}
