import type { RouteConfig, VirtualHost } from '@tulle/model';
import type { Held, Store } from './store.ts';
import type { ReceivedResource, ServerResponse } from './messages.ts';

/**
 * Virtual hosts that are discovered (VHDS) go by `<route configuration>/<name>`; the name of a route configuration alone stands for
 * all that the server has for it. They are put behind those that stand in the configuration.
 */

/** Whether a route configuration has its virtual hosts discovered. */
export function discoversHosts({ needs = [] }: Pick<Held, 'needs'>): boolean {
  return needs.some(({ kind }) => kind === 'virtual-host');
}

/** The route configuration that a virtual host is for. @param routes names of those that discover theirs */
export function routesOfHost(routes: Iterable<string>, name: string): string | undefined {
  for (const one of routes) if (name.startsWith(`${one}/`)) return one;
  return undefined;
}

/** Those that have their virtual hosts discovered. */
export function discovering({ route }: Pick<Store, 'route'>): Set<string> {
  const names = new Set<string>();
  for (const [name, held] of route) if (discoversHosts(held)) names.add(name);
  return names;
}

/** What was made of a configuration with some hosts: the same ones give the same object, whose chains are not built anew. */
const joinedBefore = new WeakMap<Held, { readonly of: readonly Held[]; readonly made: RouteConfig }>();

/** Route configurations by name, each with the virtual hosts that were discovered for it. */
export function joinHosts(store: Store): Map<string, RouteConfig> {
  const roots = discovering(store);
  const hosts = new Map<string, Held[]>();
  for (const [name, held] of store['virtual-host']) {
    const routes = routesOfHost(roots, name);
    if (routes !== undefined) hosts.set(routes, [...(hosts.get(routes) ?? []), held]);
  }
  return new Map(
    [...store.route].map(([name, held]) => [name, joined(held, (hosts.get(name) ?? []).toSorted(byName))]),
  );
}

function joined(held: Held<RouteConfig>, hosts: readonly Held[]): RouteConfig {
  if (hosts.length === 0) return held.resource;
  const before = joinedBefore.get(held);
  if (before?.of.length === hosts.length && before.of.every((one, index) => one === hosts[index]))
    return before.made;
  const { resource } = held;
  const given = new Set(resource.virtualHosts.map(({ name }) => name));
  const made = {
    ...resource,
    virtualHosts: [...resource.virtualHosts, ...hosts.map(hostOf).filter(({ name }) => !given.has(name))],
  };
  joinedBefore.set(held, { of: hosts, made });
  return made;
}

const hostOf = (held: Held): VirtualHost =>
  (held.resource as { readonly virtualHost: VirtualHost }).virtualHost;

const byName = (a: Held, b: Held): number => (a.resource.name < b.resource.name ? -1 : 1);

/** A resource without content says that there is none of its names (Envoy, "Virtual Host Discovery Service"). */
export function withoutEmpty(response: ServerResponse): ServerResponse {
  const isEmpty = ({ any, ttlMs }: ReceivedResource): boolean => any === undefined && ttlMs === undefined;
  const empty = response.resources.filter(isEmpty);
  if (empty.length === 0) return response;
  return {
    ...response,
    resources: response.resources.filter((one) => !isEmpty(one)),
    removed: [...response.removed, ...empty.flatMap(({ name, aliases = [] }) => [name, ...aliases])],
  };
}
