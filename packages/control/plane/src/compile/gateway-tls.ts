import type { Cluster, FilterChain } from '@tulle/model';
import {
  CA_CERTIFICATES_KEY,
  frontendValidation,
  isCaCertificateKind,
  isCertificateKind,
  isForMesh,
  isGranted,
  kindText,
  MIN_TLS_VERSION_OPTION,
  type CertificateRef,
  type Gateway,
  type GatewayListener,
  type ListenerOwner,
  type MergedGateway,
} from '@tulle/resources';
import type { NodeGateway } from '../node.ts';
import type { World } from '../world.ts';

/** A reference that leads nowhere, or may not be followed. */
export interface RefFault {
  readonly reason:
    | 'InvalidCACertificateRef'
    | 'InvalidCACertificateKind'
    | 'InvalidClientCertificateRef'
    | 'RefNotPermitted';
  readonly message: string;
}

/** Whose certificates a listener believes. */
export interface CallerTrust {
  /** `''`: there is nobody to believe. */
  readonly caPem: string;
  /** Whether who proves nothing is served too. */
  readonly insecure: boolean;
  /** What is wrong with the first reference that is. */
  readonly fault: RefFault | undefined;
}

/** `undefined`: callers are not asked for certificates. */
export function callerTrust(
  world: World,
  gateway: Gateway,
  listener: GatewayListener,
): CallerTrust | undefined {
  const validation = isForMesh(listener) ? undefined : frontendValidation(gateway, listener);
  if (validation === undefined) return undefined;
  const own = gateway.metadata.namespace;
  const faults: RefFault[] = [];
  const texts = validation.caCertificateRefs.flatMap((ref) => {
    const { name, namespace = own } = ref;
    if (!isCaCertificateKind(ref)) {
      faults.push({
        reason: 'InvalidCACertificateKind',
        message: `CA certificates are not taken from kind ${kindText(ref)}`,
      });
      return [];
    }
    const kinds = { from: 'Gateway', to: 'ConfigMap' } as const;
    if (!isGranted(world.in('ReferenceGrant', namespace), own, namespace, name, kinds)) {
      faults.push({
        reason: 'RefNotPermitted',
        message: `no ReferenceGrant of namespace ${namespace} lets Gateways of ${own} use its ConfigMap ${name}`,
      });
      return [];
    }
    const text = world.get('ConfigMap', namespace, name)?.data?.[CA_CERTIFICATES_KEY];
    if (text !== undefined) return [text.trimEnd()];
    faults.push({
      reason: 'InvalidCACertificateRef',
      message: `there is no ConfigMap ${namespace}/${name} with ${CA_CERTIFICATES_KEY}`,
    });
    return [];
  });
  return {
    caPem: texts.join('\n'),
    insecure: validation.mode === 'AllowInsecureFallback',
    fault: faults[0],
  };
}

/** TLS of a listener that ends it; none where it does not. */
export function listenerTls(
  world: World,
  merged: MergedGateway,
  serving: NodeGateway,
  listener: GatewayListener,
): Pick<FilterChain, 'tls'> {
  if (isForMesh(listener))
    return {
      tls: { certificate: { kind: 'workload' }, trust: { kind: 'mesh' }, clientCertificate: 'require' },
    };
  const ref = listener.tls?.certificateRefs?.[0];
  if (ref === undefined) return {};
  const callers = callerTrust(world, merged.gateway, listener);
  return {
    tls: {
      certificate: certificateFiles(merged.ownerOf(listener), serving, ref),
      ...(minTlsVersion(listener) === 'TLSv1.2' ? { minVersion: 'TLSv1.2' } : {}),
      ...(callers === undefined
        ? {}
        : {
            trust: { kind: 'inline', caPem: callers.caPem },
            clientCertificate: callers.insecure ? 'any' : 'require',
          }),
    },
  };
}

function certificateFiles(
  owner: ListenerOwner,
  serving: NodeGateway,
  ref: CertificateRef,
): { readonly kind: 'files'; readonly certificateFile: string; readonly keyFile: string } {
  const directory = `${serving.certificateDirectory}/${certificateName(owner, ref)}`;
  return { kind: 'files', certificateFile: `${directory}/tls.crt`, keyFile: `${directory}/tls.key` };
}

/** Why the certificate that a Gateway is to show to backends is shown to nobody. @param node absent: whoever serves it */
export function clientCertificateFault(
  world: World,
  gateway: Gateway,
  node: NodeGateway | undefined,
): RefFault | undefined {
  const ref = gateway.spec.tls?.backend?.clientCertificateRef;
  if (ref === undefined) return undefined;
  if (!isCertificateKind(ref))
    return {
      reason: 'InvalidClientCertificateRef',
      message: `certificates are of kind Secret, not ${kindText({ kind: 'Secret', ...ref })}`,
    };
  const own = gateway.metadata.namespace;
  const namespace = ref.namespace ?? own;
  const kinds = { from: 'Gateway', to: 'Secret' } as const;
  if (!isGranted(world.in('ReferenceGrant', namespace), own, namespace, ref.name, kinds))
    return {
      reason: 'RefNotPermitted',
      message: `no ReferenceGrant of namespace ${namespace} lets Gateways of ${own} use its certificate ${ref.name}`,
    };
  const name = certificateName(gateway, ref);
  return node === undefined || node.certificates.has(name)
    ? undefined
    : {
        reason: 'InvalidClientCertificateRef',
        message: `there is no usable certificate ${node.certificateDirectory}/${name}/tls.crt with tls.key where the gateway runs`,
      };
}

/** A cluster outside the mesh as a Gateway calls it: over TLS it shows the certificate of the Gateway, where that has one. */
export function withClientCertificate(
  world: World,
  gateway: Gateway,
  serving: NodeGateway,
  cluster: Cluster,
): Cluster {
  const ref = gateway.spec.tls?.backend?.clientCertificateRef;
  const { tls } = cluster;
  // What is called over mutual TLS of the mesh shows the identity of the gateway.
  if (ref === undefined || tls === undefined || tls.trust.kind === 'mesh') return cluster;
  if (clientCertificateFault(world, gateway, serving) !== undefined) return cluster;
  return { ...cluster, tls: { ...tls, certificate: certificateFiles(gateway, serving, ref) } };
}

/** `namespace/name` */
export function certificateName(owner: ListenerOwner, ref: CertificateRef): string {
  return `${ref.namespace ?? owner.metadata.namespace}/${ref.name}`;
}

/** Lowest TLS version; callers of an edge are not chosen, so that what the listener does not say is 1.2. */
function minTlsVersion(listener: GatewayListener): 'TLSv1.2' | 'TLSv1.3' {
  return listener.tls?.options?.[MIN_TLS_VERSION_OPTION] === 'TLSv1.3' ? 'TLSv1.3' : 'TLSv1.2';
}
