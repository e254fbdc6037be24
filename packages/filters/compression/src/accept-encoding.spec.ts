import { FieldTable } from '@tulle/fields';
import type { CompressionCoding } from '@tulle/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseCoding } from './accept-encoding.ts';

const OFFERED: readonly CompressionCoding[] = ['zstd', 'br', 'gzip'];

function choose(...lines: readonly string[]): CompressionCoding | undefined {
  const table = new FieldTable();
  for (const line of lines) table.append('accept-encoding', line);
  return chooseCoding(table, OFFERED);
}

describe('Accept-Encoding', () => {
  it.each<[string, CompressionCoding | undefined]>([
    ['gzip', 'gzip'],
    ['gzip, br', 'br'],
    ['gzip, br, zstd', 'zstd'],
    ['GZIP', 'gzip'],
    ['x-gzip', 'gzip'],
    ['gzip;q=1, br;q=0.9', 'gzip'],
    ['gzip; q=0.5 , br;q=0.500', 'br'],
    ['gzip;q=0', undefined],
    ['gzip;q=0.000, br;q=0', undefined],
    ['*', 'zstd'],
    ['*;q=0', undefined],
    ['*, zstd;q=0', 'br'],
    ['gzip, *;q=0', 'gzip'],
    ['identity', undefined],
    ['identity;q=1, gzip;q=0.5', undefined],
    ['identity;q=0.5, gzip;q=0.5', 'gzip'],
    ['identity;q=0.5, gzip;q=0.8', 'gzip'],
    ['deflate, compress', undefined],
    ['', undefined],
    [',, ,gzip,', 'gzip'],
    ['gzip;q=2', undefined],
    ['gzip;q=-1', undefined],
    ['gzip;q=0.1234', undefined],
    ['gzip;q=abc, br', 'br'],
    ['gzip;level=9', 'gzip'],
    ['gzip, gzip;q=0', undefined],
    ['gzipp', undefined],
  ])('%s: %s', (line, coding) => {
    expect(choose(line)).toBe(coding);
  });

  it('may come in several lines, and may be missing', () => {
    expect(choose('gzip', 'br;q=0.1')).toBe('gzip');
    expect(choose()).toBe(undefined);
  });

  it('never gets a coding that it does not name, or refuses, or likes less than another', () => {
    const weight = fc.constantFrom('', ';q=0', ';q=0.5', ';q=1', '; Q=0.25');
    const name = fc.constantFrom('gzip', 'br', 'zstd', 'identity', 'deflate', '*');
    const element = fc.tuple(name, weight).map(([coding, q]) => ({ coding, q, text: coding + q }));
    const number = (q: string): number => (q === '' ? 1 : Number(q.split('=')[1]));
    fc.assert(
      fc.property(fc.uniqueArray(element, { selector: ({ coding }) => coding, maxLength: 6 }), (elements) => {
        const chosen = choose(elements.map(({ text }) => text).join(', '));
        const of = (coding: string): number => {
          const found = elements.find((one) => one.coding === coding);
          if (found !== undefined) return number(found.q);
          const any = elements.find((one) => one.coding === '*');
          return coding === 'identity' || any === undefined ? 0 : number(any.q);
        };
        const best = Math.max(...OFFERED.map(of));
        if (chosen === undefined) expect(best === 0 || of('identity') > best).toBe(true);
        else expect([of(chosen), of(chosen) > 0]).toEqual([best, true]);
      }),
    );
  });

  it('never throws, whatever it is', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[\t -~]{0,40}$/), (line) => {
        expect([undefined, ...OFFERED]).toContain(choose(line));
      }),
    );
  });
});
