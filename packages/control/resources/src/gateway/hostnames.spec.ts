import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attachedHostnames, commonHostname, compareHostnames, coversHostname } from './hostnames.ts';

describe('hosts that a listener and a route have in common', () => {
  it.each([
    [undefined, undefined, ['*']],
    [undefined, ['a.example.com'], ['a.example.com']],
    ['*.example.com', undefined, ['*.example.com']],
    ['*.example.com', ['example.com'], []],
    [
      '*.example.com',
      ['a.example.com', 'b.c.example.com', 'a.example.org'],
      ['a.example.com', 'b.c.example.com'],
    ],
    ['a.example.com', ['*.example.com', '*.com'], ['a.example.com']],
    ['*.example.com', ['*.com'], ['*.example.com']],
    ['*.com', ['*.example.com'], ['*.example.com']],
    ['a.example.com', ['b.example.com'], []],
    ['*.example.com', ['a.notexample.com'], []],
  ])('%s and %j: %j', (listener, route, expected) => {
    expect(attachedHostnames(listener, route)).toEqual(expected);
  });

  it('are what both cover, whatever the patterns', () => {
    const label = fc.constantFrom('a', 'b', 'com');
    const host = fc.array(label, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('.'));
    const pattern = fc.oneof(
      fc.constant('*'),
      host,
      host.map((h) => `*.${h}`),
    );
    fc.assert(
      fc.property(pattern, pattern, host, (a, b, one) => {
        const common = commonHostname(a, b);
        const both = coversHostname(a, one) && coversHostname(b, one);
        expect(common !== undefined && coversHostname(common, one)).toBe(both);
        expect(commonHostname(b, a)).toBe(common);
      }),
    );
  });

  it('are tried from the most specific', () => {
    expect(['*', '*.com', 'a.com', '*.a.com', 'b.a.com'].toSorted(compareHostnames)).toEqual([
      'b.a.com',
      'a.com',
      '*.a.com',
      '*.com',
      '*',
    ]);
  });
});
