import type { Discovery, Translation } from '@tulle/envoy-bootstrap';
import type { ProxyConfig } from '@tulle/model';
import { addRetrySlots } from '@tulle/xds-client';

/** Names of the static resources that discovery was started with. */
export interface FixedNames {
  readonly listeners: ReadonlySet<string>;
  readonly clusters: ReadonlySet<string>;
}

export const NOTHING_FIXED: FixedNames = { listeners: new Set(), clusters: new Set() };

export function fixedNames({ fixed }: Discovery): FixedNames {
  const namesOf = (
    resources: readonly { readonly resource: { readonly name: string } }[],
  ): ReadonlySet<string> => new Set(resources.map(({ resource }) => resource.name));
  return { listeners: namesOf(fixed.listeners), clusters: namesOf(fixed.clusters) };
}

/** Static resources that name something to be discovered, by path: they come into use by discovery, when it is there. */
export function waitingResources({ discovery }: Translation): ReadonlyMap<string, string> {
  const waiting = new Map<string, string>();
  for (const kind of ['listeners', 'clusters'] as const)
    for (const { resource, needs = [] } of discovery?.fixed[kind] ?? [])
      if (needs.some((need) => kind === 'listeners' || need.kind === 'secret'))
        waiting.set(`${kind} ${resource.name}`, JSON.stringify([resource, needs]));
  return waiting;
}

/** What can serve before anything is discovered. */
export function startConfig(translation: Translation): ProxyConfig {
  const { config } = translation;
  const waiting = waitingResources(translation);
  return {
    ...config,
    listeners: config.listeners.filter(({ name }) => !waiting.has(`listeners ${name}`)),
    clusters: config.clusters.filter(({ name }) => !waiting.has(`clusters ${name}`)),
  };
}

/**
 * Static resources as the bootstrap has them now, in the places that discovery gave those of its start: what is said against a place is then
 * said against the resource that came there. Those that wait for something stay as discovery has them.
 * @param whole what discovery made of everything; `undefined` where nothing is discovered, or nothing came yet
 */
export function mergeConfig(
  translation: Translation,
  whole: ProxyConfig | undefined,
  names: FixedNames,
): ProxyConfig {
  const fixed = startConfig(translation);
  if (whole === undefined) return fixed;
  const waiting = waitingResources(translation);
  const clusters = replaced(
    whole.clusters,
    fixed.clusters,
    (name) => names.clusters.has(name) && !waiting.has(`clusters ${name}`),
  );
  const listeners = replaced(
    whole.listeners,
    fixed.listeners,
    (name) => names.listeners.has(name) && !waiting.has(`listeners ${name}`),
  );
  const routes = new Map(whole.routes.map((one) => [one.name, one]));
  return {
    ...whole,
    version: whole.version === '' ? fixed.version : `${fixed.version}+${whole.version}`,
    // A cluster that was discovered may ask for retries of a listener that was not.
    listeners: listeners.map((one) => addRetrySlots(one, (name) => routes.get(name), clusters)),
    clusters,
  };
}

/** @param isFixed whether a resource of `all` is one that `now` says */
function replaced<Resource extends { readonly name: string }>(
  all: readonly Resource[],
  now: readonly Resource[],
  isFixed: (name: string) => boolean,
): Resource[] {
  const byName = new Map(now.map((one) => [one.name, one]));
  return [
    ...all.flatMap((one) => {
      if (!isFixed(one.name)) return [one];
      const next = byName.get(one.name);
      byName.delete(one.name);
      return next === undefined ? [] : [next];
    }),
    ...byName.values(),
  ];
}

/** Whether something is in it that is not static. */
export function isDiscovered(
  { listeners, clusters, routes, endpoints }: ProxyConfig,
  names: FixedNames,
): boolean {
  return (
    routes.length + endpoints.length > 0 ||
    listeners.some(({ name }) => !names.listeners.has(name)) ||
    clusters.some(({ name }) => !names.clusters.has(name))
  );
}

/** Whether anything but what static resources need is asked for. */
export const asksForMore = ({ roots }: Discovery): boolean =>
  roots.listener !== 'none' || roots.cluster !== 'none';

/** What is not static. */
export function discoveredOnly(whole: ProxyConfig | undefined, fixed: ProxyConfig): ProxyConfig | undefined {
  if (whole === undefined) return undefined;
  const has = (resources: readonly { readonly name: string }[]): ReadonlySet<string> =>
    new Set(resources.map(({ name }) => name));
  const [listeners, clusters] = [has(fixed.listeners), has(fixed.clusters)];
  return {
    ...whole,
    listeners: whole.listeners.filter(({ name }) => !listeners.has(name)),
    clusters: whole.clusters.filter(({ name }) => !clusters.has(name)),
  };
}
