import {
  isConnectionRouteKind,
  isDefaultGateway,
  isRouteKind,
  isServiceTarget,
  isUdpPort,
  SERVICE_NAME_LABEL,
  usesDefaultGateways,
  type AnyRoute,
  type BackendTLSPolicy,
  type BackendTrafficPolicy,
  type Gateway,
  type RequestRoute,
  type Resource,
  type Service,
} from '@tulle/resources';
import { provenAccount } from './forwarders.ts';
import { DEFAULT_GATEWAYS, gatewayKey, gatewayOf, listenerSetKey, parentsOf } from './parents.ts';
import { serviceOf, workloadsIn } from './slices.ts';
import { servedBy, waypointKey } from './waypoint-index.ts';
import type { World } from './world.ts';

/** What a change touched. */
export interface Touched {
  /** Keys of Services (`ns/name`) and Gateways ({@link gatewayKey}) whose callers, or processes, may be concerned. */
  readonly services: Set<string>;
  /** Namespaces whose inbound sides may be concerned, and whatever asks what they ask; `*`: all. */
  readonly inbound: Set<string>;
  /** Namespaces whose workloads may take calls from other waypoints than before. */
  readonly guards: Set<string>;
  /** Services, as they were or are: the inbound sides of what they select may be concerned. */
  readonly selecting: Set<Service>;
}

export function nothingTouched(): Touched {
  return { services: new Set(), inbound: new Set(), guards: new Set(), selecting: new Set() };
}

/** Who may call every Service there is depends on this, as on each of them. */
export const EVERY_SERVICE = 'Service/*';

/** What depends on every Workload there is depends on this. */
export const EVERY_WORKLOAD = 'Workload/*';

/**
 * Notes what depends on a resource, as it was or is.
 * @param services keys as of {@link Touched}
 */
export function touchBy(
  world: World,
  rootNamespace: string,
  resource: Resource,
  { services, inbound, guards, selecting }: Touched,
): void {
  const { namespace, name } = resource.metadata;
  const policyScope = (): void => void inbound.add(namespace === rootNamespace ? '*' : namespace);
  switch (resource.kind) {
    case 'Service': {
      services.add(`${namespace}/${name}`); // whom routes lead there depends on it by name, also before it is there
      services.add(EVERY_SERVICE);
      selecting.add(resource);
      const waypoint = waypointKey(resource);
      if (waypoint !== undefined) {
        services.add(waypoint);
        guards.add(namespace); // by slices it may lead to whom it does not select
      }
      return;
    }
    case 'Workload':
      services.add(EVERY_WORKLOAD);
      if (world.held(`Gateway/${provenAccount(resource)}`) !== undefined) inbound.add('*'); // its word counts no more, or again
      for (const { metadata: of } of world.servicesWith(resource)) services.add(`${of.namespace}/${of.name}`);
      touchWaypoint(world, servedBy(resource), services);
      return;
    case 'EndpointSlice': {
      services.add(serviceOf(resource));
      // A waypoint before these asks what policies for any of their Services say.
      for (const key of workloadsIn(resource)) {
        const workload = world.held(`Workload/${key}`)?.resource;
        for (const { metadata: of } of workload?.kind === 'Workload' ? world.servicesWith(workload) : [])
          services.add(`${of.namespace}/${of.name}`);
      }
      const service = world.get('Service', namespace, resource.metadata.labels?.[SERVICE_NAME_LABEL] ?? '');
      if (service !== undefined && waypointKey(service) !== undefined) guards.add(namespace);
      return;
    }
    case 'HTTPRoute':
    case 'GRPCRoute':
    case 'TLSRoute':
    case 'TCPRoute':
    case 'UDPRoute':
      touchParents(world, resource, services);
      return;
    case 'ListenerSet':
      services.add(listenerSetKey(resource.metadata));
      services.add(gatewayOf(resource));
      return;
    case 'GatewayClass':
      for (const gateway of world.gateways())
        if (gateway.spec.gatewayClassName === name)
          touchWaypoint(world, gatewayKey(gateway.metadata), services);
      return;
    case 'Gateway':
      touchWaypoint(world, gatewayKey(resource.metadata), services);
      if (isDefaultGateway(resource)) services.add(DEFAULT_GATEWAYS);
      inbound.add('*'); // everybody believes what it says of callers
      return;
    case 'BackendTLSPolicy':
    case 'XBackendTrafficPolicy':
      touchTargets(resource, services);
      return;
    case 'ConfigMap':
      for (const policy of world.in('BackendTLSPolicy', namespace))
        if (policy.spec.validation.caCertificateRefs?.some((ref) => ref.name === name) === true)
          touchTargets(policy, services);
      for (const gateway of world.gateways())
        if (believes(gateway, namespace, name)) services.add(gatewayKey(gateway.metadata));
      return;
    case 'ReferenceGrant':
      for (const { namespace: from, kind } of resource.spec.from) {
        if (kind === 'Gateway')
          for (const gateway of world.in('Gateway', from)) services.add(gatewayKey(gateway.metadata));
        if (kind === 'ListenerSet')
          for (const set of world.in('ListenerSet', from)) services.add(gatewayOf(set));
        const routes: Iterable<AnyRoute> =
          isRouteKind(kind) || isConnectionRouteKind(kind) ? world.in(kind, from) : [];
        for (const route of routes) touchParents(world, route, services);
      }
      return;
    case 'PeerAuthentication':
      touchDatagrams(world, services);
      return policyScope();
    case 'AuthorizationPolicy':
      return policyScope();
    case 'TrafficPolicy':
    case 'FilterPolicy':
      for (const target of resource.spec.targetRefs ?? []) {
        if (target.kind === 'Service') services.add(`${namespace}/${target.name}`);
        if (target.kind === 'Gateway') services.add(gatewayKey({ namespace, name: target.name }));
        const set =
          target.kind === 'ListenerSet' ? world.get('ListenerSet', namespace, target.name) : undefined;
        if (set !== undefined) services.add(gatewayOf(set));
        const route: RequestRoute | undefined = isRouteKind(target.kind)
          ? world.get(target.kind, namespace, target.name)
          : undefined;
        if (route !== undefined) touchParents(world, route, services);
      }
      if (resource.kind === 'FilterPolicy' && resource.spec.direction !== 'outbound') policyScope();
  }
}

/** Services that a policy of the Gateway API is for. */
function touchTargets(
  { metadata, spec }: BackendTLSPolicy | BackendTrafficPolicy,
  services: Set<string>,
): void {
  for (const target of spec.targetRefs)
    if (isServiceTarget(target)) services.add(`${metadata.namespace}/${target.name}`);
}

/** A Gateway, and the Services that ask for it as their waypoint. @param gateway {@link gatewayKey} */
function touchWaypoint(world: World, gateway: string | undefined, services: Set<string>): void {
  if (gateway === undefined) return;
  services.add(gateway);
  for (const { metadata } of world.waypoints.usersOf(gateway))
    services.add(`${metadata.namespace}/${metadata.name}`);
}

/** What a route is attached to, the Gateways of ListenerSets among it, and the default Gateways that it asks for. */
function touchParents(world: World, route: AnyRoute, services: Set<string>): void {
  for (const key of parentsOf(route)) {
    services.add(key);
    const held = key.startsWith('ListenerSet/') ? world.held(key)?.resource : undefined;
    if (held?.kind === 'ListenerSet') services.add(gatewayOf(held));
  }
  if (usesDefaultGateways(route))
    for (const gateway of world.gateways())
      if (isDefaultGateway(gateway)) services.add(gatewayKey(gateway.metadata));
}

/**
 * Services whose endpoints of datagrams may be others by what a PeerAuthentication says (decision 033): of every namespace, as slices
 * lead to workloads of others.
 */
function touchDatagrams(world: World, services: Set<string>): void {
  for (const { metadata, spec } of world.services())
    if (spec.ports.some(isUdpPort)) services.add(`${metadata.namespace}/${metadata.name}`);
}

/** Whether a Gateway asks callers for certificates by a ConfigMap. */
function believes({ spec, metadata }: Gateway, namespace: string, name: string): boolean {
  const { frontend } = spec.tls ?? {};
  const all =
    frontend === undefined ? [] : [frontend.default, ...(frontend.perPort ?? []).map(({ tls }) => tls)];
  return all.some(({ validation }) =>
    validation?.caCertificateRefs.some(
      (ref) => ref.name === name && (ref.namespace ?? metadata.namespace) === namespace,
    ),
  );
}
