import type { JsonSchema } from '../filters/json-schema.ts';
import { chainChoiceDefinitions } from './chain-choice.ts';
import { routeChoiceDefinitions } from './route-choice.ts';
import { clusterSchema, endpointSetSchema } from './cluster.ts';
import { listenerSchema } from './listener.ts';
import { fields, listOf, text } from './parts.ts';
import { routeConfigSchema } from './route.ts';

/**
 * JSON Schema of `ProxyConfig`: what every field may be by itself. Names that stand for something, and what filters are
 * configured with, are judged by who compiles it.
 */
export const proxyConfigSchema: JsonSchema = {
  ...fields(['version', 'listeners', 'routes', 'clusters', 'endpoints'], {
    version: text,
    listeners: listOf(listenerSchema),
    routes: listOf(routeConfigSchema),
    clusters: listOf(clusterSchema),
    endpoints: listOf(endpointSetSchema),
  }),
  $defs: { ...routeChoiceDefinitions, ...chainChoiceDefinitions },
};
