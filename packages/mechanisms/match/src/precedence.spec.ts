import type { RouteMatch } from '@tulle/model';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { comparePrecedence, sortByPrecedence, type PrecedenceKey } from './index.ts';

const present = { name: 'x', match: { kind: 'present' as const } };
const prefix = (value: string, rest: Partial<RouteMatch> = {}): RouteMatch => ({
  path: { kind: 'prefix', value },
  ...rest,
});
const key = (match: RouteMatch, rest: Partial<PrecedenceKey> = {}): PrecedenceKey => ({
  match,
  name: 'default/a',
  rule: 0,
  ...rest,
});

it('orders by Gateway API precedence, one criterion after the other', () => {
  const best: PrecedenceKey[] = [
    key({ path: { kind: 'exact', value: '/a' }, method: 'GET' }),
    key({ path: { kind: 'exact', value: '/longer/but/not/better' } }, { name: 'default/b' }),
    key({ path: { kind: 'regex', value: '/a.*' } }),
    key(prefix('/abc')),
    key(prefix('/a', { method: 'GET' })),
    key(prefix('/a', { headers: [present, present] })),
    key(prefix('/a', { headers: [present], query: [present, present] })),
    key(prefix('/a', { headers: [present], query: [present] })),
    key(prefix('/a'), { createdMs: 1_000, name: 'default/z' }),
    key(prefix('/a/'), { createdMs: 2_000 }),
    key(prefix('/a'), { name: 'default/a' }),
    key(prefix('/a'), { name: 'default/a', rule: 1 }),
    key(prefix('/a'), { name: 'default/b' }),
    key(prefix('/')),
  ];
  expect(sortByPrecedence(best.toReversed())).toEqual(best);
});

it('orders matches of GRPCRoutes by the characters of service, then method, whatever their paths are compared by', () => {
  const grpc = (serviceChars: number, methodChars: number) => ({ grpc: { serviceChars, methodChars } });
  const best: PrecedenceKey[] = [
    key({ path: { kind: 'bytes-prefix', value: '/shop.Orders/' } }, grpc(11, 0)),
    key({ path: { kind: 'exact', value: '/a.B/Get' }, headers: [present] }, grpc(3, 3)),
    key({ path: { kind: 'exact', value: '/a.B/Get' } }, grpc(3, 3)),
    key({ path: { kind: 'regex', value: '/a../Get' } }, grpc(3, 3)),
    key({ path: { kind: 'bytes-prefix', value: '/a.B/' } }, grpc(3, 0)),
    key({ path: { kind: 'regex', value: '/[^/]+/LongMethod' } }, grpc(0, 10)),
    key(prefix('/'), grpc(0, 0)),
    key({ path: { kind: 'exact', value: '/a' } }),
  ];
  expect(sortByPrecedence(best.toReversed())).toEqual(best);
});

it('is a total order', () => {
  const arbitrary = fc.record(
    {
      match: fc.record(
        {
          path: fc.record({
            kind: fc.constantFrom('exact' as const, 'prefix' as const, 'regex' as const),
            value: fc.constantFrom('/', '/a', '/a/', '/bb'),
          }),
          method: fc.constant('GET'),
        },
        { requiredKeys: ['path'] },
      ),
      createdMs: fc.nat(2),
      grpc: fc.record({ serviceChars: fc.nat(2), methodChars: fc.nat(2) }),
      name: fc.constantFrom('a/b', 'a/c'),
      rule: fc.nat(2),
    },
    { requiredKeys: ['match', 'name', 'rule'] },
  ) as fc.Arbitrary<PrecedenceKey>;
  fc.assert(
    fc.property(arbitrary, arbitrary, arbitrary, (a, b, c) => {
      expect(Math.sign(comparePrecedence(a, b)) + Math.sign(comparePrecedence(b, a))).toBe(0);
      if (comparePrecedence(a, b) <= 0 && comparePrecedence(b, c) <= 0)
        expect(comparePrecedence(a, c)).toBeLessThanOrEqual(0);
    }),
  );
});
