import { canonicalCluster, canonicalEndpointSet } from './canonical/clusters.ts';
import { canonicalListener } from './canonical/listeners.ts';
import { canonicalRouteConfig } from './canonical/routes.ts';

/**
 * One form for models that mean the same by the model's own documentation: defaults that are written out, empty lists
 * of conditions, a trailing slash of an element prefix. The wire may change these and nothing else. By kind.
 */
export const canonical: {
  readonly listener: typeof canonicalListener;
  readonly route: typeof canonicalRouteConfig;
  readonly cluster: typeof canonicalCluster;
  readonly endpoint: typeof canonicalEndpointSet;
} = {
  listener: canonicalListener,
  route: canonicalRouteConfig,
  cluster: canonicalCluster,
  endpoint: canonicalEndpointSet,
};
