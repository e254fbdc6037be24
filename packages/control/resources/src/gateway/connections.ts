import type { GatewayListener } from '../kinds/gateway.ts';
import { compareAge, type ConnectionRoute } from '../routes.ts';
import { attachToGateway, conflictedListeners } from './attach.ts';
import { compareHostnames, coversHostname } from './hostnames.ts';
import { gatewayParents, type MergedGateway } from './merged.ts';

/** Which connections of a listener a route has. */
export interface ConnectionShare {
  readonly listener: GatewayListener;
  readonly route: ConnectionRoute;
  /** Server names, each this route's alone; `['*']` where the protocol has none. */
  readonly hostnames: readonly string[];
}

/**
 * Who has the connections of a Gateway: a server name belongs to the most specific listener of the port that covers it,
 * and there to the oldest route, then the first by `namespace/name`. A route without any is displaced.
 * @param routes all that name the Gateway
 */
export function connectionShares(
  gateway: MergedGateway,
  routes: Iterable<ConnectionRoute>,
): readonly ConnectionShare[] {
  const taken = new Map<GatewayListener, Set<string>>();
  const shares: ConnectionShare[] = [];
  for (const route of [...routes].toSorted(compareAge)) {
    const own = new Map<GatewayListener, string[]>();
    const attachments = gatewayParents(route, gateway).flatMap(
      (parent) => attachToGateway(gateway, route, parent).attachments,
    );
    for (const { listener, hostnames } of attachments) {
      const others = taken.get(listener) ?? new Set<string>();
      taken.set(listener, others);
      for (const hostname of hostnames) {
        if (others.has(hostname) || listenerOfName(gateway, listener, hostname) !== listener) continue;
        others.add(hostname);
        own.set(listener, [...(own.get(listener) ?? []), hostname]);
      }
    }
    for (const [listener, hostnames] of own) shares.push({ listener, route, hostnames });
  }
  return shares;
}

/**
 * The most specific of the listeners beside `listener`, itself included, that connections with a server name come to. One that
 * is not served, as it conflicts with others, has no connections, and keeps none from anybody.
 */
function listenerOfName(
  gateway: MergedGateway,
  listener: GatewayListener,
  hostname: string,
): GatewayListener | undefined {
  const conflicted = conflictedListeners(gateway);
  return gateway.listeners
    .filter(
      (one) =>
        one.port === listener.port &&
        (one === listener || !conflicted.has(one)) &&
        (one.protocol === 'UDP') === (listener.protocol === 'UDP') &&
        coversHostname(one.hostname ?? '*', hostname),
    )
    .toSorted((a, b) => compareHostnames(a.hostname ?? '*', b.hostname ?? '*'))[0];
}

/**
 * The route that has all connections that `route` asks for at a Gateway; `undefined`: it has some, or asks for none.
 * @param shares {@link connectionShares} of the Gateway
 */
export function displacedByConnection(
  gateway: MergedGateway,
  route: ConnectionRoute,
  shares: readonly ConnectionShare[],
): ConnectionRoute | undefined {
  if (shares.some((share) => share.route === route)) return undefined;
  const asked = gatewayParents(route, gateway).flatMap(
    (parent) => attachToGateway(gateway, route, parent).attachments,
  );
  return shares.find(({ listener, hostnames }) =>
    asked.some(
      (one) => one.listener === listener && one.hostnames.some((hostname) => hostnames.includes(hostname)),
    ),
  )?.route;
}
