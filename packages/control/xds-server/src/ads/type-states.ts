import { status } from '@grpc/grpc-js';
import type { KindRules } from './kind-rules.ts';
import { StreamFault } from './stream-fault.ts';
import { createTypeState, type TypeState } from './type-state.ts';

/** Kinds that one client may ask for: there are some twenty xDS types. */
const MAX_KINDS = 64;

/** One client's types, in the orders of their rules. */
export interface TypeStates<Kind extends string> {
  /** Made when it is asked for first. @throws StreamFault past the bound of kinds */
  of(kind: Kind): TypeState<Kind>;
  all(): readonly TypeState<Kind>[];
  /** Kinds by stage of addition. */
  stages(): readonly (readonly Kind[])[];
  /** Kinds in the order of removal. */
  removals(): readonly Kind[];
}

export function createTypeStates<Kind extends string, Shot>(rules: KindRules<Kind, Shot>): TypeStates<Kind> {
  const states = new Map<Kind, TypeState<Kind>>();
  let all: readonly TypeState<Kind>[] = [];
  let stages: readonly (readonly Kind[])[] = [];
  let removals: readonly Kind[] = [];

  function add(kind: Kind): TypeState<Kind> {
    if (states.size >= MAX_KINDS)
      throw new StreamFault(
        status.RESOURCE_EXHAUSTED,
        `The client asks for more than ${MAX_KINDS} types of resources.`,
      );
    const state = createTypeState(kind, rules.allByDefault(kind), rules.namespaces?.(kind) ?? false);
    states.set(kind, state);
    all = [...states.values()];
    const kinds = [...states.keys()];
    stages = [...new Set(kinds.map((one) => rules.stage(one)))]
      .toSorted((a, b) => a - b)
      .map((stage) => kinds.filter((one) => rules.stage(one) === stage));
    removals = kinds.toSorted((a, b) => rules.removalRank(a) - rules.removalRank(b));
    return state;
  }

  for (const kind of rules.known) add(kind);
  return {
    of: (kind) => states.get(kind) ?? add(kind),
    all: () => all,
    stages: () => stages,
    removals: () => removals,
  };
}
