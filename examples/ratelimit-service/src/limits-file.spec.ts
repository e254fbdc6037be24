import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { limitOf, readLimits } from './limits-file.ts';

const { domain, limits } = readLimits(
  'limits.yaml',
  readFileSync(new URL('../limits.yaml', import.meta.url), 'utf8'),
);
const limit = (...entries: readonly (readonly [string, string])[]): unknown =>
  limitOf(
    limits,
    entries.map(([key, value]) => ({ key, value })),
  );

describe('the limit of a descriptor', () => {
  it('is found by value before key alone, down the tree', () => {
    expect(domain).toBe('shop');
    expect(limit(['remote_address', '192.0.2.1'])).toEqual({ unit: 'minute', requestsPerUnit: 100 });
    expect(limit(['plan', 'free'], ['user', 'ann'])).toEqual({ unit: 'second', requestsPerUnit: 10 });
    expect(limit(['plan', 'gold'], ['user', 'ann'])).toEqual({ unit: 'second', requestsPerUnit: 1_000 });
  });

  it('is none where the tree does not lead on, or leads further', () => {
    expect(limit(['generic_key', 'home'])).toBe(undefined);
    expect(limit(['plan', 'free'])).toBe(undefined);
    expect(limit(['remote_address', '192.0.2.1'], ['user', 'ann'])).toBe(undefined);
    expect(limit()).toBe(undefined);
  });
});

describe('a file that is wrong', () => {
  const faults = (text: string): string => {
    try {
      readLimits('shop.yaml', text);
      return 'no fault';
    } catch (error) {
      return (error as Error).message;
    }
  };

  it('is told by line and path, every fault at once', () => {
    const told = faults(`domain: shop
descriptors:
  - key: user
    rate_limit: { unit: fortnight, requests_per_unit: -1 }
  - key: plan
    value: 7
    descriptors:
      - key: user
        ratelimit: { unit: day, requests_per_unit: 1 }
`).split('\n');
    expect(told).toHaveLength(4);
    expect(told[0]).toMatch(
      /^shop\.yaml:4:25: descriptors\[0\]\.rate_limit\.unit: .*"second", "minute", "hour".*"day".*"fortnight"/,
    );
    expect(told[1]).toMatch(/^shop\.yaml:4:55: descriptors\[0\]\.rate_limit\.requests_per_unit: .*-1/);
    expect(told[2]).toMatch(/^shop\.yaml:6:12: descriptors\[1\]\.value: .*string.*quote a number/i);
    expect(told[3]).toMatch(
      /^shop\.yaml:9:9: descriptors\[1\]\.descriptors\[0\]\.ratelimit: .*did you mean.*rate_limit/,
    );
  });

  it('is told where an entry stands twice or limits nothing', () => {
    expect(
      faults(
        'domain: d\ndescriptors:\n  - { key: a, rate_limit: { unit: day, requests_per_unit: 1 } }\n  - key: a\n',
      ),
    ).toBe(
      'shop.yaml:4:5: descriptors[1]: key "a" stands here twice\n' +
        'shop.yaml:4:5: descriptors[1]: limits nothing; give it a rate_limit, or descriptors that have one',
    );
  });

  it('is told where it is no YAML, or empty', () => {
    expect(faults('domain: [')).toMatch(/^shop\.yaml:1:10: /);
    expect(faults('')).toMatch(/^shop\.yaml:1:1: \(the file\): .*object/);
  });
});
