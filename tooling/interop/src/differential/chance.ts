import { createHash } from 'node:crypto';
import { seededRandom } from '@tulle/testkit';

/** Decisions of a generator, which the same seed repeats. */
export interface Chance {
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** A whole number from `from` to `to`, both included. */
  int(from: number, to: number): number;
  pick<T>(list: readonly T[]): T;
  maybe(probability: number): boolean;
  /** Each with a probability, in the order of the list. */
  some<T>(list: readonly T[], probability: number): T[];
  /** As many as asked, without repetition. */
  sample<T>(list: readonly T[], count: number): T[];
}

/** @param parts what tells this generator from others: seed, area, number */
export function chanceOf(...parts: readonly (string | number)[]): Chance {
  const random = seededRandom(createHash('sha256').update(parts.join('/')).digest().readUInt32LE());
  const int = (from: number, to: number): number => from + Math.floor(random() * (to - from + 1));
  const chance: Chance = {
    random,
    int,
    pick: (list) => list[int(0, list.length - 1)] as (typeof list)[number],
    maybe: (probability) => random() < probability,
    some: (list, probability) => list.filter(() => random() < probability),
    sample(list, count) {
      const left = [...list];
      return Array.from({ length: Math.min(count, left.length) }, () =>
        left.splice(int(0, left.length - 1), 1),
      ).flat();
    },
  };
  return chance;
}
