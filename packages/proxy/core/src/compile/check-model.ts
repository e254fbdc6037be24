import {
  clusterSchema,
  endpointSetSchema,
  listenerSchema,
  proxyConfigSchema,
  routeConfigSchema,
  type JsonSchema,
  type ProxyConfig,
} from '@tulle/model';
import { findIssues, issuePointer } from '@tulle/schema';
import type { Issues } from './issues.ts';

type PartList = 'routes' | 'clusters' | 'endpoints' | 'listeners';

/** The lists of a configuration, with the schema of what stands in each. */
const LISTS: Readonly<Record<PartList, JsonSchema>> = {
  routes: routeConfigSchema,
  clusters: clusterSchema,
  endpoints: endpointSetSchema,
  listeners: listenerSchema,
};

/** The whole without what stands in its lists: each of these is judged by itself. */
const shape: JsonSchema = {
  ...proxyConfigSchema,
  properties: {
    version: { type: 'string' },
    ...Object.fromEntries(Object.keys(LISTS).map((list) => [list, { type: 'array' }])),
  },
};

/** Which parts of a configuration are what the model says, by their position. */
export type SoundParts = Readonly<Record<PartList, ReadonlySet<number>>>;

/**
 * Judges every field by the model's schema: its type, its bounds, and whether there is such a field. What is found goes
 * to `issues`; the rest of the compilation may then rely on the types of what is sound.
 * @returns `undefined` when not even the lists are there
 */
export function checkModel(config: ProxyConfig, issues: Issues): SoundParts | undefined {
  if (!check(shape, config, '', issues)) return undefined;
  const sound = (list: PartList): ReadonlySet<number> => {
    const found = new Set<number>();
    for (const [index, part] of config[list].entries())
      if (check(LISTS[list], part, `/${list}/${index}`, issues)) found.add(index);
    return found;
  };
  return {
    routes: sound('routes'),
    clusters: sound('clusters'),
    endpoints: sound('endpoints'),
    listeners: sound('listeners'),
  };
}

function check(schema: JsonSchema, value: unknown, path: string, issues: Issues): boolean {
  const found = findIssues(schema, value);
  for (const issue of found) issues.add(path + issuePointer(issue.path), issue.message);
  return found.length === 0;
}
