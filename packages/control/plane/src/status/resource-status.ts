import {
  canonicalJson,
  GATEWAY_CONTROLLER,
  GATEWAY_GROUP,
  isServiceTarget,
  refOf,
  resourceKey,
  type Gateway,
  type ParentRef,
} from '@tulle/resources';
import { backendsOf } from '../compile/backends.ts';
import type { MeshSettings } from '../compile/clusters.ts';
import { listenerSetKey } from '../parents.ts';
import type { ProxySession } from '../proxy-session.ts';
import type { World } from '../world.ts';
import { backendTlsConditions } from './backend-tls-conditions.ts';
import { backendTrafficConditions } from './backend-traffic-conditions.ts';
import { inClear } from './datagram-conditions.ts';
import { gatewayConditions, processesOf } from './gateway-conditions.ts';
import {
  attachedListenerSets,
  listenerSetConditions,
  type ListenerSetConditions,
} from './listener-set-conditions.ts';
import { gatewayClassConditions } from './gateway-class-conditions.ts';
import type { AncestorConditions, PolicyAncestorRef } from './policy-ancestors.ts';
import { routeConditions } from './route-conditions.ts';
import { sessionsLost } from './session-conditions.ts';
import { Transitions, type StatusCondition } from './transitions.ts';

/** `status` of a GatewayClass (Gateway API `GatewayClassStatus`). */
export interface GatewayClassStatus {
  readonly conditions: readonly StatusCondition[];
  readonly supportedFeatures: readonly { readonly name: string }[];
}

/** `status` of a Gateway (Gateway API `GatewayStatus`). */
export interface GatewayStatus extends ListenerSetStatus {
  readonly addresses: readonly { readonly type: 'IPAddress'; readonly value: string }[];
  /** ListenerSets that are taken and `Accepted`. */
  readonly attachedListenerSets: number;
}

/** `status` of a ListenerSet (Gateway API `ListenerSetStatus`). */
export interface ListenerSetStatus {
  readonly conditions: readonly StatusCondition[];
  readonly listeners: readonly {
    readonly name: string;
    readonly attachedRoutes: number;
    readonly supportedKinds: readonly { readonly group: string; readonly kind: string }[];
    readonly conditions: readonly StatusCondition[];
  }[];
}

/** `status` of a route (Gateway API `RouteStatus`). */
export interface RouteStatus {
  readonly parents: readonly {
    readonly parentRef: ParentRef;
    readonly controllerName: string;
    readonly conditions: readonly StatusCondition[];
  }[];
}

/** `status` of a BackendTLSPolicy or an XBackendTrafficPolicy (Gateway API `PolicyStatus`). */
export interface PolicyStatus {
  readonly ancestors: readonly {
    readonly ancestorRef: PolicyAncestorRef;
    readonly controllerName: string;
    readonly conditions: readonly StatusCondition[];
  }[];
}

/** `status` of a resource of a kind that has one. */
export type ResourceStatus =
  | GatewayClassStatus
  | GatewayStatus
  | ListenerSetStatus
  | RouteStatus
  | PolicyStatus;

/** What a status is made of. */
export interface StatusInput {
  readonly world: World;
  readonly mesh: MeshSettings;
  readonly sessions: ReadonlyMap<string, ProxySession>;
  readonly nowMs: () => number;
}

/** Addresses at which the processes of a Gateway listen for some port of it, whatever ports are served elsewhere. */
function addressesOf({ spec }: Gateway, processes: readonly ProxySession[]): string[] {
  const asked = spec.addresses ?? [];
  return [
    ...new Set(
      processes.flatMap(({ node }) => {
        const own = node.gateway?.address ?? '';
        return asked.length === 0 ? [own] : asked.map(({ value }) => value ?? own);
      }),
    ),
  ];
}

/** `status` of GatewayClasses, Gateways, ListenerSets, routes, BackendTLSPolicies and XBackendTrafficPolicies, made when it is asked for; since when a condition holds is remembered. */
export class ResourceStatuses {
  readonly #input: StatusInput;
  readonly #transitions: Transitions;

  constructor(input: StatusInput) {
    this.#input = input;
    this.#transitions = new Transitions(input.nowMs);
  }

  /** @param key as `resourceKey` gives it. `undefined` for kinds without one */
  of(key: string): ResourceStatus | undefined {
    const { world, mesh, sessions } = this.#input;
    const held = world.held(key);
    if (held === undefined) {
      this.#transitions.forget(key);
      return undefined;
    }
    const { resource, generation } = held;
    if (
      resource.kind === 'HTTPRoute' ||
      resource.kind === 'GRPCRoute' ||
      resource.kind === 'TLSRoute' ||
      resource.kind === 'TCPRoute' ||
      resource.kind === 'UDPRoute'
    )
      return {
        parents: routeConditions(world, resource).map(({ parentRef, conditions }) => ({
          parentRef,
          controllerName: GATEWAY_CONTROLLER,
          conditions: this.#transitions.of(key, `parent ${canonicalJson(parentRef)}`, generation, [
            ...conditions,
            ...sessionsLost(resource, parentRef, sessions.values()),
            ...inClear(world, resource, mesh),
          ]),
        })),
      };
    if (resource.kind === 'BackendTLSPolicy')
      return this.#ofPolicy(key, generation, backendTlsConditions(world, resource));
    if (resource.kind === 'XBackendTrafficPolicy')
      return this.#ofPolicy(key, generation, backendTrafficConditions(world, resource, sessions));
    if (resource.kind === 'GatewayClass') {
      const found = gatewayClassConditions(resource);
      return found === undefined
        ? undefined
        : {
            conditions: this.#transitions.of(key, '', generation, found.conditions),
            supportedFeatures: found.supportedFeatures.map((name) => ({ name })),
          };
    }
    if (resource.kind === 'ListenerSet') {
      const of = (gateway: Gateway): readonly ProxySession[] => processesOf(gateway, sessions.values());
      return this.#withListeners(key, generation, listenerSetConditions(world, resource, of));
    }
    if (resource.kind !== 'Gateway') return undefined;
    const processes = processesOf(resource, sessions.values());
    return {
      addresses: addressesOf(resource, processes).map((value) => ({
        type: 'IPAddress',
        value,
      })),
      attachedListenerSets: attachedListenerSets(world, resource, processes),
      ...this.#withListeners(key, generation, gatewayConditions(world, resource, processes)),
    };
  }

  #ofPolicy(key: string, generation: number, ancestors: readonly AncestorConditions[]): PolicyStatus {
    return {
      ancestors: ancestors.map(({ ancestorRef, conditions }) => ({
        ancestorRef,
        controllerName: GATEWAY_CONTROLLER,
        conditions: this.#transitions.of(
          key,
          `ancestor ${Object.values(ancestorRef).join('/')}`,
          generation,
          conditions,
        ),
      })),
    };
  }

  #withListeners(
    key: string,
    generation: number,
    { conditions, listeners }: ListenerSetConditions,
  ): ListenerSetStatus {
    return {
      conditions: this.#transitions.of(key, '', generation, conditions),
      listeners: listeners.map((one) => ({
        name: one.listener.name,
        attachedRoutes: one.attachedRoutes,
        supportedKinds: one.supportedKinds.map((kind) => ({ group: GATEWAY_GROUP, kind })),
        conditions: this.#transitions.of(key, `listener ${one.listener.name}`, generation, one.conditions),
      })),
    };
  }

  /**
   * Something changed that may change these: what their conditions say is noted now, not when somebody next looks.
   * @param keys as `Touched.services` has them: of Gateways `Gateway/namespace/name`, of ListenerSets the same, of Services
   *   `namespace/name`
   */
  note(keys: Iterable<string>): void {
    const { world } = this.#input;
    const services = new Set<string>();
    const parents = new Set<string>();
    for (const key of keys) {
      const isParent = key.startsWith('Gateway/') || key.startsWith('ListenerSet/');
      (isParent ? parents : services).add(key);
      for (const set of world.listenerSetsOf(key)) parents.add(listenerSetKey(set.metadata));
    }
    for (const key of parents) {
      this.of(key);
      for (const route of [...world.routesOf(key), ...world.connectionRoutesOf(key)]) {
        this.of(resourceKey(refOf(route)));
        for (const service of backendsOf(route)) services.add(service);
      }
    }
    for (const service of services) {
      const [namespace = '', name] = service.split('/');
      for (const kind of ['BackendTLSPolicy', 'XBackendTrafficPolicy'] as const)
        for (const policy of world.in(kind, namespace))
          if (policy.spec.targetRefs.some((target) => isServiceTarget(target) && target.name === name))
            this.of(resourceKey(refOf(policy)));
    }
  }
}
