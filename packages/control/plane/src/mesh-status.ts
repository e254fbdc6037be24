import type { Diagnostic, Service } from '@tulle/resources';
import type { ResourceKind } from '@tulle/xds-server';
import { filterPolicyStatus, type FilterPolicyStatus } from './filter-policy-status.ts';
import type { MeshSettings } from './compile/clusters.ts';
import type { Condition } from './condition.ts';
import type { LeftOut } from './endpoint-right.ts';
import type { KindStatus, ProxySession } from './proxy-session.ts';
import { processesOf } from './status/gateway-conditions.ts';
import { waypointOfService } from './status/waypoint-conditions.ts';
import type { World } from './world.ts';

/** What a Service's selector picks and the Service does not take (docs/decisions/007), and what else holds of it. */
export interface ServiceStatus {
  /** `namespace/name`. */
  readonly name: string;
  readonly conditions: readonly Condition[];
  readonly leftOut: readonly LeftOut[];
}

/** One proxy in status. */
export interface ProxyStatus {
  readonly id: string;
  /** False: its stream has ended; the rest is how it stood then. Kept for `keepDisconnectedMs`. */
  readonly connected: boolean;
  /** When its stream ended, in milliseconds since 1970; absent while it is connected. */
  readonly lastSeenMs?: number;
  /** How its stream ended: `clean` by itself, else `lost`. Absent while it is connected. */
  readonly ended?: 'clean' | 'lost';
  readonly identity?: string;
  readonly workload: string;
  readonly namespace: string;
  /** Of its Workload. */
  readonly labels: Readonly<Record<string, string>>;
  /** What it does beside identity, where it says so. */
  readonly capabilities?: readonly string[];
  readonly changeId: string;
  readonly lastPropagationMs?: number;
  readonly kinds: Readonly<Record<ResourceKind, KindStatus>>;
}

/** The mesh as the control plane sees it. */
export interface MeshStatus {
  readonly trustDomain: string;
  /** What a workload without ALLOW policies does with authenticated callers. */
  readonly defaultAction: 'allow' | 'deny';
  readonly proxies: readonly ProxyStatus[];
  readonly resources: number;
  readonly sources: readonly { readonly id: string; readonly faults: readonly Diagnostic[] }[];
  readonly filterPolicies: readonly FilterPolicyStatus[];
  /** Services with Workloads that their selector picks and that they do not take, or with a waypoint that is not there. */
  readonly services: readonly ServiceStatus[];
  /** Workloads whose sidecar vanished without a word. */
  readonly lostWorkloads: readonly string[];
  /** Why the newest state is not on disk; absent when it is. */
  readonly unsaved?: string;
}

/** How a connected proxy stands. */
export function proxyStatus(session: ProxySession): ProxyStatus {
  const { node, snapshot, lastChange } = session;
  return {
    id: node.id,
    connected: true,
    ...(node.identity === undefined ? {} : { identity: node.identity }),
    workload: node.workload,
    namespace: node.namespace,
    labels: node.labels,
    ...(node.capabilities === undefined ? {} : { capabilities: node.capabilities }),
    changeId: snapshot.changeId,
    ...(lastChange === undefined ? {} : { lastPropagationMs: lastChange.propagationMs }),
    kinds: session.status(),
  };
}

/** Services that leave somebody out, or whose waypoint is not there, by name. */
export function serviceStatus(world: World, sessions: ReadonlyMap<string, ProxySession>): ServiceStatus[] {
  const leftOut = world.leftOut();
  return [...world.services()]
    .map((service) => ({ service, name: `${service.metadata.namespace}/${service.metadata.name}` }))
    .flatMap(({ service, name }) => {
      const left = leftOut.get(name) ?? [];
      const waypoint = waypointCondition(world, sessions, service);
      return left.length === 0 && waypoint.every(({ status }) => status === 'True')
        ? []
        : [{ name, leftOut: left, conditions: [endpointsTaken(left), ...waypoint] }];
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function waypointCondition(
  world: World,
  sessions: ReadonlyMap<string, ProxySession>,
  service: Service,
): Condition[] {
  return waypointOfService(world, service, (gateway) => processesOf(gateway, sessions.values()));
}

/** Workloads that Services leave out, by pair. */
export function countLeftOut(world: World): number {
  let count = 0;
  for (const { length } of world.leftOut().values()) count += length;
  return count;
}

/** What holds of a resource; nothing is said of most kinds. */
export function conditionsOf(
  world: World,
  sessions: ReadonlyMap<string, ProxySession>,
  mesh: MeshSettings,
  key: string,
): readonly Condition[] {
  const resource = world.held(key)?.resource;
  if (resource?.kind === 'FilterPolicy')
    return filterPolicyStatus(world, sessions, mesh, [resource]).flatMap(({ conditions }) => conditions);
  if (resource?.kind !== 'Service') return [];
  const { namespace, name } = resource.metadata;
  return [
    endpointsTaken(world.leftOut().get(`${namespace}/${name}`) ?? []),
    ...waypointCondition(world, sessions, resource),
  ];
}

function endpointsTaken(leftOut: readonly LeftOut[]): Condition {
  if (leftOut.length === 0)
    return {
      type: 'EndpointsTaken',
      status: 'True',
      reason: 'ServiceAccountsAllowed',
      message: 'no Workload that the selector picks is left out',
    };
  return {
    type: 'EndpointsTaken',
    status: 'False',
    reason: 'ServiceAccountNotAllowed',
    message: leftOut.map(({ workload, reason }) => `Workload ${workload} is left out: ${reason}`).join('; '),
  };
}
