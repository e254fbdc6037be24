import { HONOURED_OF_CLUSTERS } from './honoured-clusters.ts';
import { HONOURED_OF_EXTERNAL } from './honoured-external.ts';
import { HONOURED_OF_FILTERS } from './honoured-filters.ts';
import { HONOURED_OF_LISTENERS } from './honoured-listeners.ts';
import { HONOURED_OF_ROUTES } from './honoured-routes.ts';
import { HONOURED_BY_ALL } from './honoured-shared.ts';
import { HONOURED_OF_TLS } from './honoured-tls.ts';

/**
 * Decision D8: for each message type, the fields that this proxy honours. Any other field that is set is refused with
 * its path. A value that a listed field may have but that is not honoured is refused where the field is translated.
 */
export const HONOURED: Readonly<Record<string, readonly string[]>> = {
  ...HONOURED_OF_LISTENERS,
  ...HONOURED_OF_FILTERS,
  ...HONOURED_OF_EXTERNAL,
  ...HONOURED_OF_ROUTES,
  ...HONOURED_OF_CLUSTERS,
  ...HONOURED_OF_TLS,
  ...HONOURED_BY_ALL,
};
