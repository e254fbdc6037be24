import type { NodeDescription } from '@tulle/xds-client';
import type { Node } from '@tulle/xds-proto/envoy/config/core/v3/base';

/** Flags that say who this proxy is; each wins over the bootstrap, as in Envoy. */
export interface NodeFlags {
  readonly serviceNode?: string;
  readonly serviceCluster?: string;
  readonly serviceZone?: string;
}

/** Who the bootstrap says this proxy is. An id may be empty where nobody is told it. */
export function nodeOf(node: Node | undefined, flags: NodeFlags): NodeDescription {
  const locality = {
    ...(node?.locality && {
      region: node.locality.region,
      zone: node.locality.zone,
      subZone: node.locality.subZone,
    }),
    ...(flags.serviceZone !== undefined && { zone: flags.serviceZone }),
  };
  const given = Object.fromEntries(Object.entries(locality).filter(([, value]) => value !== ''));
  return {
    id: flags.serviceNode ?? node?.id ?? '',
    cluster: flags.serviceCluster ?? node?.cluster ?? '',
    ...(node?.metadata && { metadata: node.metadata }),
    ...(Object.keys(given).length > 0 && { locality: given as NodeDescription['locality'] & object }),
  };
}
