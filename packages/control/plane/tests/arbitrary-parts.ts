import fc from 'fast-check';
import type { Metadata } from '@tulle/resources';

// Few names, so that resources meet, replace each other and refer to what is there, or is not.
export const namespace: fc.Arbitrary<string> = fc.constantFrom('default', 'shop', 'tulle-system');
export const serviceName: fc.Arbitrary<string> = fc.constantFrom('a', 'b', 'c');
export const app: fc.Arbitrary<string> = fc.constantFrom('a', 'b');
export const gatewayName: fc.Arbitrary<string> = fc.constantFrom('edge', 'side');
export const setName: fc.Arbitrary<string> = fc.constantFrom('s1', 's2');
export const port: fc.Arbitrary<number> = fc.constantFrom(80, 81);
export const duration: fc.Arbitrary<string> = fc.constantFrom('1s', '250ms', '30s');

type Arbitraries<T> = { readonly [K in keyof T]: fc.Arbitrary<T[K]> };

/** An object with some fields that may be absent. */
export function some<R extends object, O extends object>(
  required: Arbitraries<R>,
  optional: Arbitraries<O>,
): fc.Arbitrary<R & Partial<O>> {
  return fc.record(
    { ...required, ...optional },
    { requiredKeys: Object.keys(required) as never[] },
  ) as unknown as fc.Arbitrary<R & Partial<O>>;
}

const created = fc.constantFrom('2020-01-01T00:00:00Z', '2021-01-01T00:00:00Z');
export const metadata = (
  name: fc.Arbitrary<string>,
  labels: fc.Arbitrary<Readonly<Record<string, string>>> = fc.constant({}),
): fc.Arbitrary<Metadata> => some({ name, namespace, labels }, { creationTimestamp: created });
