import { boundsPage } from './bounds-page.ts';
import { commandPage } from './command-page.ts';
import { errorsPage } from './errors-page.ts';
import { filtersPage } from './filters-page.ts';
import { gatewayApiPage } from './gateway-api-page.ts';
import { metricsPage } from './metrics-page.ts';
import { resourcesPage } from './resources-page.ts';

/** Every generated page: name below `docs/reference`, and its text. */
export async function pages(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ['bounds.md', boundsPage()],
    ['errors.md', errorsPage()],
    ['filters.md', filtersPage()],
    ['gateway-api.md', gatewayApiPage()],
    ['metrics.md', metricsPage()],
    ['resources.md', resourcesPage()],
    ['tulle.md', await commandPage()],
  ]);
}
