import {
  USE_WAYPOINT_LABEL,
  waypointOf,
  waypointProblem,
  type Gateway,
  type Service,
} from '@tulle/resources';
import { boundAt, gatewayFault, listenerNameOf } from '../compile/gateway-listeners.ts';
import type { Condition } from '../condition.ts';
import { gatewayKey } from '../parents.ts';
import type { ProxySession } from '../proxy-session.ts';
import { isUnspecified } from '../waypoint-workload.ts';
import type { World } from '../world.ts';
import { defaultGateway } from './default-condition.ts';
import { infrastructurePropagated } from './infrastructure-condition.ts';
import { namespaceLabelsKnown } from './namespace-condition.ts';
import { nobody, type ListenerConditions } from './listener-conditions.ts';

/** Conditions of a Gateway that is a waypoint, and of its one listener; its other shapes are refused when they are read. */
export function waypointConditions(
  world: World,
  gateway: Gateway,
  processes: readonly ProxySession[],
): { readonly conditions: readonly Condition[]; readonly listeners: readonly ListenerConditions[] } {
  const fault = gatewayFault(world, gateway);
  const programmed = whetherProgrammed(world, gateway, processes);
  return {
    conditions: [
      fault !== undefined
        ? { type: 'Accepted', status: 'False', ...fault }
        : { type: 'Accepted', status: 'True', reason: 'Accepted', message: usersOf(world, gateway) },
      programmed,
      {
        type: 'ResolvedRefs',
        status: 'True',
        reason: 'ResolvedRefs',
        message: 'what it refers to is there',
      },
      ...defaultGateway(gateway),
      ...infrastructurePropagated(gateway),
    ],
    listeners: gateway.spec.listeners.map((listener) => ({
      listener,
      attachedRoutes: 0, // they attach to the Services that ask for it
      supportedKinds: [],
      conditions: [
        { type: 'Accepted', status: 'True', reason: 'Accepted', message: 'the listener is valid' },
        {
          type: 'Conflicted',
          status: 'False',
          reason: 'NoConflicts',
          message: 'no other listener is in its way',
        },
        {
          type: 'ResolvedRefs',
          status: 'True',
          reason: 'ResolvedRefs',
          message: 'what it refers to is there',
        },
        programmed,
        ...namespaceLabelsKnown(listener.allowedRoutes?.namespaces),
      ],
    })),
  };
}

function usersOf(world: World, gateway: Gateway): string {
  const { metadata } = gateway;
  const names = world.waypoints
    .usersOf(gatewayKey(gateway.metadata))
    .filter((service) => waypointProblem(gateway, service) === undefined)
    .map(({ metadata: of }) =>
      of.namespace === metadata.namespace ? of.name : `${of.namespace}/${of.name}`,
    );
  return names.length === 0
    ? `no Service asks for it yet, by the label ${USE_WAYPOINT_LABEL}: ${metadata.name}`
    : `it is the waypoint of ${names.join(', ')}`;
}

function whetherProgrammed(world: World, gateway: Gateway, processes: readonly ProxySession[]): Condition {
  const type = 'Programmed';
  const { namespace, name } = gateway.metadata;
  const no = (reason: string, message: string): Condition => ({ type, status: 'False', reason, message });
  const [listener] = gateway.spec.listeners;
  const fault = gatewayFault(world, gateway);
  if (fault !== undefined) return no('Invalid', fault.message);
  if (processes.length === 0 || listener === undefined) return no('Pending', nobody(gateway));
  for (const process of processes) {
    const { node } = process;
    for (const at of node.gateway === undefined ? [] : boundAt(gateway, node.gateway, listener.port)) {
      const { has, refused } = process.standingOf('listener', listenerNameOf(at));
      if (refused !== undefined) return no('Invalid', `${node.id} refuses it: ${refused}`);
      if (!has) return no('Pending', `${node.id} has not confirmed it yet`);
      if (isUnspecified(at.host))
        return no(
          'AddressNotUsable',
          `${node.id} listens at ${at.host}, where nobody finds it; start it with --listen and the address of its machine`,
        );
    }
  }
  if (!world.forwarders.believes(`${namespace}/${name}`))
    return no(
      'Invalid',
      `an application has its service account ${namespace}/${name}, so that workloads do not take its word for who called; give the application an account of its own`,
    );
  return {
    type,
    status: 'True',
    reason: 'Programmed',
    message: `${processes.length === 1 ? 'its process takes' : `its ${processes.length} processes take`} tunnels`,
  };
}

/** Whether a Service can be called by the waypoint that it asks for; nothing where it asks for none. */
export function waypointOfService(
  world: World,
  service: Service,
  processesOf: (gateway: Gateway) => readonly ProxySession[],
): Condition[] {
  const asked = waypointOf(service);
  if (asked === undefined) return [];
  const { namespace, name } = asked;
  const type = 'WaypointReady';
  const no = (reason: string, message: string): Condition => ({ type, status: 'False', reason, message });
  const gateway = world.waypointOf(service);
  if (gateway === undefined)
    return [no('WaypointNotFound', `nobody can call it: there is no Gateway ${namespace}/${name}`)];
  const problem = waypointProblem(gateway, service);
  if (problem === 'namespace')
    return [
      no(
        'NotAllowedByListeners',
        `nobody can call it: waypoint ${namespace}/${name} takes no Services of namespace ${service.metadata.namespace}, by allowedRoutes of its listener`,
      ),
    ];
  if (problem === 'class')
    return [
      no(
        'NoWaypoint',
        `nobody can call it: Gateway ${namespace}/${name} is of class ${gateway.spec.gatewayClassName}`,
      ),
    ];
  const programmed = whetherProgrammed(world, gateway, processesOf(gateway));
  if (programmed.status === 'True')
    return [
      {
        type,
        status: 'True',
        reason: 'WaypointProgrammed',
        message: `it is called through ${namespace}/${name}`,
      },
    ];
  // Processes that are away from here may still serve, and callers still know them.
  const outcome =
    world.waypoints.instancesOf(gatewayKey(asked)).length === 0
      ? 'nobody can call it'
      : 'calls of it may fail';
  return [no('WaypointNotProgrammed', `${outcome}: ${programmed.message}`)];
}
