import type { ConfigIssue } from '@tulle/filter';
import type { ProxyConfig } from '@tulle/model';
import { KINDS, type ResourceKind } from '../wire.ts';
import { scopeAt } from './scopes.ts';
import type { Store } from './store.ts';

/** A resource that the engine's refusal is about. */
export interface AtFault {
  readonly kind: ResourceKind;
  readonly name: string;
  readonly reason: string;
}

const KIND_OF_LIST: Readonly<Record<string, ResourceKind>> = {
  listeners: 'listener',
  routes: 'route',
  clusters: 'cluster',
  endpoints: 'endpoint',
};

/**
 * Which resources have to go back for the engine to take the rest: those that its issues point at, as far as they are
 * new. Where no issue points at anything new, everything new is at fault, removals included; so each refusal takes
 * something back, and the state in use, which the engine took before, is reached at last.
 */
export function resourcesAtFault(
  config: ProxyConfig,
  offered: Store,
  active: Store,
  issues: readonly ConfigIssue[],
): AtFault[] {
  const changed = changesBetween(offered, active);
  const isChanged = (kind: ResourceKind, name: string): boolean =>
    changed.some((one) => one.kind === kind && one.name === name);
  const pointed = issues.flatMap(({ path, message }): AtFault[] => {
    const [, list = '', index = ''] = path.split('/');
    const kind = KIND_OF_LIST[list];
    const name =
      kind && config[list as 'listeners' | 'routes' | 'clusters' | 'endpoints'][Number(index)]?.name;
    if (!kind || name === undefined) return [];
    const segments = path.split('/').slice(3);
    const host = kind === 'route' ? discoveredHost(config, offered, Number(index), segments) : undefined;
    if (host !== undefined && isChanged('virtual-host', host))
      return [{ kind: 'virtual-host', name: host, reason: `/${segments.slice(2).join('/')}: ${message}` }];
    const scope = kind === 'listener' ? scopeAt(config.listeners[Number(index)], segments)?.name : undefined;
    if (scope !== undefined && isChanged('scoped-route', scope))
      return [{ kind: 'scoped-route', name: scope, reason: `/${segments.slice(6).join('/')}: ${message}` }];
    if (!isChanged(kind, name)) return [];
    const inside = segments.join('/');
    return [{ kind, name, reason: inside === '' ? message : `/${inside}: ${message}` }];
  });
  if (pointed.length > 0) return pointed;
  const reason = issues
    .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
    .join('; ');
  return changed.map((one) => ({ ...one, reason: reason === '' ? 'refused without a reason' : reason }));
}

/** The resource that a virtual host came in, where it was discovered. */
function discoveredHost(
  config: ProxyConfig,
  offered: Store,
  routes: number,
  [part, index]: readonly string[],
): string | undefined {
  const host = part === 'virtualHosts' ? config.routes[routes]?.virtualHosts[Number(index)] : undefined;
  return [...offered['virtual-host']].find(([, { resource }]) => resource.virtualHost === host)?.[0];
}

/** Names that are new, changed or gone. */
function changesBetween(offered: Store, active: Store): { kind: ResourceKind; name: string }[] {
  return KINDS.flatMap((kind) => {
    const names = new Set([...offered[kind].keys(), ...active[kind].keys()]);
    return [...names]
      .filter((name) => offered[kind].get(name) !== active[kind].get(name))
      .map((name) => ({ kind, name }));
  });
}
