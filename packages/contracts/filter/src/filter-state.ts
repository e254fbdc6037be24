import { defineSlot, type Slot } from './slot.ts';

/**
 * What filters put down about a request under keys, as texts: Envoy's filter state. Names come from outside: look them up with
 * `Object.hasOwn`.
 */
export const FILTER_STATE: Slot<Readonly<Record<string, string>>> =
  defineSlot<Readonly<Record<string, string>>>('tulle.filter.state');
