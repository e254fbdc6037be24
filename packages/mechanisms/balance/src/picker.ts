import type { EndpointState } from './endpoint-state.ts';
import type { State } from './state.ts';

/** One way to choose among usable endpoints. */
export interface Picker<Data> {
  /** Takes the endpoints to choose from; called on every change of the set, never in a request. */
  rebuild(states: readonly State<Data>[]): void;
  /** Allocates nothing. */
  pick(nowMs: number, excluded: readonly EndpointState<Data>[]): State<Data> | undefined;
}

/** Whether all have the same share. */
export function sameShares(states: readonly { readonly share: number }[]): boolean {
  return states.every((state) => state.share === states[0]?.share);
}
