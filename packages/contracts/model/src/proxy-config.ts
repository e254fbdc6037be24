import type { Cluster } from './cluster.ts';
import type { EndpointSet } from './endpoint.ts';
import type { Listener } from './listener.ts';
import type { RouteConfig } from './route.ts';

/**
 * Everything one proxy is configured with: plain, readonly, JSON-serialisable. The engine compiles it whole or refuses
 * it whole; two configs that mean the same are recognised and drain nothing.
 */
export interface ProxyConfig {
  /** Identifies this state in dumps and records, e.g. the change id. */
  readonly version: string;
  readonly listeners: readonly Listener[];
  /** Route configurations that listeners name. */
  readonly routes: readonly RouteConfig[];
  readonly clusters: readonly Cluster[];
  readonly endpoints: readonly EndpointSet[];
}

/** A proxy with nothing to do. */
export const emptyProxyConfig: ProxyConfig = Object.freeze({
  version: '',
  listeners: [],
  routes: [],
  clusters: [],
  endpoints: [],
});
