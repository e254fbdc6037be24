import type { Endpoint, SubsetRules } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { createBalancer, subsetCriteria, type Balancer, type BalancerOptions } from './index.ts';

const endpoint = (host: string, labels: Record<string, string>, rest: Partial<Endpoint> = {}): Endpoint => ({
  address: { host, port: 80 },
  labels,
  ...rest,
});
const ENDPOINTS = [
  endpoint('prod-1', { stage: 'prod', version: '1' }),
  endpoint('prod-2', { stage: 'prod', version: '2' }),
  endpoint('dev-2', { stage: 'dev', version: '2' }),
  endpoint('bare', {}),
];

function balancer(
  rules: SubsetRules,
  endpoints: readonly Endpoint[] = ENDPOINTS,
  more: Partial<BalancerOptions<null>> = {},
): Balancer<null> {
  let draw = 0;
  const made = createBalancer<null>({
    policy: { policy: 'round-robin' },
    subsets: rules,
    random: () => (draw = (draw + 0.37) % 1),
    attach: () => null,
    ...more,
  });
  made.update(endpoints, 0);
  return made;
}

/** Who gets requests that ask for these labels. */
function picked(from: Balancer<null>, labels?: Record<string, string>): string[] {
  const criteria = labels && subsetCriteria(labels);
  const found = new Set<string>();
  for (let i = 0; i < 20; i++) found.add(from.pick(i, undefined, -1, criteria)?.address ?? 'nobody');
  return [...found].sort();
}
const at = (...hosts: readonly string[]): string[] => hosts.map((host) => `${host}:80`);

describe('subsets', () => {
  const selectors = [{ keys: ['stage'] }, { keys: ['version', 'stage'] }];

  it('are who has the values that are asked for, whatever the order of keys', () => {
    const balanced = balancer({ selectors });
    expect(picked(balanced, { stage: 'prod' })).toEqual(at('prod-1', 'prod-2'));
    expect(picked(balanced, { version: '2', stage: 'prod' })).toEqual(at('prod-2'));
    expect(picked(balanced, { stage: 'prod', version: '2' })).toEqual(at('prod-2'));
  });

  it.each([
    ['none', ['nobody']],
    ['any', at('bare', 'dev-2', 'prod-1', 'prod-2')],
    ['default', at('prod-1', 'prod-2')],
  ] as const)(
    'fall back to %s where there are no such keys or values, or nothing is asked for',
    (fallback, who) => {
      const balanced = balancer({ selectors, fallback, defaultSubset: { stage: 'prod' } });
      expect(picked(balanced, { stage: 'test' })).toEqual(who);
      expect(picked(balanced, { version: '2' })).toEqual(who);
      expect(picked(balanced)).toEqual(who);
    },
  );

  it('fall back as their selector says, also to fewer of their keys', () => {
    const balanced = balancer({
      fallback: 'any',
      selectors: [
        { keys: ['stage'], fallback: 'none' },
        { keys: ['stage', 'version'], fallback: 'keys', fallbackKeys: ['stage'] },
      ],
    });
    expect(picked(balanced, { stage: 'prod', version: '9' })).toEqual(at('prod-1', 'prod-2'));
    expect(picked(balanced, { stage: 'test', version: '9' })).toEqual(['nobody']);
    expect(picked(balanced, { version: '9' })).toEqual(at('bare', 'dev-2', 'prod-1', 'prod-2'));
  });

  it('are one endpoint each where the selector says so', () => {
    const balanced = balancer({ selectors: [{ keys: ['version'], singleHost: true }] });
    expect(picked(balanced, { version: '2' })).toEqual(at('prod-2'));
  });

  it('follow the set, health and ejection, and have a panic of their own', () => {
    const balanced = balancer({ selectors }, ENDPOINTS, {
      outlier: { consecutiveFailures: 1, maxEjectionPercent: 100 },
    });
    const prod2 = balanced.get('prod-2:80');
    prod2?.onStart();
    prod2?.onEnd(1, 1, 30);
    expect(prod2?.ejected).toBe(true);
    expect(picked(balanced, { stage: 'prod' })).toEqual(at('prod-1'));
    // All of a subset are out: health is not believed there.
    expect(picked(balanced, { stage: 'prod', version: '2' })).toEqual(at('prod-2'));
    balanced.update([...ENDPOINTS, endpoint('test-3', { stage: 'test', version: '3' })], 31);
    expect(picked(balanced, { stage: 'test' })).toEqual(at('test-3'));
    balanced.update(ENDPOINTS.slice(0, 1), 32);
    expect(picked(balanced, { stage: 'dev' })).toEqual(['nobody']);
  });

  it('with failsOnPanic have nobody then', () => {
    const ill = ENDPOINTS.map((one): Endpoint => ({ ...one, health: 'unhealthy' }));
    expect(picked(balancer({ selectors }, ill, { failsOnPanic: true }), { stage: 'prod' })).toEqual([
      'nobody',
    ]);
    expect(picked(balancer({ selectors }, ill), { stage: 'prod' })).toEqual(at('prod-1', 'prod-2'));
  });
});
