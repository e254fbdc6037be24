import { filtersEach } from './filters-each.ts';
import type { Study } from './study.ts';

export type { Study } from './study.ts';

/** Measurements beside the scenarios, in their order. */
export const studies: readonly Study[] = [filtersEach];
