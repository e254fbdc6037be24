import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileOrigins } from './origins.ts';

describe('an origin', () => {
  it.each<[string, string, boolean]>([
    ['https://a.example', 'https://a.example', true],
    ['https://A.Example', 'https://a.example', true],
    ['https://a.example:443', 'https://a.example', true],
    ['https://a.example', 'https://a.example:443', true],
    ['https://a.example:0443', 'https://a.example', true],
    ['http://a.example', 'https://a.example', false],
    ['https://a.example', 'https://a.example:8443', false],
    ['https://a.example:8443', 'https://a.example:8443', true],
    ['https://a.example', 'https://b.a.example', false],
    ['https://a.example', 'https://a.example.evil', false],
    ['https://a.example', 'https://a-example', false],
    ['https://a.example', 'null', false],
    ['https://a.example', '', false],
    ['https://*.a.example', 'https://b.a.example', true],
    ['https://*.a.example', 'https://c.b.a.example', true],
    ['https://*.a.example', 'https://a.example', false],
    ['https://*.a.example', 'https://.a.example', false],
    ['https://*.a.example', 'https://ba.example', false],
    ['https://*.a.example', 'https://evil.example/.a.example', false],
    ['https://*.a.example', 'https://evil.example#.a.example', false],
    ['https://*.a.example', 'https://evil@b.a.example', false],
    ['https://*.a.example', 'http://b.a.example', false],
    ['https://*.a.example', 'https://b.a.example:8443', false],
    ['https://*.a.example:8443', 'https://b.a.example:8443', true],
    ['https://*', 'https://any.example', true],
    ['https://*', 'http://any.example', false],
    ['http://[::1]:3000', 'http://[::1]:3000', true],
    ['http://[::1]', 'http://[::1]', true],
    ['*', 'https://any.example', true],
    ['*', 'null', false],
    ['*', 'https://a.example https://b.example', false],
    ['*', 'https://a.example\u0000', false],
  ])('list %s, origin %s: %s', (pattern, origin, listed) => {
    expect(compileOrigins([pattern])(origin)).toBe(listed);
  });

  const label = fc.stringMatching(/^[a-z][a-z0-9]{0,5}$/);
  const host = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
  const port = fc.constantFrom('', ':80', ':443', ':8080');
  const pattern = fc
    .tuple(fc.constantFrom('http', 'https'), fc.boolean(), host, port)
    .map(([scheme, wild, name, at]) => `${scheme}://${wild ? '*.' : ''}${name}${at}`);
  const origin = fc.oneof(
    fc
      .tuple(fc.constantFrom('http', 'https'), host, port)
      .map(([scheme, name, at]) => `${scheme}://${name}${at}`),
    fc.string(),
    fc.webUrl(),
  );

  /** What a URL parser makes of both: the same scheme and port, and a host that is the same or ends like it. */
  const expected = (patterns: readonly string[], text: string): boolean => {
    const url = URL.parse(text);
    if (url === null || !/^https?:\/\/[^/?#@\\\s]+$/.test(text) || text.endsWith(':')) return false;
    return patterns.some((one) => {
      const wanted = new URL(one.replace('*.', 'wild.'));
      if (wanted.protocol !== url.protocol || wanted.port !== url.port) return false;
      return one.includes('*.')
        ? url.hostname.endsWith(wanted.hostname.slice('wild'.length)) &&
            url.hostname.length >= wanted.hostname.length - 3
        : url.hostname === wanted.hostname;
    });
  };

  it('is listed only when a URL parser agrees', () => {
    fc.assert(
      fc.property(fc.array(pattern, { minLength: 1, maxLength: 4 }), origin, (patterns, text) => {
        if (compileOrigins(patterns)(text)) expect(expected(patterns, text)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is listed when it is spelt as a browser spells one of the list', () => {
    fc.assert(
      fc.property(fc.array(pattern, { maxLength: 3 }), pattern, label, (others, one, sub) => {
        const spelt = new URL(one.replace('*', sub)).origin;
        expect(compileOrigins([...others, one])(spelt)).toBe(true);
      }),
    );
  });
});
