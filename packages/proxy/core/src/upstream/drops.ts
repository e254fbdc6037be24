import type { DropCategory, EndpointPolicy } from '@tulle/model';
import type { ClusterMetrics } from './cluster-metrics.ts';

const MILLION = 1_000_000;

/** Refuses a share of a cluster's requests before an endpoint is chosen (model `EndpointPolicy.drops`). */
export class Drops {
  readonly #categories: readonly DropCategory[];
  readonly #metrics: ClusterMetrics;
  readonly #random: () => number;

  constructor(categories: readonly DropCategory[], metrics: ClusterMetrics, random: () => number) {
    this.#categories = categories;
    this.#metrics = metrics;
    this.#random = random;
  }

  /** Judges one request. @returns why it is refused; `undefined`: it is not */
  judge(): 'TULLE_DROP_OVERLOAD' | 'TULLE_DROP_ALL' | undefined {
    const categories = this.#categories;
    for (let index = 0; index < categories.length; index++) {
      const { category, perMillion } = categories[index] as DropCategory;
      if (perMillion < MILLION && this.#random() * MILLION >= perMillion) continue;
      this.#metrics.dropped(category);
      return perMillion < MILLION ? 'TULLE_DROP_OVERLOAD' : 'TULLE_DROP_ALL';
    }
    return undefined;
  }
}

/** @returns `undefined` where nothing is refused */
export function dropsOf(
  policy: EndpointPolicy | undefined,
  metrics: ClusterMetrics,
  random: () => number,
): Drops | undefined {
  const some = policy?.drops?.filter(({ perMillion }) => perMillion > 0) ?? [];
  return some.length === 0 ? undefined : new Drops(some, metrics, random);
}
