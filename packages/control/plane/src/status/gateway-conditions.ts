import {
  attachToGateway,
  connectionShares,
  displacedRoutes,
  gatewayParents,
  isServedGateway,
  servedKinds,
  unservedKinds,
  type Gateway,
  type GatewayListener,
} from '@tulle/resources';
import {
  boundAt,
  listenerFault,
  listenerNameOf,
  unsupportedAddresses,
} from '../compile/gateway-listeners.ts';
import { callerTrust, clientCertificateFault } from '../compile/gateway-tls.ts';
import type { Condition } from '../condition.ts';
import type { ProxySession } from '../proxy-session.ts';
import { gatewayKey, type World } from '../world.ts';

/** What holds of one listener (Gateway API `ListenerStatus`). */
export interface ListenerConditions {
  readonly listener: GatewayListener;
  readonly attachedRoutes: number;
  readonly supportedKinds: readonly string[];
  readonly conditions: readonly Condition[];
}

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
  if (!isServedGateway(gateway)) return { conditions: [], listeners: [] };
  const listeners = gateway.spec.listeners.map((listener) =>
    listenerConditions(world, gateway, listener, processes),
  );
  const valid = listeners.filter(({ conditions }) => isTrue(conditions, 'Accepted'));
  const broken = gateway.spec.listeners.filter(
    (l) => listenerFault(world, gateway, l, undefined) !== undefined,
  );
  const unsupported = unsupportedAddresses(gateway);
  const accepted: Condition =
    unsupported.length > 0
      ? {
          type: 'Accepted',
          status: 'False',
          reason: 'UnsupportedAddress',
          message: `addresses of type ${unsupported.join(', ')} are not supported: IPAddress is`,
        }
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
      programmed(gateway, listeners, processes),
      ...clientCertificateResolved(world, gateway, processes),
    ],
    listeners,
  };
}

/** Whether the certificate for backends is there; nothing where none is asked for. */
function clientCertificateResolved(
  world: World,
  gateway: Gateway,
  processes: readonly ProxySession[],
): Condition[] {
  if (gateway.spec.tls?.backend?.clientCertificateRef === undefined) return [];
  const [fault] = [undefined, ...processes.map(({ node }) => node.gateway)].flatMap(
    (node) => clientCertificateFault(world, gateway, node) ?? [],
  );
  const type = 'ResolvedRefs';
  return fault === undefined
    ? [{ type, status: 'True', reason: type, message: 'what it refers to is there' }]
    : [{ type, status: 'False', ...fault }];
}

function isTrue(conditions: readonly Condition[], type: string): boolean {
  return conditions.some((c) => c.type === type && c.status === 'True');
}

function programmed(
  gateway: Gateway,
  listeners: readonly ListenerConditions[],
  processes: readonly ProxySession[],
): Condition {
  const type = 'Programmed';
  if (processes.length === 0) return { type, status: 'False', reason: 'Pending', message: nobody(gateway) };
  if (unsupportedAddresses(gateway).length > 0)
    return {
      type,
      status: 'False',
      reason: 'Invalid',
      message: 'an address is of a type that is not supported',
    };
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

/** What a process says that cannot listen at an address. */
function addressRefusal(gateway: Gateway, processes: readonly ProxySession[]): string | undefined {
  for (const process of processes) {
    const { gateway: serving, id } = process.node;
    if (serving === undefined) continue;
    for (const { port } of gateway.spec.listeners)
      for (const at of boundAt(gateway, serving, port)) {
        const { refused } = process.standingOf('listener', listenerNameOf(at));
        if (refused?.includes(CANNOT_LISTEN) === true) return `${id} refuses it: ${refused}`;
      }
  }
  return undefined;
}

/** How the engine says that an address cannot be had. */
const CANNOT_LISTEN = 'cannot listen on';

function nobody({ metadata: { namespace, name } }: Gateway): string {
  return `no process serves it; start one: tulle gateway --name ${name}${namespace === 'default' ? '' : ` --namespace ${namespace}`}`;
}

function listenerConditions(
  world: World,
  gateway: Gateway,
  listener: GatewayListener,
  processes: readonly ProxySession[],
): ListenerConditions {
  const all = [...world.routesOf(gatewayKey(gateway.metadata))];
  const displaced = displacedRoutes(gateway, all);
  const shares = connectionShares(gateway, world.connectionRoutesOf(gatewayKey(gateway.metadata)));
  const connectionRoutes = new Set(
    shares.filter((share) => share.listener === listener).map(({ route }) => route),
  );
  const routes = all.filter(
    (route) =>
      displaced.get(route)?.has(listener) !== true &&
      gatewayParents(route, gateway).some((parent) =>
        attachToGateway(gateway, route, parent).attachments.some((a) => a.listener === listener),
      ),
  );
  // What is wrong whoever serves it comes before what one process lacks.
  const faults = [undefined, ...processes.map(({ node }) => node.gateway)].flatMap(
    (node) => listenerFault(world, gateway, listener, node) ?? [],
  );
  const [fault] = faults;
  const unserved = unservedKinds(listener);
  const conflicted = fault?.type === 'Conflicted';
  const refused = conflicted || fault?.type === 'Accepted';
  const callers = callerTrust(world, gateway, listener)?.fault;
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
      listenerProgrammed(gateway, listener, fault, processes),
    ],
  };
}

/** Whether every process has it; the first that has not says why. */
function listenerProgrammed(
  gateway: Gateway,
  listener: GatewayListener,
  fault: { readonly message: string } | undefined,
  processes: readonly ProxySession[],
): Condition {
  const type = 'Programmed';
  if (fault !== undefined) return { type, status: 'False', reason: 'Invalid', message: fault.message };
  if (processes.length === 0) return { type, status: 'False', reason: 'Pending', message: nobody(gateway) };
  for (const process of processes) {
    const { node } = process;
    if (node.gateway === undefined) continue;
    for (const at of boundAt(gateway, node.gateway, listener.port)) {
      const { has, refused } = process.standingOf('listener', listenerNameOf(at));
      if (refused !== undefined)
        return { type, status: 'False', reason: 'Invalid', message: `${node.id} refuses it: ${refused}` };
      if (!has)
        return { type, status: 'False', reason: 'Pending', message: `${node.id} has not confirmed it yet` };
    }
  }
  return { type, status: 'True', reason: 'Programmed', message: 'every process of the Gateway listens' };
}
