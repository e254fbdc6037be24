/**
 * Filter state from requests and connections.
 * @packageDocumentation
 */
export { connSetFilterState } from './conn-set-filter-state.ts';
export { setFilterState } from './set-filter-state.ts';
