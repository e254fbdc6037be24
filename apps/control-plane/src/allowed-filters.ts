import { readAllowList } from '@tulle/filter-loader';
import { filterCatalogue, FILTER_PHASES, STANDARD_FILTERS, type FilterCatalogue } from '@tulle/resources';

/**
 * The standard filters, and those of an allow-list: the schemas stand in it, so no code of the packages is needed or run
 * here (docs/decisions/011).
 * @throws TulleError `TULLE_CONFIG_INVALID` with every fault of the file
 */
export function allowedFilters(file: string): FilterCatalogue {
  const allowed = readAllowList(file).packages.flatMap(({ filters }) =>
    filters.map(({ id, kind, configSchema }) => ({
      id,
      configSchema,
      phases: FILTER_PHASES.filter((phase) => (phase === 'connection') === (kind === 'connection')),
    })),
  );
  return filterCatalogue([...STANDARD_FILTERS, ...allowed]);
}
