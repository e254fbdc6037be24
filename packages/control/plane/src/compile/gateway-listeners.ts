import {
  CALLERS_OPTION,
  conflictedListeners,
  isGranted,
  isServedProtocol,
  MIN_TLS_VERSION_OPTION,
  servedKinds,
  type CertificateRef,
  type Gateway,
  type GatewayListener,
  type ListenerConflict,
} from '@tulle/resources';
import type { NodeGateway } from '../node.ts';
import type { World } from '../world.ts';

/** Why a listener is not served by a process: a condition of it, with its reason (Gateway API `ListenerConditionReason`). */
export interface ListenerFault {
  readonly type: 'Accepted' | 'Conflicted' | 'ResolvedRefs';
  readonly reason:
    | ListenerConflict
    | 'UnsupportedProtocol'
    | 'InvalidCertificateRef'
    | 'RefNotPermitted'
    | 'InvalidRouteKinds';
  readonly message: string;
}

/** What is wrong with a listener, whoever serves it, and then by a process that has these certificates. */
export function listenerFault(
  world: World,
  gateway: Gateway,
  listener: GatewayListener,
  node: NodeGateway | undefined,
): ListenerFault | undefined {
  if (!isServedProtocol(listener.protocol))
    return {
      type: 'Accepted',
      reason: 'UnsupportedProtocol',
      message: `listeners of protocol ${listener.protocol} are not served`,
    };
  const conflict = conflictedListeners(gateway).get(listener);
  if (conflict !== undefined)
    return {
      type: 'Conflicted',
      reason: conflict,
      message:
        conflict === 'HostnameConflict'
          ? `listeners of HTTPS and of TLS have one hostname on port ${listener.port}`
          : `nothing tells connections to the listeners of several protocols on port ${listener.port} apart`,
    };
  if (servedKinds(listener).length === 0)
    return { type: 'ResolvedRefs', reason: 'InvalidRouteKinds', message: 'none of the kinds is served' };
  const ref = listener.tls?.certificateRefs?.[0];
  if (ref === undefined) return undefined;
  const own = gateway.metadata.namespace;
  const namespace = ref.namespace ?? own;
  const kinds = { from: 'Gateway', to: 'Secret' } as const;
  if (!isGranted(world.in('ReferenceGrant', namespace), own, namespace, ref.name, kinds))
    return {
      type: 'ResolvedRefs',
      reason: 'RefNotPermitted',
      message: `no ReferenceGrant of namespace ${namespace} lets Gateways of ${own} use its certificate ${ref.name}`,
    };
  const name = certificateName(gateway, ref);
  if (node !== undefined && !node.certificates.has(name))
    return {
      type: 'ResolvedRefs',
      reason: 'InvalidCertificateRef',
      message: `there is no usable certificate ${node.certificateDirectory}/${name}/tls.crt with tls.key where the gateway runs`,
    };
  return undefined;
}

/** `namespace/name` */
export function certificateName(gateway: Gateway, ref: CertificateRef): string {
  return `${ref.namespace ?? gateway.metadata.namespace}/${ref.name}`;
}

/** Whether the callers of a listener are proxies of the mesh. */
export function isForMesh(listener: GatewayListener): boolean {
  return listener.protocol === 'HTTPS' && listener.tls?.options?.[CALLERS_OPTION] === 'mesh';
}

/** Lowest TLS version; callers of an edge are not chosen, so that what the listener does not say is 1.2. */
export function minTlsVersion(listener: GatewayListener): 'TLSv1.2' | 'TLSv1.3' {
  return listener.tls?.options?.[MIN_TLS_VERSION_OPTION] === 'TLSv1.3' ? 'TLSv1.3' : 'TLSv1.2';
}

/** Where a process listens for a port of its Gateway. */
export function boundAt(node: NodeGateway, port: number): { readonly host: string; readonly port: number } {
  const mapped = node.ports.get(port);
  return { host: mapped?.address ?? node.address, port: mapped?.port ?? port };
}
