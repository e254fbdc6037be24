import { serviceSelects, type Service } from '@tulle/resources';
import { addTo, removeFrom } from './sets.ts';

/** Services by one pair of their selector, so that a Workload finds those that select it without asking every Service. */
export class ServiceSelectors {
  readonly #byPair = new Map<string, Set<Service>>();

  add(service: Service): void {
    const pair = firstPair(service);
    if (pair !== undefined) addTo(this.#byPair, pair, service);
  }

  remove(service: Service): void {
    const pair = firstPair(service);
    if (pair !== undefined) removeFrom(this.#byPair, pair, service);
  }

  /** Services of a namespace that select a Workload with these labels. */
  selecting(namespace: string, labels: Readonly<Record<string, string>> = {}): Service[] {
    const found: Service[] = [];
    for (const [label, value] of Object.entries(labels))
      for (const service of this.#byPair.get(keyOf(namespace, label, value)) ?? [])
        if (serviceSelects(service, labels)) found.push(service);
    return found;
  }
}

/** Of a selector that has none, nothing: it selects nothing. */
function firstPair({ metadata, spec }: Service): string | undefined {
  const [pair] = Object.entries(spec.selector ?? {});
  return pair && keyOf(metadata.namespace, ...pair);
}

function keyOf(namespace: string, label: string, value: string): string {
  return JSON.stringify([namespace, label, value]);
}
