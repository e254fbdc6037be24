import { isUdpPort, type Resource } from '@tulle/resources';
import type { World } from './world.ts';

/**
 * Notes the Services whose endpoints of datagrams may be others by what a PeerAuthentication says (decision 033).
 * @param services keys, as `namespace/name`
 */
export function touchDatagrams(
  world: Pick<World, 'in' | 'services'>,
  { kind, metadata }: Resource,
  rootNamespace: string,
  services: Set<string>,
): void {
  if (kind !== 'PeerAuthentication') return;
  const { namespace } = metadata;
  const all = namespace === rootNamespace ? world.services() : world.in('Service', namespace);
  for (const service of all)
    if (service.spec.ports.some(isUdpPort))
      services.add(`${service.metadata.namespace}/${service.metadata.name}`);
}
