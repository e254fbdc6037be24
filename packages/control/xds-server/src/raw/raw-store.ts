import type { Registry } from '@bufbuild/protobuf';
import { type ConfigIssue, TulleError } from '@tulle/filter';
import type { Lead } from '../ads/kind-rules.ts';
import { type RawResource, type RawSet, resourcesOf } from './raw-set.ts';
import { invalid } from './read-resource.ts';
import { discoveredOf, type Reference, referencesOf } from './references.ts';
import { CLUSTER, shortTypeOf } from './resource-types.ts';

/** The node that stands for every other without a set of its own. */
export const DEFAULT_NODE = '*';

/** How a set is changed. */
export interface ChangeOptions {
  /** What clients see as `version_info`. Default: a number that grows with each change. */
  readonly version?: string;
  /**
   * Whether resources may name others that are not in the set: clusters of routes, route configurations, endpoints and secrets
   * that come over ADS. Default `refuse`, since a client would wait for them; `allow` for clusters of a client's bootstrap.
   */
  readonly missing?: 'refuse' | 'allow';
}

/** Sets of resources by node id. */
export interface RawStore {
  /** Replaces a set whole. @throws TulleError `TULLE_CONFIG_INVALID`, and nothing is changed */
  set(node: string, resources: readonly RawResource[], options?: ChangeOptions): RawSet;
  /** Puts resources into a set, beside those that are there. @throws TulleError `TULLE_CONFIG_INVALID`, and nothing is changed */
  put(node: string, resources: readonly RawResource[], options?: ChangeOptions): RawSet;
  /**
   * Takes one out of a set. @returns `undefined` where there is no such resource
   * @throws TulleError `TULLE_CONFIG_INVALID` when another names it, and nothing is changed
   */
  delete(node: string, typeUrl: string, name: string, options?: ChangeOptions): RawSet | undefined;
  /** Forgets a set. Clients that have it keep it until there is another for them. @returns whether there was one */
  clear(node: string): boolean;
  /** A node's own set, and no other. */
  own(node: string): RawSet | undefined;
  /** What a node gets: its own set, else that of {@link DEFAULT_NODE}; `undefined` where there is neither. */
  of(node: string): RawSet | undefined;
  nodes(): readonly string[];
  /** What a resource names; looked for once. */
  referencesIn(resource: RawResource): readonly Reference[];
  /** @returns stops it */
  subscribe(listener: () => void): () => void;
}

/** Bounds of a store. */
export interface StoreLimits {
  /** Nodes with a set of their own. */
  readonly maxNodes: number;
  /** Resources in one set. */
  readonly maxResources: number;
}

/** Longest node id and version. */
const MAX_TEXT = 1_024;

export function createRawStore(registry: Registry, limits: StoreLimits): RawStore {
  const sets = new Map<string, RawSet>();
  const listeners = new Set<() => void>();
  // Per resource, since most of a set stays from change to change.
  const references = new WeakMap<RawResource, readonly Reference[]>();
  let changes = 0;

  function referencesIn(resource: RawResource): readonly Reference[] {
    let found = references.get(resource);
    if (!found) {
      const { content } = resource;
      found = content ? referencesOf(content.schema, content.message, registry) : [];
      references.set(resource, found);
    }
    return found;
  }

  /** What leads to what, and what leads nowhere. */
  function leadsIn(set: Pick<RawSet, 'byType'>): { leads: Lead<string>[]; missing: ConfigIssue[] } {
    const names = new Map(
      [...set.byType].map(([typeUrl, all]) => [typeUrl, new Set(all.map(({ name }) => name))]),
    );
    const leads: Lead<string>[] = [];
    const missing: ConfigIssue[] = [];
    for (const resource of resourcesOf(set))
      for (const { typeUrl, name, path } of referencesIn(resource))
        if (names.get(typeUrl)?.has(name))
          leads.push({ kind: resource.typeUrl, name: resource.name, to: { kind: typeUrl, name } });
        else
          missing.push({
            path: `/${shortTypeOf(resource.typeUrl)}/${resource.name}${path}`,
            message: `names the ${shortTypeOf(typeUrl)} ${JSON.stringify(name)}, which is not in the set`,
          });
    return { leads, missing };
  }

  /** Makes a set, takes it into use, and tells everybody. */
  function take(node: string, resources: readonly RawResource[], options: ChangeOptions): RawSet {
    checkText('node id', node);
    if (options.version !== undefined) checkText('version', options.version);
    if (!sets.has(node) && sets.size >= limits.maxNodes)
      throw tooMany(`${sets.size} nodes have a set already; at most maxNodes = ${limits.maxNodes} may`);
    if (resources.length > limits.maxResources)
      throw tooMany(
        `the set has ${resources.length} resources; at most maxResources = ${limits.maxResources} may be in one`,
      );
    const before = sets.get(node);
    const byType = groupByType(resources, before?.byType);
    const { leads, missing } = leadsIn({ byType });
    if (options.missing !== 'allow' && missing.length > 0) throw invalid(missing, 'inconsistent');
    const set: RawSet = {
      changeId: options.version ?? String(++changes),
      byType,
      leads,
      discovered: (byType.get(CLUSTER) ?? []).flatMap(
        ({ content }) => (content && discoveredOf(content.message)) ?? [],
      ),
    };
    sets.set(node, set);
    tell();
    return set;
  }

  function tell(): void {
    for (const listener of listeners) listener();
  }

  return {
    set: (node, resources, options = {}) => take(node, resources, options),
    put(node, resources, options = {}) {
      const merged = new Map(
        [...resourcesOf(sets.get(node) ?? NOTHING), ...resources].map((one) => [keyOf(one), one]),
      );
      return take(node, [...merged.values()], options);
    },
    delete(node, typeUrl, name, options = {}) {
      const before = [...resourcesOf(sets.get(node) ?? NOTHING)];
      const rest = before.filter((one) => one.typeUrl !== typeUrl || one.name !== name);
      return rest.length === before.length ? undefined : take(node, rest, options);
    },
    clear(node) {
      const had = sets.delete(node);
      if (had) tell();
      return had;
    },
    own: (node) => sets.get(node),
    of: (node) => sets.get(node) ?? sets.get(DEFAULT_NODE),
    nodes: () => [...sets.keys()],
    referencesIn,
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

const NOTHING: Pick<RawSet, 'byType'> = { byType: new Map() };

const keyOf = ({ typeUrl, name }: RawResource): string => `${typeUrl} ${name}`;

/** By type, with the arrays and the objects of before where they say the same. */
function groupByType(
  resources: readonly RawResource[],
  before: RawSet['byType'] | undefined,
): ReadonlyMap<string, readonly RawResource[]> {
  const grouped = new Map<string, readonly RawResource[]>();
  for (const [typeUrl, all] of Map.groupBy(resources, (one) => one.typeUrl)) {
    const known = new Map((before?.get(typeUrl) ?? []).map((one) => [one.name, one]));
    const kept = all.map((one) => {
      const old = known.get(one.name);
      return old?.wire.version === one.wire.version ? old : one;
    });
    const old = before?.get(typeUrl);
    const same = old?.length === kept.length && kept.every((one, i) => one === old[i]);
    grouped.set(typeUrl, same ? old : kept);
  }
  return grouped;
}

function checkText(what: string, text: string): void {
  if (text !== '' && text.length <= MAX_TEXT) return;
  throw new TulleError(
    'TULLE_CONFIG_INVALID',
    `the ${what} has ${text.length} characters; it must have 1 to ${MAX_TEXT}`,
    { issues: [{ path: '', message: `the ${what} must have 1 to ${MAX_TEXT} characters` }] },
  );
}

function tooMany(message: string): TulleError {
  return new TulleError('TULLE_CONFIG_INVALID', message, { issues: [{ path: '/resources', message }] });
}
