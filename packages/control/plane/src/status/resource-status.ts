import {
  GATEWAY_CONTROLLER,
  GATEWAY_GROUP,
  refOf,
  resourceKey,
  type Gateway,
  type ParentRef,
} from '@tulle/resources';
import type { ProxySession } from '../proxy-session.ts';
import type { World } from '../world.ts';
import { gatewayConditions, processesOf } from './gateway-conditions.ts';
import { routeConditions } from './route-conditions.ts';
import { Transitions, type StatusCondition } from './transitions.ts';

/** `status` of a Gateway (Gateway API `GatewayStatus`). */
export interface GatewayStatus {
  readonly addresses: readonly { readonly type: 'IPAddress'; readonly value: string }[];
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

/** What a status is made of. */
export interface StatusInput {
  readonly world: World;
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

/** `status` of Gateways and routes, made when it is asked for; since when a condition holds is remembered. */
export class ResourceStatuses {
  readonly #input: StatusInput;
  readonly #transitions: Transitions;

  constructor(input: StatusInput) {
    this.#input = input;
    this.#transitions = new Transitions(input.nowMs);
  }

  /** @param key as `resourceKey` gives it. `undefined` for kinds without one */
  of(key: string): GatewayStatus | RouteStatus | undefined {
    const { world, sessions } = this.#input;
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
      resource.kind === 'TCPRoute'
    )
      return {
        parents: routeConditions(world, resource).map(({ parentRef, conditions }, i) => ({
          parentRef,
          controllerName: GATEWAY_CONTROLLER,
          conditions: this.#transitions.of(key, `parent ${i}`, generation, conditions),
        })),
      };
    if (resource.kind !== 'Gateway') return undefined;
    const processes = processesOf(resource, sessions.values());
    const { conditions, listeners } = gatewayConditions(world, resource, processes);
    return {
      addresses: addressesOf(resource, processes).map((value) => ({
        type: 'IPAddress',
        value,
      })),
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
   * @param keys as `Touched.services` has them: those of Gateways, `Gateway/namespace/name`, count
   */
  note(keys: Iterable<string>): void {
    for (const key of keys) {
      if (!key.startsWith('Gateway/')) continue;
      this.of(key);
      const { world } = this.#input;
      for (const route of [...world.routesOf(key), ...world.connectionRoutesOf(key)])
        this.of(resourceKey(refOf(route)));
    }
  }
}
