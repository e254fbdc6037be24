import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  controlPlaneId,
  parseSpiffeId,
  spiffeIdFault,
  spiffeIdMatches,
  workloadId,
  workloadOf,
} from './spiffe-id.ts';

const long = (length: number): string =>
  `spiffe://example.org/${'a'.repeat(length - 'spiffe://example.org/'.length)}`;

describe('SPIFFE ids', () => {
  it.each([
    ['spiffe://example.org', 'example.org', ''],
    ['spiffe://example.org/a', 'example.org', '/a'],
    ['spiffe://example.org/ns/default/sa/web', 'example.org', '/ns/default/sa/web'],
    ['spiffe://a_b-c.d1/X-Y_Z.0', 'a_b-c.d1', '/X-Y_Z.0'],
    ['spiffe://1.2.3.4/a', '1.2.3.4', '/a'],
    ['spiffe://example.org/...', 'example.org', '/...'],
    [long(2048), 'example.org', long(2048).slice('spiffe://example.org'.length)],
  ])('takes %s', (text, trustDomain, path) => {
    expect(parseSpiffeId(text)).toEqual({ text, trustDomain, path });
  });

  it.each([
    [''],
    ['example.org/a'],
    ['SPIFFE://example.org/a'],
    ['Spiffe://example.org/a'],
    ['http://example.org/a'],
    ['spiffe:example.org/a'],
    ['spiffe:/example.org/a'],
    ['spiffe://'],
    ['spiffe:///a'],
    ['spiffe://Example.org/a'],
    ['spiffe://example.org:443/a'],
    ['spiffe://user@example.org/a'],
    ['spiffe://exämple.org/a'],
    ['spiffe://example%2eorg/a'],
    ['spiffe://[::1]/a'],
    [`spiffe://${'a'.repeat(256)}/a`],
    ['spiffe://example.org/'],
    ['spiffe://example.org/a/'],
    ['spiffe://example.org//a'],
    ['spiffe://example.org/a//b'],
    ['spiffe://example.org/./a'],
    ['spiffe://example.org/a/..'],
    ['spiffe://example.org/a%20b'],
    ['spiffe://example.org/a?q=1'],
    ['spiffe://example.org?q=1'],
    ['spiffe://example.org/a#f'],
    ['spiffe://example.org/a b'],
    ['spiffe://example.org/a\u0000'],
    ['spiffe://example.org/a\n'],
    ['spiffe://example.org/ä'],
    ['spiffe://example.org/a+b'],
    [' spiffe://example.org/a'],
    [long(2049)],
  ])('refuses %j with a reason', (text) => {
    expect(spiffeIdFault(text)).toBeTypeOf('string');
    expect(() => parseSpiffeId(text)).toThrow(/is not a SPIFFE ID/);
  });

  it('never throws on any text, and takes only what parses back to itself', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((s) => `spiffe://example.org/${s}`),
        ),
        (text) => {
          if (spiffeIdFault(text) !== undefined) return true;
          const { trustDomain, path } = parseSpiffeId(text);
          return `spiffe://${trustDomain}${path}` === text && /^[\x21-\x7e]+$/.test(text);
        },
      ),
    );
  });

  it('names workloads and reads the names back', () => {
    const name = { trustDomain: 'example.org', namespace: 'shop', serviceAccount: 'web' };
    expect(workloadId(name)).toBe('spiffe://example.org/ns/shop/sa/web');
    expect(workloadOf(workloadId(name))).toEqual(name);
    expect(workloadOf('spiffe://example.org/ns/shop/sa/web/more')).toBeUndefined();
    expect(workloadOf('spiffe://example.org/sa/web/ns/shop')).toBeUndefined();
    expect(workloadOf('no id')).toBeUndefined();
    expect(controlPlaneId('example.org')).toBe('spiffe://example.org/ns/tulle-system/sa/control-plane');
  });

  it.each([
    [{ namespace: 'a/b' }, 'namespace'],
    [{ namespace: '..' }, 'namespace'],
    [{ serviceAccount: '' }, 'service account'],
    [{ serviceAccount: 'a/sa/b' }, 'service account'],
    [{ trustDomain: 'Example' }, 'trust domain'],
  ])('refuses %j as a part of a workload name', (part, what) => {
    expect(() =>
      workloadId({ trustDomain: 'example.org', namespace: 'a', serviceAccount: 'b', ...part }),
    ).toThrow(what);
  });

  it('matches exactly, or below a path that ends in /*', () => {
    const id = 'spiffe://example.org/ns/shop/sa/web';
    expect(spiffeIdMatches(id, id)).toBe(true);
    expect(spiffeIdMatches(id, 'spiffe://example.org/ns/shop/*')).toBe(true);
    expect(spiffeIdMatches(id, 'spiffe://example.org/*')).toBe(true);
    expect(spiffeIdMatches(id, 'spiffe://example.org/ns/sho/*')).toBe(false);
    expect(spiffeIdMatches(id, 'spiffe://example.org/ns/shop')).toBe(false);
    expect(spiffeIdMatches('spiffe://example.orgs/a', 'spiffe://example.org/*')).toBe(false);
  });
});
