import {
  attachToGateway,
  connectionShares,
  displacedRoutes,
  gatewayParents,
  servedKinds,
  unservedKinds,
  type Gateway,
  type GatewayListener,
  type MergedGateway,
} from '@tulle/resources';
import { boundAt, listenerFault, listenerNameOf, type ListenerFault } from '../compile/gateway-listeners.ts';
import { callerTrust } from '../compile/gateway-tls.ts';
import type { Condition } from '../condition.ts';
import type { ProxySession } from '../proxy-session.ts';
import type { World } from '../world.ts';
import { portRefusal } from './cannot-listen.ts';
import { namespaceLabelsKnown } from './namespace-condition.ts';
import { overlappingTls } from './overlap-condition.ts';

/** What holds of one listener (Gateway API `ListenerStatus`). */
export interface ListenerConditions {
  readonly listener: GatewayListener;
  readonly attachedRoutes: number;
  readonly supportedKinds: readonly string[];
  readonly conditions: readonly Condition[];
}

export function isTrue(conditions: readonly Condition[], type: string): boolean {
  return conditions.some((c) => c.type === type && c.status === 'True');
}

/** That a port cannot be had: of listeners of Gateways a reason of `Accepted`, of those of ListenerSets of `Programmed` too. */
export const PORT_UNAVAILABLE = 'PortUnavailable';

/** Why nothing is served. */
export function nobody({ metadata: { namespace, name } }: Gateway): string {
  return `no process serves it; start one: tulle gateway --name ${name}${namespace === 'default' ? '' : ` --namespace ${namespace}`}`;
}

/** Conditions of a listener of a Gateway, or of a ListenerSet that it takes. */
export function listenerConditions(
  world: World,
  merged: MergedGateway,
  listener: GatewayListener,
  processes: readonly ProxySession[],
): ListenerConditions {
  const all = world.routesAt(merged);
  const displaced = displacedRoutes(merged, all);
  const shares = connectionShares(merged, world.connectionRoutesAt(merged));
  const connectionRoutes = new Set(
    shares.filter((share) => share.listener === listener).map(({ route }) => route),
  );
  const routes = all.filter(
    (route) =>
      displaced.get(route)?.has(listener) !== true &&
      gatewayParents(route, merged).some((parent) =>
        attachToGateway(merged, route, parent).attachments.some((a) => a.listener === listener),
      ),
  );
  // What is wrong whoever serves it comes before what one process lacks.
  const faults = [undefined, ...processes.map(({ node }) => node.gateway)].flatMap(
    (node) => listenerFault(world, merged, listener, node) ?? [],
  );
  const [fault] = faults;
  const unserved = unservedKinds(listener);
  const conflicted = fault?.type === 'Conflicted';
  const refused = conflicted || fault?.type === 'Accepted';
  const unavailable = fault === undefined ? portRefusal(merged.gateway, listener, processes) : undefined;
  const callers = callerTrust(world, merged.gateway, listener)?.fault;
  const resolved: Condition =
    callers !== undefined
      ? { type: 'ResolvedRefs', status: 'False', ...callers }
      : fault?.type === 'ResolvedRefs'
        ? { type: 'ResolvedRefs', status: 'False', reason: fault.reason, message: fault.message }
        : unserved.length > 0
          ? {
              type: 'ResolvedRefs',
              status: 'False',
              reason: 'InvalidRouteKinds',
              message: `not served: ${unserved.join(', ')}`,
            }
          : {
              type: 'ResolvedRefs',
              status: 'True',
              reason: 'ResolvedRefs',
              message: 'what it refers to is there',
            };
  return {
    listener,
    attachedRoutes: routes.length + connectionRoutes.size,
    supportedKinds: servedKinds(listener),
    conditions: [
      refused
        ? { type: 'Accepted', status: 'False', reason: fault.reason, message: fault.message }
        : unavailable !== undefined
          ? { type: 'Accepted', status: 'False', reason: PORT_UNAVAILABLE, message: unavailable }
          : { type: 'Accepted', status: 'True', reason: 'Accepted', message: 'the listener is valid' },
      conflicted
        ? { type: 'Conflicted', status: 'True', reason: fault.reason, message: fault.message }
        : {
            type: 'Conflicted',
            status: 'False',
            reason: 'NoConflicts',
            message: 'no other listener is in its way',
          },
      resolved,
      unavailable !== undefined
        ? {
            type: 'Programmed',
            status: 'False',
            reason: merged.ownerOf(listener).kind === 'ListenerSet' ? PORT_UNAVAILABLE : 'Invalid',
            message: unavailable,
          }
        : listenerProgrammed(merged, listener, fault, processes),
      ...overlappingTls(merged, listener),
      ...namespaceLabelsKnown(listener.allowedRoutes?.namespaces),
    ],
  };
}

/** Whether every process has it; the first that has not says why. */
function listenerProgrammed(
  merged: MergedGateway,
  listener: GatewayListener,
  fault: ListenerFault | undefined,
  processes: readonly ProxySession[],
): Condition {
  const type = 'Programmed';
  const { gateway } = merged;
  if (fault !== undefined) {
    const ofSet = merged.ownerOf(listener).kind === 'ListenerSet';
    const reason = ofSet && fault.type === 'Conflicted' ? fault.reason : 'Invalid'; // GEP-1713 says so of sets alone
    return { type, status: 'False', reason, message: fault.message };
  }
  if (processes.length === 0) return { type, status: 'False', reason: 'Pending', message: nobody(gateway) };
  for (const process of processes) {
    const { node } = process;
    if (node.gateway === undefined) continue;
    for (const at of boundAt(gateway, node.gateway, listener.port)) {
      const { has, refused } = process.standingOf('listener', listenerNameOf(at, listener.protocol));
      if (refused !== undefined)
        return { type, status: 'False', reason: 'Invalid', message: `${node.id} refuses it: ${refused}` };
      if (!has)
        return { type, status: 'False', reason: 'Pending', message: `${node.id} has not confirmed it yet` };
    }
  }
  return { type, status: 'True', reason: 'Programmed', message: 'every process of the Gateway listens' };
}
