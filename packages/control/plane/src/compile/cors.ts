import { CORS_FILTER, type CorsFilterConfig, type FilterEntry, type RouteConfig } from '@tulle/model';

/** Slot of the filter that the CORS filters of HTTPRoutes configure. */
export const CORS_SLOT = 'gateway-api.cors';

/** The CORS filter at the beginning of a chain, where a route asks for it; it does nothing on others. */
export function corsEntry({ virtualHosts }: RouteConfig): FilterEntry[] {
  const asks = virtualHosts.some(({ routes }) =>
    routes.some(({ filterConfigs = {} }) => Object.hasOwn(filterConfigs, CORS_SLOT)),
  );
  const config: CorsFilterConfig = { allowOrigins: [] };
  return asks ? [{ name: CORS_SLOT, filter: CORS_FILTER, config }] : [];
}
