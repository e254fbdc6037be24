import { RETRY_FILTER, type FilterEntry, type RouteConfig } from '@tulle/model';
import type { ProxyNode } from '../node.ts';

/**
 * The retry filter at the end of a chain that calls services: by its defaults, or, for a proxy that retries only what is
 * asked for, switched off for the routes that ask to switch on, and not there at all where none does.
 */
export function retryEntry({ retries }: Pick<ProxyNode, 'retries'>, routes: RouteConfig): FilterEntry[] {
  const entry = (config: object): FilterEntry[] => [{ name: RETRY_FILTER, filter: RETRY_FILTER, config }];
  if (retries === 'default') return entry({});
  return asksForRetries(routes) ? entry({ retries: 0 }) : [];
}

function asksForRetries({ virtualHosts }: RouteConfig): boolean {
  const asks = ({ filterConfigs }: { readonly filterConfigs?: object }): boolean =>
    filterConfigs !== undefined && Object.hasOwn(filterConfigs, RETRY_FILTER);
  return virtualHosts.some((host) => asks(host) || host.routes.some(asks));
}
