import { isConnectionRouteKind, rulesOf, type AnyRoute, type ParentRef } from '@tulle/resources';
import type { Condition } from '../condition.ts';
import { parentKey } from '../parents.ts';
import type { ProxySession } from '../proxy-session.ts';

/**
 * That proxies which serve a route keep no sessions, where it asks for them: Envoys are not told, whose own filter for it shows
 * addresses in clear and goes by weights first, and gRPC clients have none.
 */
export function sessionsLost(
  route: AnyRoute,
  parent: ParentRef,
  sessions: Iterable<ProxySession>,
): Condition[] {
  if (isConnectionRouteKind(route.kind)) return [];
  if (!rulesOf(route).some(({ sessionPersistence }) => sessionPersistence !== undefined)) return [];
  return sessionsLostBy(parentKey(route, parent), sessions);
}

/** The same of sessions of a Service, or of a Gateway. @param key as `parentKey` has it */
export function sessionsLostBy(key: string, sessions: Iterable<ProxySession>): Condition[] {
  const without = [...sessions].filter(
    ({ node, services }) => (node.foreign || node.grpc) && services.has(key),
  );
  if (without.length === 0) return [];
  const ids = without.map(({ node }) => node.id);
  return [
    {
      type: 'tulle.dev/SessionsKept',
      status: 'False',
      reason: 'NotByForeignProxies',
      message: `no sessions are kept by ${ids.slice(0, 5).join(', ')}${ids.length > 5 ? ` and ${ids.length - 5} more` : ''}: Envoy and gRPC have nothing that says the same`,
    },
  ];
}
