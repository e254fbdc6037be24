import type { Condition } from '../condition.ts';

/** A condition as Kubernetes writes it into `status` (`metav1.Condition`). */
export interface StatusCondition extends Condition {
  /** `metadata.generation` of the resource that it is about. */
  readonly observedGeneration: number;
  /** When `status` last became what it is, as this control plane saw it; RFC 3339. */
  readonly lastTransitionTime: string;
}

/** Since when each condition is as it is. */
export class Transitions {
  readonly #known = new Map<string, Map<string, { readonly status: string; readonly since: string }>>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** @param part which conditions of the resource these are, e.g. a listener's */
  of(key: string, part: string, generation: number, conditions: readonly Condition[]): StatusCondition[] {
    const known = this.#known.get(key) ?? new Map<string, { status: string; since: string }>();
    this.#known.set(key, known);
    return conditions.map((condition) => {
      const at = `${part} ${condition.type}`;
      const before = known.get(at);
      const since =
        before?.status === condition.status
          ? before.since
          : new Date(this.#nowMs()).toISOString().replace(/\.\d+Z$/, 'Z');
      known.set(at, { status: condition.status, since });
      return { ...condition, observedGeneration: generation, lastTransitionTime: since };
    });
  }

  /** The resource is gone. */
  forget(key: string): void {
    this.#known.delete(key);
  }
}
