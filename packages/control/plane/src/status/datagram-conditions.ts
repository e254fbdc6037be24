import {
  datagramPort,
  refusesDatagrams,
  type AnyRoute,
  type ConnectionBackendRef,
  type UDPRoute,
} from '@tulle/resources';
import type { Condition } from '../condition.ts';
import { backendOf } from '../compile/backends.ts';
import { workloadsBehind, type MeshSettings } from '../compile/clusters.ts';
import { peerAuthenticationsFor } from '../compile/peer-authentications.ts';
import type { World } from '../world.ts';

/** That datagrams are never encrypted, and who gets none for that reason (decision 033). */
export function inClear(world: World, route: AnyRoute, mesh: MeshSettings): Condition[] {
  if (route.kind !== 'UDPRoute') return [];
  const refused = route.spec.rules
    .flatMap(({ backendRefs }) => backendRefs)
    .flatMap((backend) => strictOf(world, route, backend, mesh) ?? []);
  const [type, status] = ['tulle.dev/Encrypted', 'False'] as const;
  return refused.length === 0
    ? [{ type, status, reason: 'Datagrams', message: 'datagrams go to their endpoints in clear' }]
    : [
        {
          type,
          status,
          reason: 'MutualTLSRequired',
          message: `datagrams would go in clear, so that no datagram is sent to ${refused.join('; ')}`,
        },
      ];
}

/** Workloads of a backend that take calls by mutual TLS alone, in words. */
function strictOf(
  world: World,
  route: UDPRoute,
  ref: ConnectionBackendRef,
  { rootNamespace }: MeshSettings,
): string | undefined {
  const backend = backendOf(world, route, ref);
  if (backend === undefined) return undefined;
  const { namespace, name } = backend.service.metadata;
  const number = datagramPort(backend.port);
  const all = workloadsBehind(world, backend);
  const strict = all.filter(
    (workload) =>
      refusesDatagrams(
        peerAuthenticationsFor(world, workload.metadata.namespace, rootNamespace),
        workload,
        number,
        rootNamespace,
      ) !== undefined,
  );
  return strict.length === 0
    ? undefined
    : `${strict.length} of ${all.length} workloads of Service ${namespace}/${name}, which take calls by mutual TLS alone (a PeerAuthentication that says PERMISSIVE for port ${number} under portLevelMtls lets datagrams in)`;
}
