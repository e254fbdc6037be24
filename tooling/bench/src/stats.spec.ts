import { describe, expect, it } from 'vitest';
import { readOptions } from './options.ts';
import { median, spread } from './stats.ts';

describe('statistics of rounds', () => {
  it('take the middle', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(spread([3, 1, 2])).toEqual([1, 3]);
  });
});

describe('bench options', () => {
  it('select scenarios and variants', () => {
    const options = readOptions(['--scenario', 'http1-small', '--subject', 'tulle/mesh,haproxy', '--quick']);
    expect(options?.scenarios.map((s) => s.name)).toEqual(['http1-small']);
    expect(options?.subjects.map((s) => `${s.name}/${s.variant}`)).toEqual([
      'tulle/mesh',
      'haproxy/bare',
      'haproxy/mesh',
    ]);
    expect(options?.rounds).toBe(3);
  });

  it('name what is there when asked for what is not', () => {
    expect(() => readOptions(['--scenario', 'http3'])).toThrow(/http3.*http1-small/);
    expect(() => readOptions(['--rounds', '0'])).toThrow(/at least 1/);
  });
});
