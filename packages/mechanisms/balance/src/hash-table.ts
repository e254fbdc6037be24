import type { HashOptions } from '@tulle/model';
import type { EndpointState } from './endpoint-state.ts';
import type { Picker } from './picker.ts';
import type { State } from './state.ts';

/** Where hashes lead, made of endpoints and their shares. */
export interface HashTable {
  /** As many places as the table has; 0 without endpoints. */
  readonly size: number;
  /** @param hash from 0 to 2^32 - 1 @returns its place */
  placeOf(hash: number): number;
  /** Index of the endpoint at a place. */
  at(place: number): number;
}

/** Makes a table. @param members with the shares that they have in it */
export type MakeTable = (
  members: readonly { readonly address: string; readonly share: number }[],
) => HashTable;

/** Places looked at for each endpoint before the endpoints themselves are gone through. */
const PLACES_PER_MEMBER = 4;

/**
 * Chooses by a hash. The table is made of all endpoints of a priority, whatever their health, so only when the set or a
 * weight changes, never in a request; an endpoint that may not be picked is passed over for the one at the next place,
 * which moves its own hashes and no others.
 */
export function byHash<Data>(
  random: () => number,
  make: MakeTable,
  { useHostname = false, balanceFactorPercent = Infinity }: HashOptions = {},
): Picker<Data> {
  let members: readonly State<Data>[] = [];
  let shares: Float64Array = new Float64Array(0);
  let table: HashTable = make([]);
  let panics = false;
  let totalShare = 0;

  const allowed = (state: State<Data>, excluded: readonly EndpointState<Data>[]): boolean =>
    (panics || state.usable) && !excluded.includes(state);

  /** More requests than `balanceFactorPercent` lets its part of them be (Envoy `hash_balance_factor`). */
  const isFull = (state: State<Data>, slots: number): boolean =>
    state.active >= Math.max(1, Math.ceil((slots * state.share) / totalShare));

  return {
    ofMembers: true,
    rebuild(states, panic) {
      panics = panic;
      const same =
        states.length === members.length &&
        states.every((state, index) => state === members[index] && state.share === shares[index]);
      if (same) return;
      members = states;
      shares = Float64Array.from(states, ({ share }) => share);
      totalShare = shares.reduce((sum, share) => sum + share, 0);
      table = make(
        useHostname
          ? states.map(({ address, share, endpoint: { hostname } }) => ({
              address: hostname ?? address,
              share,
            }))
          : states,
      );
    },
    pick(_nowMs, excluded, hash) {
      const { size } = table;
      if (size === 0) return undefined;
      let place = table.placeOf(hash < 0 ? Math.floor(random() * 2 ** 32) : hash);
      const first = table.at(place);
      const slots = balanceFactorPercent === Infinity ? Infinity : slotsOf(members, balanceFactorPercent);
      let full: State<Data> | undefined;
      for (let tries = Math.min(size, PLACES_PER_MEMBER * members.length); tries > 0; tries -= 1) {
        const state = members[table.at(place)] as State<Data>;
        if (allowed(state, excluded)) {
          if (slots === Infinity || !isFull(state, slots)) return state;
          full ??= state;
        }
        place = place + 1 < size ? place + 1 : 0;
      }
      for (let step = 1; step < members.length; step += 1) {
        const state = members[(first + step) % members.length] as State<Data>;
        if (!allowed(state, excluded)) continue;
        if (slots === Infinity || !isFull(state, slots)) return state;
        full ??= state;
      }
      return full;
    },
  };
}

/** Requests that all together may have, with the one that comes. */
function slotsOf(members: readonly { readonly active: number }[], percent: number): number {
  let active = 1;
  for (let index = 0; index < members.length; index += 1)
    active += (members[index] as { active: number }).active;
  return Math.ceil((active * percent) / 100);
}
