import { OVERPROVISIONING_PERCENT } from './priority-loads.ts';
import type { State } from './state.ts';
import { localityKey, zoneParts, type CallerZones } from './zones.ts';
import type { ZoneRouting } from '@tulle/model';

/**
 * Sets the shares of what is picked from. Without weights of localities an endpoint's share is its weight, or the part
 * of it that `partOf` leaves. With them
 * (Envoy `locality_weighted_lb_config`) the localities share first, each by its weight times how much of it is usable;
 * an endpoint's share is its part of that. A locality without a weight then gets nothing, unless none has one.
 * @param states what is picked from, of one priority @param members of that priority @param byLocality by their weights
 * @param overprovisioningPercent what may be out of a locality before it gets less, as of priorities
 */
export function setShares<Data>(
  states: readonly State<Data>[],
  members: readonly State<Data>[],
  byLocality: boolean,
  partOf: (state: State<Data>) => number,
  overprovisioningPercent: number = OVERPROVISIONING_PERCENT,
): readonly State<Data>[] {
  for (const state of states) state.share = state.weight * partOf(state);
  const localities = byLocality ? localitiesOf(states, members) : undefined;
  if (localities === undefined) return states;
  for (const state of states) {
    const { weight, members: all, usable, usableShare } = localities.get(keyOf(state)) as LocalityPart;
    state.share =
      (weight * Math.min(1, (overprovisioningPercent * usable) / (100 * all)) * state.share) / usableShare;
  }
  return states.filter(({ share }) => share > 0);
}

interface LocalityPart {
  readonly weight: number;
  members: number;
  usable: number;
  usableShare: number;
}

/** @returns `undefined` when no locality with a usable endpoint has a weight */
function localitiesOf<Data>(
  states: readonly State<Data>[],
  members: readonly State<Data>[],
): ReadonlyMap<string, LocalityPart> | undefined {
  const found = new Map<string, LocalityPart>();
  const localityOf = (state: State<Data>): LocalityPart => {
    const key = keyOf(state);
    let part = found.get(key);
    if (part === undefined)
      found.set(
        key,
        (part = { weight: state.endpoint.localityWeight ?? 0, members: 0, usable: 0, usableShare: 0 }),
      );
    return part;
  };
  for (const member of members) localityOf(member).members += 1;
  for (const state of states) {
    const part = localityOf(state);
    part.usable += 1;
    part.usableShare += state.share;
  }
  return [...found.values()].some(({ weight, usable }) => weight > 0 && usable > 0) ? found : undefined;
}

function keyOf(state: State<unknown>): string {
  return localityKey(state.endpoint.locality);
}

/** See {@link zoneParts}: shares of each place change so that it gets its part. Call it after {@link setShares}. */
export function setZoneShares<Data>(
  states: readonly State<Data>[],
  members: readonly State<Data>[],
  callers: CallerZones,
  rules: ZoneRouting,
): readonly State<Data>[] {
  const usable = new Map<string, number>();
  const shares = new Map<string, number>();
  for (const member of members) usable.set(keyOf(member), 0);
  let sum = 0;
  for (const state of states) {
    const key = keyOf(state);
    usable.set(key, (usable.get(key) ?? 0) + 1);
    shares.set(key, (shares.get(key) ?? 0) + state.share);
    sum += state.share;
  }
  for (const [key, share] of shares) shares.set(key, share / sum);
  const parts = zoneParts(usable, shares, callers, rules);
  if (parts === undefined) return states;
  for (const state of states) {
    const key = keyOf(state);
    state.share *= (parts.get(key) ?? 0) / (shares.get(key) ?? 1);
  }
  return states.filter(({ share }) => share > 0);
}
