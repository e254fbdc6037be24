/**
 * Filter state from requests.
 * @packageDocumentation
 */
export { setFilterState } from './set-filter-state.ts';
