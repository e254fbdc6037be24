import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { grantCovers, grantOf, joinGrants, labelsFault } from './labels.ts';

describe('granted labels', () => {
  it('cover what was granted, each name and value, and nothing else', () => {
    const grant = joinGrants([
      grantOf({ app: 'orders', version: 'v1' }),
      grantOf({ app: 'orders', version: 'v2' }),
    ]);
    expect(grant).toEqual({ app: ['orders'], version: ['v1', 'v2'] });
    expect(grantCovers(grant, { app: 'orders' })).toBe(true);
    expect(grantCovers(grant, { app: 'orders', version: 'v2' })).toBe(true);
    expect(grantCovers(grant, { app: 'orders', version: 'v3' })).toBe(false);
    expect(grantCovers(grant, { app: 'orders', tier: 'gold' })).toBe(false);
    expect(grantCovers({}, { app: 'orders' })).toBe(false);
    expect(grantCovers({}, { constructor: 'Object' })).toBe(false);
    expect(grantCovers('*', { any: 'thing' })).toBe(true);
    expect(joinGrants([{ app: ['a'] }, '*'])).toBe('*');
    expect(joinGrants([])).toEqual({});
  });

  it('of nothing cover nothing but the empty selector', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string()), (labels) => {
        expect(grantCovers(grantOf(undefined), labels)).toBe(Object.keys(labels).length === 0);
        expect(grantCovers(grantOf(labels), labels)).toBe(true);
      }),
    );
  });

  it.each<[Record<string, string>, string | undefined]>([
    [{ app: 'web', 'app.kubernetes.io/name': 'web', empty: '' }, undefined],
    [{ 'a b': 'x' }, '"a b" is not a label\'s name'],
    [{ '/x': 'x' }, "is not a label's name"],
    [{ app: '-web' }, '"-web" of app is not a label\'s value'],
    [{ app: 'x'.repeat(64) }, "is not a label's value"],
    [Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`l${i}`, 'x'])), '65 labels; at most 64'],
  ])('of %j: %s', (labels, fault) => {
    if (fault === undefined) expect(labelsFault(labels)).toBeUndefined();
    else expect(labelsFault(labels)).toContain(fault);
  });
});
