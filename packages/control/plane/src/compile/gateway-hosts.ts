import { sortByPrecedence } from '@tulle/match';
import type { FilterConfigs, Route, VirtualHost } from '@tulle/model';
import { compareHostnames, coversHostname, type GatewayListener } from '@tulle/resources';
import type { Entry } from './routes.ts';

/** One match of a rule at one listener, with the hosts that it has there. */
export interface GatewayEntry extends Entry {
  readonly listener: GatewayListener;
}

/** What virtual hosts are made of. */
export interface GatewayHostsInput {
  readonly entries: readonly GatewayEntry[];
  /** Listeners whose requests come by this chain. */
  readonly group: readonly GatewayListener[];
  /** Every listener of the port: each host belongs to the most specific of them. */
  readonly onPort: readonly GatewayListener[];
  /** Overrides of filters for what no route takes. */
  readonly unmatched: (listener: GatewayListener) => FilterConfigs;
}

/**
 * The virtual hosts of a chain. A host belongs to the most specific listener of the port that covers it, and to no other
 * (Gateway API listener isolation): what that one has no route for is 404, though another listener might have. A host of
 * a listener that has another chain came by the wrong connection: 421 (RFC 9110 §15.5.20), so that the policy of one
 * server name cannot be evaded by the connection of another.
 */
export function gatewayHosts({ entries, group, onPort, unmatched }: GatewayHostsInput): VirtualHost[] {
  const hosts = new Set([
    ...entries.flatMap(({ hostnames }) => hostnames),
    ...onPort.map(({ hostname }) => hostname ?? '*'),
    '*',
  ]);
  return [...hosts].toSorted(compareHostnames).map((host): VirtualHost => {
    const owner = onPort
      .filter(({ hostname }) => coversHostname(hostname ?? '*', host))
      .toSorted((a, b) => compareHostnames(a.hostname ?? '*', b.hostname ?? '*'))[0];
    const virtualHost = (routes: readonly Route[]): VirtualHost => ({ name: host, domains: [host], routes });
    const [some] = group as readonly [GatewayListener];
    const filterConfigs = unmatched(owner !== undefined && group.includes(owner) ? owner : some);
    if (owner !== undefined && !group.includes(owner))
      return virtualHost([answer(host, 421, filterConfigs, 'this host is served on another connection\n')]);
    const own = entries.filter((entry) => entry.listener === owner);
    return virtualHost([
      ...ordered(own, host).map((route) => ({ ...route, name: `${route.name}@${host}` })),
      answer(host, 404, filterConfigs, undefined, 'TULLE_ROUTE_NOT_FOUND'),
    ]);
  });
}

/** Routes of more specific hosts first, then by precedence. */
function ordered(entries: readonly GatewayEntry[], host: string): Route[] {
  const groups = new Map<string, GatewayEntry[]>();
  for (const entry of entries) {
    const best = entry.hostnames.filter((h) => coversHostname(h, host)).toSorted(compareHostnames)[0];
    if (best === undefined) continue;
    const group = groups.get(best);
    if (group === undefined) groups.set(best, [entry]);
    else group.push(entry);
  }
  return [...groups]
    .toSorted(([a], [b]) => compareHostnames(a, b))
    .flatMap(([, group]) => sortByPrecedence(group).map(({ route }) => route));
}

function answer(
  host: string,
  status: number,
  filterConfigs: FilterConfigs,
  body?: string,
  code?: string,
): Route {
  return {
    name: `${status}@${host}`,
    match: { path: { kind: 'prefix', value: '/' } },
    ...(Object.keys(filterConfigs).length === 0 ? {} : { filterConfigs }),
    action: {
      kind: 'direct',
      status,
      ...(body === undefined ? {} : { body }),
      ...(code === undefined ? {} : { code }),
    },
  };
}
