import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hostOf, normalizeHost, portOf } from './index.ts';

describe('one host decides', () => {
  it.each([
    ['shop.example', 'shop.example'],
    ['Shop.EXAMPLE', 'shop.example'],
    ['shop.example.', 'shop.example'],
    ['shop.example:8080', 'shop.example:8080'],
    ['Shop.example.:080', 'shop.example:80'],
    ['a:', 'a'],
    ['10.0.0.1:80', '10.0.0.1:80'],
    ['[::1]:80', '[::1]:80'],
    ['[0:0:0:0:0:0:0:1]', '[::1]'],
    ['[2001:DB8::0:1]', '[2001:db8::1]'],
    ['[::ffff:10.0.0.1]', '[::ffff:a00:1]'],
    ['my_service', 'my_service'],
    // RFC 3986 §3.2.2: what a registered name may have beside letters and digits.
    ['one.test;', 'one.test;'],
    [';One.test:80', ';one.test:80'],
    ["a!$&'()*+=b.test", "a!$&'()*+=b.test"],
  ])('%s is %s', (value, host) => {
    expect(normalizeHost(value)).toBe(host);
    expect(normalizeHost(host)).toBe(host);
  });

  it.each([
    '',
    '.',
    'a..b',
    '.a',
    'a..',
    'user@a',
    'user:pw@a',
    'a,b',
    'a;,b',
    'a b',
    'a; b',
    'a;\r\nb',
    'a"b',
    'a\\b',
    'a|b',
    'a{b}',
    'a<b>',
    'a?b',
    'a#b',
    ';@a',
    'a;..b',
    'a%3bb',
    '[::1];',
    'a/b',
    'a%2eb',
    'a:0',
    'a:65536',
    'a:80:80',
    'a:8o',
    '::1',
    '[::1',
    '[::1]x',
    '[::1%25eth0]',
    '[1.2.3.4]',
    '[::1].',
    'a\u0000',
    'é',
    `${'a'.repeat(256)}`,
  ])('%j is refused', (value) => {
    expect(normalizeHost(value)).toBe('');
  });

  it('is the same however often it is normalised, whatever comes', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.domain(),
          fc.ipV6().map((ip) => `[${ip}]:443`),
          fc.stringMatching(/^[a-zA-Z0-9.:@[\]_,;'$-]{0,20}$/),
        ),
        (value) => {
          const host = normalizeHost(value);
          if (host === '') return;
          expect(normalizeHost(host)).toBe(host);
          expect(host).toMatch(/^(?:[a-z0-9_~!$&'()*+;=.-]+|\[[0-9a-f:]+\])(?::[1-9][0-9]*)?$/);
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

it('splits host and port', () => {
  expect([
    hostOf('a:80'),
    hostOf('a'),
    hostOf('[::1]:80'),
    hostOf('[::1]'),
    portOf('a:80'),
    portOf('a'),
    portOf('[::1]:80'),
    portOf('[::1]'),
  ]).toEqual(['a', 'a', '[::1]', '[::1]', 80, 0, 80, 0]);
});
