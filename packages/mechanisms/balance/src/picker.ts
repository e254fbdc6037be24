import type { EndpointState } from './endpoint-state.ts';
import type { State } from './state.ts';

/** One way to choose among usable endpoints. */
export interface Picker<Data> {
  /** It takes every member of the priority, and looks itself which of them may be picked. */
  readonly ofMembers?: boolean;
  /**
   * Takes the endpoints to choose from; called on every change of what may be picked.
   * @param panic health is not believed
   */
  rebuild(states: readonly State<Data>[], panic: boolean): void;
  /** Allocates nothing. @param hash of what is to stay together, below 0 for none */
  pick(nowMs: number, excluded: readonly EndpointState<Data>[], hash: number): State<Data> | undefined;
}

/** Whether all have the same share. */
export function sameShares(states: readonly { readonly share: number }[]): boolean {
  return states.every((state) => state.share === states[0]?.share);
}
