import { isNamed, KINDS, type NamedKind, type ResourceKind } from '../wire.ts';
import { REMOVED, type Staged } from './assemble.ts';
import type { Refusals } from './refusals.ts';
import type { Store } from './store.ts';
import type { Subscriptions } from './subscriptions.ts';

/**
 * How one resource stands (Envoy `ClientResourceStatus`): asked for and not here, said not to be, here as it was sent last, or refused
 * in what was sent last; then what was good before is in use, if there was any.
 */
export interface ResourceState {
  readonly kind: ResourceKind;
  readonly name: string;
  readonly state: 'requested' | 'does-not-exist' | 'acked' | 'nacked';
  /** Of what is in use; `''` for none. */
  readonly version: string;
  /** Since when it is in use, milliseconds since 1970. */
  readonly updatedMs?: number;
  /** Why what was sent last is not in use, and when that was. */
  readonly error?: { readonly reasons: readonly string[]; readonly atMs: number };
}

/** When resources changed, milliseconds since 1970. */
export interface ChangeTimes {
  note(before: Store, after: Store, refused: Refusals, atMs: number): void;
  usedMs(kind: ResourceKind, name: string): number | undefined;
  refusedMs(kind: ResourceKind, name: string): number | undefined;
}

export function createChangeTimes(): ChangeTimes {
  const used = new Map<string, number>();
  const refused = new Map<string, number>();
  const key = (kind: ResourceKind, name: string): string => `${kind} ${name}`;
  return {
    note(before, after, refusals, atMs) {
      for (const kind of KINDS) {
        for (const [name, held] of after[kind])
          if (before[kind].get(name) !== held) {
            used.set(key(kind, name), atMs);
            refused.delete(key(kind, name));
          }
        for (const name of before[kind].keys()) if (!after[kind].has(name)) used.delete(key(kind, name));
      }
      for (const { kind, name } of refusals) refused.set(key(kind, name), atMs);
    },
    usedMs: (kind, name) => used.get(key(kind, name)),
    refusedMs: (kind, name) => refused.get(key(kind, name)),
  };
}

/** What a session knows of resources. */
export interface KnownResources {
  readonly active: Store;
  readonly staged: Staged;
  readonly subscriptions: Subscriptions;
  readonly rejected: Refusals;
  readonly times: ChangeTimes;
  isAbsent(kind: NamedKind, name: string): boolean;
}

/** Everything that is here, asked for or refused, by kind and name. */
export function resourceStates(known: KnownResources): ResourceState[] {
  const { active, staged, subscriptions, rejected } = known;
  return KINDS.flatMap((kind) => {
    const names = new Set<string>(active[kind].keys());
    for (const [name, held] of staged[kind]) if (held !== REMOVED) names.add(name);
    if (isNamed(kind)) for (const name of subscriptions.named[kind].keys()) names.add(name);
    for (const refusal of rejected) if (refusal.kind === kind) names.add(refusal.name);
    return [...names].toSorted().map((name) => stateOf(known, kind, name));
  });
}

function stateOf(
  { active, rejected, times, isAbsent }: KnownResources,
  kind: ResourceKind,
  name: string,
): ResourceState {
  const held = active[kind].get(name);
  const refusal = rejected.get(kind, name);
  const updatedMs = times.usedMs(kind, name);
  const missing = isNamed(kind) && isAbsent(kind, name) ? 'does-not-exist' : 'requested';
  return {
    kind,
    name,
    state: refusal ? 'nacked' : held ? 'acked' : missing,
    version: held?.version ?? '',
    ...(held && updatedMs !== undefined && { updatedMs }),
    ...(refusal && { error: { reasons: refusal.reasons, atMs: times.refusedMs(kind, name) ?? 0 } }),
  };
}
