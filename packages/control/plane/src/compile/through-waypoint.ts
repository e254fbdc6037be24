import {
  RETRY_FILTER,
  type Cluster,
  type Endpoint,
  type EndpointSet,
  type FilterConfigs,
} from '@tulle/model';
import { gatewayKey } from '../parents.ts';
import type { World } from '../world.ts';
import {
  hostOfService,
  identityOf,
  isLost,
  neverEmptied,
  outboundName,
  protocolTo,
  type Backend,
  type MeshSettings,
} from './clusters.ts';
import { clusterTraffic } from './traffic.ts';

/**
 * How callers reach a port of a Service that asks for a waypoint. What policies say of calls to the Service happens at the
 * waypoint, which knows the endpoints; what comes back from there says nothing of the waypoint's own health.
 */
export function clusterThrough({ service, port, subset }: Backend, mesh: MeshSettings): Cluster {
  const { namespace, name } = service.metadata;
  return {
    name: outboundName(service, port, mesh, subset?.name),
    discovery: { kind: 'eds' },
    tls: { certificate: { kind: 'workload' }, trust: { kind: 'mesh' } },
    labels: { service: name, namespace },
    ...clusterTraffic({ outlierDetection: { disabled: true } }, protocolTo(port, {}, mesh)),
  };
}

/** Tunnels to every process of the waypoint that asks for the Service there; none where there is no such waypoint, or it takes no Services from there. */
export function endpointsThrough(
  world: World,
  { service, port, subset }: Backend,
  mesh: MeshSettings,
): EndpointSet {
  const gateway = world.waypointBefore(service);
  const name = outboundName(service, port, mesh, subset?.name);
  // A tunnel says the Service and no subset of it, so nobody is let to the whole who was meant for a part.
  if (gateway === undefined || subset !== undefined) return { name, endpoints: [] };
  const authority = `${hostOfService(service, mesh)}:${port.port}`;
  const lost = new Set<Endpoint>();
  const endpoints = world.waypoints
    .instancesOf(gatewayKey(gateway.metadata))
    .flatMap((workload): Endpoint[] => {
      const { address: host, inbound, health = 'healthy', locality } = workload.spec;
      if (inbound.mode !== 'hbone' || inbound.port === undefined) return [];
      const address = { host, port: inbound.port };
      const endpoint: Endpoint = {
        address,
        mode: 'hbone',
        tunnel: { address, authority },
        identity: identityOf(workload, mesh),
        ...(health === 'healthy' ? {} : { health }),
        ...(locality === undefined ? {} : { locality }),
        labels: { workload: workload.metadata.name, namespace: workload.metadata.namespace },
      };
      if (isLost(world, workload)) lost.add(endpoint);
      return [endpoint];
    });
  return { name, endpoints: neverEmptied(endpoints, lost) };
}

/** Attempts are the waypoint's to make; what did not get there may go to another process of it. */
export const RETRIES_THROUGH: FilterConfigs = { [RETRY_FILTER]: { on: ['connect-failure'] } };
