import type { Cluster, Endpoint } from '@tulle/model';
import {
  backendTlsPolicyFor,
  datagramPort,
  isExternal,
  refusesDatagrams,
  type Service,
  type ServicePort,
  type Workload,
} from '@tulle/resources';
import type { World } from '../world.ts';
import { peerAuthenticationsFor } from './peer-authentications.ts';
import { clusterTraffic, type Traffic } from './traffic.ts';

/**
 * Parts of a cluster of datagrams. They say nothing of how an endpoint is, and nobody answers health checks at a port of UDP;
 * there is no connection to secure, to wait for or to keep.
 */
export function datagramTraffic({ balancing, limits }: Traffic): Partial<Cluster> {
  return clusterTraffic(
    {
      ...(balancing === undefined ? {} : { balancing }),
      ...(limits === undefined ? {} : { limits }),
      outlierDetection: { disabled: true },
    },
    'tcp',
  );
}

/**
 * Where a Workload takes datagrams: at its own port, past any sidecar; `undefined` where it takes mutual TLS alone
 * (decision 033).
 * @param standing what holds of the endpoint however it is reached
 */
export function datagramEndpoint(
  world: World,
  workload: Workload,
  port: ServicePort,
  rootNamespace: string,
  standing: Pick<Endpoint, 'health' | 'weight' | 'locality' | 'labels'>,
): Endpoint | undefined {
  const number = datagramPort(port);
  const policies = peerAuthenticationsFor(world, workload.metadata.namespace, rootNamespace);
  if (refusesDatagrams(policies, workload, number, rootNamespace) !== undefined) return undefined;
  return { address: { host: workload.spec.address, port: number }, mode: 'none', ...standing };
}

/** Whether a Service outside of the mesh is to be called over TLS at a port of UDP, which there is no way to do. */
export function wantsTls(world: World, service: Service, port: ServicePort): boolean {
  return (
    isExternal(service) &&
    backendTlsPolicyFor(world.in('BackendTLSPolicy', service.metadata.namespace), service, port) !== undefined
  );
}
