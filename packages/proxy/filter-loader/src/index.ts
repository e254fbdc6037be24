/**
 * Filters that are npm packages, loaded from an allow-list (decision D9).
 * @packageDocumentation
 */
export { parseAllowList, readAllowList, writeAllowList } from './allow-list.ts';
export type { AllowedFilter, AllowedPackage, AllowList } from './allow-list.ts';
export { allowPackage } from './allow.ts';
export { packageFaults, verifyFilters } from './verify.ts';
export type { VerifiedFilters } from './verify.ts';
export { loadFilters } from './load.ts';
