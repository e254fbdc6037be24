import type { Discovery, Translation } from '@tulle/envoy-bootstrap';
import type { ProxyConfig } from '@tulle/model';

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

/** What can serve before anything is discovered: static resources that need nothing. The others follow by discovery, when what they need is there. */
export function startConfig({ config, discovery }: Translation): ProxyConfig {
  if (discovery === undefined) return config;
  const waiting = new Set(
    discovery.fixed.listeners
      .filter(({ needs = [] }) => needs.length > 0)
      .map(({ resource }) => resource.name),
  );
  return { ...config, listeners: config.listeners.filter(({ name }) => !waiting.has(name)) };
}

/**
 * Static resources as the bootstrap has them now, in the places that discovery gave those of its start: what is said against a place is then
 * said against the resource that came there.
 * @param whole what discovery made of everything; `undefined` where nothing is discovered, or nothing came yet
 */
export function mergeConfig(
  fixed: ProxyConfig,
  whole: ProxyConfig | undefined,
  names: FixedNames,
): ProxyConfig {
  if (whole === undefined) return fixed;
  return {
    ...whole,
    version: whole.version === '' ? fixed.version : `${fixed.version}+${whole.version}`,
    listeners: replaced(whole.listeners, fixed.listeners, names.listeners),
    clusters: replaced(whole.clusters, fixed.clusters, names.clusters),
  };
}

function replaced<Resource extends { readonly name: string }>(
  all: readonly Resource[],
  now: readonly Resource[],
  before: ReadonlySet<string>,
): Resource[] {
  const byName = new Map(now.map((one) => [one.name, one]));
  return [
    ...all.flatMap((one) => {
      if (!before.has(one.name)) return [one];
      const next = byName.get(one.name);
      return next === undefined ? [] : [next];
    }),
    ...now.filter(({ name }) => !before.has(name)),
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
