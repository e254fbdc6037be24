import { expect, it } from 'vitest';
import { perConfig } from './per-config.ts';

it('makes once for each configuration object, whatever the order of asking', () => {
  const made: object[] = [];
  const of = perConfig((config: { n: number }) => {
    made.push(config);
    return { twice: config.n * 2 };
  });
  const [a, b] = [{ n: 1 }, { n: 2 }];
  const first = of(a);
  expect([of(a), of(b).twice, of(a), of(b).twice]).toEqual([first, 4, first, 4]);
  expect(of(a)).toBe(first);
  expect(made).toEqual([a, b]);
});
