import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { explainPathRefusal, normalizeConfiguredPath, normalizePath } from './index.ts';

describe('every spelling of a path', () => {
  it.each([
    ['/admin', '/admin'],
    ['//admin', '/admin'],
    ['/x/../admin', '/admin'],
    ['/./admin', '/admin'],
    ['/%61dmin', '/admin'],
    ['/x/%2e%2E/admin', '/admin'],
    ['/x/.%2e/admin', '/admin'],
    ['/admin/.', '/admin/'],
    ['/admin/x/..', '/admin/'],
    ['/a///b//', '/a/b/'],
    ['/..a', '/..a'],
    ['/...', '/...'],
    ['/.well-known/x', '/.well-known/x'],
    ['/a/..', '/'],
    ['/', '/'],
    ['/admin;x=1', '/admin;x=1'],
    ['/a%2bb', '/a%2Bb'],
    ['/a|b', '/a%7Cb'],
    ['/[id]', '/%5Bid%5D'],
    ['/caf\u00c3\u00a9', '/caf%C3%A9'],
    ['/caf%c3%a9', '/caf%C3%A9'],
    ['/100%25', '/100%25'],
    ['/%7euser', '/~user'],
    ['/a%3fb', '/a%3Fb'],
    ['*', '*'],
  ])('%s becomes %s', (path, canonical) => {
    expect(normalizePath(path)).toBe(canonical);
    expect(explainPathRefusal(path)).toBe('');
  });

  it.each([
    ['/a%2fb', 'an escaped slash or backslash'],
    ['/a%5Cb', 'an escaped slash or backslash'],
    ['/a\\b', 'a backslash'],
    ['/a%00', 'an escaped control character'],
    ['/a%0d%0a', 'an escaped control character'],
    ['/..', 'a dot segment above the root'],
    ['/a/../..', 'a dot segment above the root'],
    ['/%2e%2e/a', 'a dot segment above the root'],
    ['/..;/admin', 'a dot segment with parameters'],
    ['/a/.;x/b', 'a dot segment with parameters'],
    ['/a/..%3Bx/b', 'a dot segment with parameters'],
    ['/a%', 'a percent sign without two hex digits'],
    ['/a%4', 'a percent sign without two hex digits'],
    ['/a%u002f', 'a percent sign without two hex digits'],
    ['/%252e%252e/a', 'an escape of an escape'],
    ['/%25%32%66', 'an escape of an escape'],
    ['/%2561dmin', 'an escape of an escape'],
    ['/%c0%af', 'overlong UTF-8'],
    ['/%C1%9C', 'overlong UTF-8'],
    ['/%e0%80%af', 'overlong UTF-8'],
    ['/%f0%80%80%af', 'overlong UTF-8'],
    ['/\u00c0\u00af', 'overlong UTF-8'],
    ['/a#b', 'a character that no path may hold'],
    ['/a?b', 'a character that no path may hold'],
    ['/a b', 'a character that no path may hold'],
    ['/a\u0000', 'a character that no path may hold'],
    ['admin', 'a path that does not begin with a slash'],
    ['', 'a path that does not begin with a slash'],
    ['**', 'a path that does not begin with a slash'],
  ])('%s is refused: %s', (path, reason) => {
    expect([normalizePath(path), explainPathRefusal(path)]).toEqual(['', reason]);
  });

  const piece = fc.oneof(
    fc.constantFrom(
      '/',
      '//',
      '.',
      '..',
      ';',
      '%2e',
      '%2F',
      '%25',
      '%41',
      '%c3%a9',
      '%C0%AF',
      '\\',
      '%00',
      'a',
      'B',
      '|',
      '\u00e9',
      '%',
      '%3B',
      '#',
      '%7e',
    ),
    fc.string({ maxLength: 3 }),
  );
  const anyPath = fc.array(piece, { maxLength: 12 }).map((pieces) => `/${pieces.join('')}`);

  it('is judged the same however often it is normalised, and what comes out is plain RFC 3986', () => {
    fc.assert(
      fc.property(anyPath, (path) => {
        const canonical = normalizePath(path);
        expect(canonical === '').toBe(explainPathRefusal(path) !== '');
        if (canonical === '') return;
        expect(normalizePath(canonical)).toBe(canonical);
        expect(canonical).toMatch(/^\/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-F]{2})*$/);
        expect(canonical).not.toMatch(/\/\/|\/\.\.?(?:\/|;|$)|%2F|%5C|%00/);
      }),
      { numRuns: 3_000 },
    );
  });

  it('names the resource that a decoding, dot-resolving origin would open', () => {
    fc.assert(
      fc.property(anyPath, (path) => {
        const canonical = normalizePath(path);
        if (canonical === '') return;
        // What the two spellings open, read by somebody who escapes nothing and resolves everything (WHATWG URL, octets as they are).
        const opened = (text: string): string => {
          const octets = text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) =>
            String.fromCharCode(parseInt(hex, 16)),
          );
          const kept: string[] = [];
          const segments = octets.split('/').slice(1);
          for (const segment of segments) {
            if (segment === '..') kept.pop();
            else if (segment !== '.' && segment !== '') kept.push(segment);
          }
          return kept.join('/');
        };
        expect(opened(canonical)).toBe(opened(path));
      }),
      { numRuns: 3_000 },
    );
  });

  it('comes back as the very same string when it is clean', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^(?:\/[a-zA-Z0-9_~!:@;-]{1,8}){1,6}\/?$/), (path) => {
        expect(normalizePath(path)).toBe(path);
      }),
    );
  });
});

it('takes text beyond ASCII in a configured path as its UTF-8 octets', () => {
  expect([
    normalizeConfiguredPath('/café/日'),
    normalizeConfiguredPath('/a\ud800'),
    normalizeConfiguredPath('a'),
  ]).toEqual(['/caf%C3%A9/%E6%97%A5', '', '']);
});
