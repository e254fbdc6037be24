import { isServedGateway, isWaypoint, type Gateway } from '@tulle/resources';
import { gatewayFault, listenerFault } from '../compile/gateway-listeners.ts';
import { clientCertificateFault } from '../compile/gateway-tls.ts';
import type { Condition } from '../condition.ts';
import type { ProxySession } from '../proxy-session.ts';
import type { World } from '../world.ts';
import { addressRefusal } from './cannot-listen.ts';
import { defaultGateway } from './default-condition.ts';
import { unservedClass } from './gateway-class-conditions.ts';
import { insecureFrontend } from './insecure-frontend-condition.ts';
import { isTrue, listenerConditions, nobody, type ListenerConditions } from './listener-conditions.ts';
import { namespaceLabelsKnown } from './namespace-condition.ts';
import { infrastructurePropagated } from './infrastructure-condition.ts';
import { waypointConditions } from './waypoint-conditions.ts';

/** Processes that serve a Gateway, of those connected. */
export function processesOf(gateway: Gateway, sessions: Iterable<ProxySession>): ProxySession[] {
  const { namespace, name } = gateway.metadata;
  return [...sessions].filter(
    ({ node }) => node.gateway !== undefined && node.namespace === namespace && node.serviceAccount === name,
  );
}

/** Conditions of a Gateway; none where it is another controller's. */
export function gatewayConditions(
  world: World,
  gateway: Gateway,
  processes: readonly ProxySession[],
): { readonly conditions: readonly Condition[]; readonly listeners: readonly ListenerConditions[] } {
  if (isWaypoint(gateway)) return waypointConditions(world, gateway, processes);
  if (!isServedGateway(gateway)) {
    const message = unservedClass(world, gateway);
    const no = (type: string): Condition[] =>
      message === undefined ? [] : [{ type, status: 'False', reason: 'Invalid', message }];
    return { conditions: [...no('Accepted'), ...no('Programmed')], listeners: [] };
  }
  const merged = world.merged(gateway);
  const listeners = gateway.spec.listeners.map((listener) =>
    listenerConditions(world, merged, listener, processes),
  );
  const valid = listeners.filter(({ conditions }) => isTrue(conditions, 'Accepted'));
  const broken = gateway.spec.listeners.filter(
    (l, at) =>
      listenerFault(world, merged, l, undefined) !== undefined ||
      !isTrue(listeners[at]?.conditions ?? [], 'Accepted'),
  );
  const fault = gatewayFault(world, gateway);
  const accepted: Condition =
    fault !== undefined
      ? { type: 'Accepted', status: 'False', ...fault }
      : broken.length === 0
        ? { type: 'Accepted', status: 'True', reason: 'Accepted', message: 'every listener is valid' }
        : {
            type: 'Accepted',
            status: valid.length > 0 ? 'True' : 'False',
            reason: 'ListenersNotValid',
            message: `not valid: ${broken.map((l) => l.name).join(', ')}`,
          };
  return {
    conditions: [
      accepted,
      programmed(world, gateway, listeners, processes),
      referencesResolved(world, gateway, listeners, processes),
      ...insecureFrontend(gateway),
      ...defaultGateway(gateway),
      ...namespaceLabelsKnown(gateway.spec.allowedListeners?.namespaces),
      ...infrastructurePropagated(gateway),
    ],
    listeners,
  };
}

/** Whether the certificate for backends is there, and what the listeners refer to: a summary, which is always said (Gateway API). */
function referencesResolved(
  world: World,
  gateway: Gateway,
  listeners: readonly ListenerConditions[],
  processes: readonly ProxySession[],
): Condition {
  const [fault] = [undefined, ...processes.map(({ node }) => node.gateway)].flatMap(
    (node) => clientCertificateFault(world, gateway, node) ?? [],
  );
  const type = 'ResolvedRefs';
  if (fault !== undefined) return { type, status: 'False', ...fault };
  const unresolved = listeners.filter(({ conditions }) => !isTrue(conditions, type));
  return unresolved.length > 0
    ? {
        type,
        status: 'False',
        reason: 'ListenersNotResolved',
        message: `not resolved: ${unresolved.map(({ listener }) => listener.name).join(', ')}`,
      }
    : { type, status: 'True', reason: type, message: 'what it and its listeners refer to is there' };
}

function programmed(
  world: World,
  gateway: Gateway,
  listeners: readonly ListenerConditions[],
  processes: readonly ProxySession[],
): Condition {
  const type = 'Programmed';
  if (processes.length === 0) return { type, status: 'False', reason: 'Pending', message: nobody(gateway) };
  const fault = gatewayFault(world, gateway);
  if (fault !== undefined) return { type, status: 'False', reason: 'Invalid', message: fault.message };
  const unusable = (gateway.spec.addresses ?? []).some(({ value }) => value !== undefined)
    ? addressRefusal(gateway, processes)
    : undefined;
  if (unusable !== undefined) return { type, status: 'False', reason: 'AddressNotUsable', message: unusable };
  const missing = listeners.filter(({ conditions }) => !isTrue(conditions, type));
  if (missing.length === listeners.length)
    return {
      type,
      status: 'False',
      reason: 'Invalid',
      message: missing[0]?.conditions.find((c) => c.type === type)?.message ?? 'no listener is served',
    };
  return {
    type,
    status: 'True',
    reason: 'Programmed',
    message:
      missing.length === 0
        ? `${processes.length === 1 ? 'its process has' : `its ${processes.length} processes have`} every listener`
        : `without ${missing.map(({ listener }) => listener.name).join(', ')}`,
  };
}
