import {
  isServedGateway,
  isWaypoint,
  takesListenerSet,
  type Gateway,
  type ListenerSet,
} from '@tulle/resources';
import { gatewayFault } from '../compile/gateway-listeners.ts';
import type { Condition } from '../condition.ts';
import type { ProxySession } from '../proxy-session.ts';
import type { World } from '../world.ts';
import { unservedClass } from './gateway-class-conditions.ts';
import {
  isTrue,
  listenerConditions,
  nobody,
  PORT_UNAVAILABLE,
  type ListenerConditions,
} from './listener-conditions.ts';

/** What holds of a ListenerSet and its listeners (Gateway API `ListenerSetStatus`, GEP-1713). */
export interface ListenerSetConditions {
  readonly conditions: readonly Condition[];
  readonly listeners: readonly ListenerConditions[];
}

/**
 * Conditions of a ListenerSet; none where its Gateway is another controller's.
 * @param processesOf processes that serve a Gateway
 */
export function listenerSetConditions(
  world: World,
  set: ListenerSet,
  processesOf: (gateway: Gateway) => readonly ProxySession[],
): ListenerSetConditions {
  const { name, namespace = set.metadata.namespace } = set.spec.parentRef;
  const gateway = world.get('Gateway', namespace, name);
  const neither = (accepted: string, programmed: string, message: string): ListenerSetConditions => ({
    conditions: [
      { type: 'Accepted', status: 'False', reason: accepted, message },
      { type: 'Programmed', status: 'False', reason: programmed, message },
    ],
    listeners: [],
  });
  if (gateway === undefined)
    return neither('ParentNotAccepted', 'ParentNotProgrammed', `there is no Gateway ${namespace}/${name}`);
  const unserved = unservedClass(world, gateway);
  if (unserved !== undefined) return neither('ParentNotAccepted', 'ParentNotProgrammed', unserved);
  if (!isServedGateway(gateway) && !isWaypoint(gateway)) return { conditions: [], listeners: [] };
  if (!takesListenerSet(gateway, set))
    return neither(
      'NotAllowed',
      'NotAllowed',
      `Gateway ${namespace}/${name} takes no ListenerSets of namespace ${set.metadata.namespace} (allowedListeners)`,
    );
  const fault = gatewayFault(world, gateway);
  if (fault !== undefined)
    return neither(
      'ParentNotAccepted',
      'ParentNotProgrammed',
      `Gateway ${namespace}/${name} is not accepted: ${fault.message}`,
    );
  const processes = processesOf(gateway);
  const merged = world.merged(gateway);
  const listeners = set.spec.listeners.map((listener) =>
    listenerConditions(world, merged, listener, processes),
  );
  const invalid = listeners.filter(({ conditions }) => !isTrue(conditions, 'Accepted'));
  const notValid = `not valid: ${invalid.map(({ listener }) => listener.name).join(', ')}`;
  if (invalid.length === listeners.length) {
    // What its listeners say of a port that cannot be had it says too (Gateway API `ListenerSetConditionProgrammed`).
    const noPorts = invalid.every(({ conditions }) =>
      conditions.some(({ type, reason }) => type === 'Accepted' && reason === PORT_UNAVAILABLE),
    );
    const reason = noPorts ? PORT_UNAVAILABLE : 'ListenersNotValid';
    return { ...neither('ListenersNotValid', reason, notValid), listeners };
  }
  const accepted: Condition = {
    type: 'Accepted',
    status: 'True',
    reason: invalid.length === 0 ? 'Accepted' : 'ListenersNotValid',
    message: invalid.length === 0 ? 'every listener is valid' : notValid,
  };
  return { conditions: [accepted, programmed(gateway, listeners, processes)], listeners };
}

function programmed(
  gateway: Gateway,
  listeners: readonly ListenerConditions[],
  processes: readonly ProxySession[],
): Condition {
  const type = 'Programmed';
  if (processes.length === 0)
    return { type, status: 'False', reason: 'ParentNotProgrammed', message: nobody(gateway) };
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
    reason: type,
    message:
      missing.length === 0
        ? 'every listener is served'
        : `without ${missing.map(({ listener }) => listener.name).join(', ')}`,
  };
}

/** How many ListenerSets a Gateway has taken that are `Accepted` (Gateway API `GatewayStatus.attachedListenerSets`). */
export function attachedListenerSets(
  world: World,
  gateway: Gateway,
  processes: readonly ProxySession[],
): number {
  return world
    .merged(gateway)
    .sets.filter((set) => isTrue(listenerSetConditions(world, set, () => processes).conditions, 'Accepted'))
    .length;
}
