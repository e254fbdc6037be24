import {
  CALLERS_OPTION,
  conflictedListeners,
  isGranted,
  MIN_TLS_VERSION_OPTION,
  servedKinds,
  type CertificateRef,
  type Gateway,
  type GatewayListener,
} from '@tulle/resources';
import type { NodeGateway } from '../node.ts';
import type { World } from '../world.ts';

/** Why a listener is not served by a process: a condition of it, with its reason (Gateway API `ListenerConditionReason`). */
export interface ListenerFault {
  readonly type: 'Conflicted' | 'ResolvedRefs';
  readonly reason: 'ProtocolConflict' | 'InvalidCertificateRef' | 'RefNotPermitted' | 'InvalidRouteKinds';
  readonly message: string;
}

/** What is wrong with a listener, whoever serves it, and then by a process that has these certificates. */
export function listenerFault(
  world: World,
  gateway: Gateway,
  listener: GatewayListener,
  node: NodeGateway | undefined,
): ListenerFault | undefined {
  if (conflictedListeners(gateway).has(listener))
    return {
      type: 'Conflicted',
      reason: 'ProtocolConflict',
      message: `listeners of HTTP and of HTTPS share port ${listener.port}`,
    };
  if (servedKinds(listener).length === 0)
    return { type: 'ResolvedRefs', reason: 'InvalidRouteKinds', message: 'none of the kinds is served' };
  const ref = listener.tls?.certificateRefs?.[0];
  if (listener.protocol !== 'HTTPS' || ref === undefined) return undefined;
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
