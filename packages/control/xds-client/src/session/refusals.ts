import type { ResourceKind } from '../wire.ts';

/** A resource that was not taken, and why. */
export interface Refusal {
  readonly kind: ResourceKind;
  readonly name: string;
  /** Every reason, each with the path of the field where there is one. */
  readonly reasons: readonly string[];
}

/** Refusals by kind and name. */
export interface Refusals extends Iterable<Refusal> {
  readonly size: number;
  get(kind: ResourceKind, name: string): Refusal | undefined;
  has(kind: ResourceKind, name: string): boolean;
  /** Adds reasons to those that are there. */
  add(kind: ResourceKind, name: string, ...reasons: readonly string[]): void;
  delete(kind: ResourceKind, name: string): void;
}

export function createRefusals(from: Iterable<Refusal> = []): Refusals {
  const byKey = new Map<string, Refusal>();
  const key = (kind: ResourceKind, name: string): string => `${kind} ${name}`;
  for (const refusal of from) byKey.set(key(refusal.kind, refusal.name), refusal);
  return {
    get size() {
      return byKey.size;
    },
    get: (kind, name) => byKey.get(key(kind, name)),
    has: (kind, name) => byKey.has(key(kind, name)),
    add(kind, name, ...reasons) {
      const before = byKey.get(key(kind, name))?.reasons ?? [];
      byKey.set(key(kind, name), {
        kind,
        name,
        reasons: [...before, ...reasons.filter((reason) => !before.includes(reason))],
      });
    },
    delete: (kind, name) => void byKey.delete(key(kind, name)),
    [Symbol.iterator]: () => byKey.values(),
  };
}

/** Longest message of a NACK: what a person reads, and well within any transport's limit. */
const MAX_MESSAGE = 8192;

/** One line a resource. */
export function refusalText(refusals: readonly Refusal[]): string {
  const text = refusals
    .map(({ kind, name, reasons }) => inOneLine(`${kind} "${name}": ${reasons.join('; ')}`))
    .join('\n');
  return text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}…` : text;
}

/** Values come from outside: none of them begins a line of its own, in a log or on a terminal. */
function inOneLine(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (sign) => JSON.stringify(sign).slice(1, -1));
}
