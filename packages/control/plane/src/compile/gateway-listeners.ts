import {
  CLUSTER_NAMESPACE,
  conflictedListeners,
  filtersBeforeDatagrams,
  isCertificateKind,
  isGranted,
  isServedProtocol,
  kindText,
  servedKinds,
  type Gateway,
  type GatewayListener,
  type ListenerConflict,
  type ListenerProtocol,
  type MergedGateway,
} from '@tulle/resources';
import type { NodeGateway } from '../node.ts';
import type { World } from '../world.ts';
import { callerTrust, certificateName } from './gateway-tls.ts';

/** Why a listener is not served by a process: a condition of it, with its reason (Gateway API `ListenerConditionReason`). */
export interface ListenerFault {
  readonly type: 'Accepted' | 'Conflicted' | 'ResolvedRefs';
  readonly reason:
    | ListenerConflict
    | 'UnsupportedProtocol'
    | 'NoValidCACertificate'
    | 'InvalidCertificateRef'
    | 'RefNotPermitted'
    | 'InvalidRouteKinds';
  readonly message: string;
}

/** What is wrong with a listener, whoever serves it, and then by a process that has these certificates. */
export function listenerFault(
  world: World,
  merged: MergedGateway,
  listener: GatewayListener,
  node: NodeGateway | undefined,
): ListenerFault | undefined {
  const owner = merged.ownerOf(listener);
  if (!isServedProtocol(listener.protocol))
    return {
      type: 'Accepted',
      reason: 'UnsupportedProtocol',
      message: `listeners of protocol ${listener.protocol} are not served`,
    };
  const owners = new Set([owner.metadata.namespace, merged.gateway.metadata.namespace]);
  const policies = [...owners].flatMap((namespace) => [...world.in('FilterPolicy', namespace)]);
  const [filter] = filtersBeforeDatagrams(merged, listener, policies);
  if (filter !== undefined)
    return {
      type: 'Accepted',
      reason: 'UnsupportedProtocol',
      message: `FilterPolicy ${filter.metadata.namespace}/${filter.metadata.name} (${filter.spec.filter}) decides who may connect here, and datagrams pass no filter`,
    };
  const conflict = conflictedListeners(merged).get(listener);
  if (conflict !== undefined)
    return {
      type: 'Conflicted',
      reason: conflict,
      message:
        owner.kind === 'ListenerSet'
          ? 'it conflicts with another listener of the Gateway or of its ListenerSets' // others' are nobody's business
          : conflict === 'HostnameConflict'
            ? `another listener of HTTPS or of TLS has the same server names on port ${listener.port}`
            : `nothing tells connections to the listeners of several protocols on port ${listener.port} apart`,
    };
  if (callerTrust(world, merged.gateway, listener)?.caPem === '')
    return {
      type: 'Accepted',
      reason: 'NoValidCACertificate',
      message: 'none of the CA certificates by which callers are to be believed is there',
    };
  if (servedKinds(listener).length === 0)
    return { type: 'ResolvedRefs', reason: 'InvalidRouteKinds', message: 'none of the kinds is served' };
  const ref = listener.tls?.certificateRefs?.[0];
  if (ref === undefined) return undefined;
  if (!isCertificateKind(ref))
    return {
      type: 'ResolvedRefs',
      reason: 'InvalidCertificateRef',
      message: `certificates are of kind Secret, not ${kindText({ kind: 'Secret', ...ref })}`,
    };
  const own = owner.metadata.namespace;
  const namespace = ref.namespace ?? own;
  const kinds = { from: owner.kind, to: 'Secret' } as const;
  if (!isGranted(world.in('ReferenceGrant', namespace), own, namespace, ref.name, kinds))
    return {
      type: 'ResolvedRefs',
      reason: 'RefNotPermitted',
      message: `no ReferenceGrant of namespace ${namespace} lets ${owner.kind}s of ${own} use its certificate ${ref.name}`,
    };
  const name = certificateName(owner, ref);
  if (node !== undefined && !node.certificates.has(name))
    return {
      type: 'ResolvedRefs',
      reason: 'InvalidCertificateRef',
      message: `there is no usable certificate ${node.certificateDirectory}/${name}/tls.crt with tls.key where the gateway runs`,
    };
  return undefined;
}

/** Why a Gateway is not accepted, whatever its listeners are, and is served by nobody (Gateway API `GatewayConditionReason`). */
export interface GatewayFault {
  readonly reason: 'UnsupportedAddress' | 'InvalidParameters';
  readonly message: string;
}

export function gatewayFault(world: World, { spec }: Gateway): GatewayFault | undefined {
  const ofClass = world.get('GatewayClass', CLUSTER_NAMESPACE, spec.gatewayClassName)?.spec.parametersRef;
  if (ofClass !== undefined)
    return {
      reason: 'InvalidParameters',
      message: `its GatewayClass ${spec.gatewayClassName} has parameters, of kind ${kindText(ofClass)}, and Gateways have parameters of no kind: remove parametersRef there`,
    };
  const parameters = spec.infrastructure?.parametersRef;
  if (parameters !== undefined) {
    const kind = `${parameters.kind}${parameters.group === '' ? '' : `.${parameters.group}`}`;
    return {
      reason: 'InvalidParameters',
      message: `spec.infrastructure.parametersRef names ${kind} ${parameters.name}, and Gateways have parameters of no kind: remove it, and give settings to the process as flags of tulle gateway`,
    };
  }
  const types = (spec.addresses ?? []).flatMap(({ type = 'IPAddress' }) =>
    type === 'IPAddress' ? [] : [type],
  );
  return types.length === 0
    ? undefined
    : {
        reason: 'UnsupportedAddress',
        message: `addresses of type ${types.join(', ')} are not supported: IPAddress is`,
      };
}

/** Where a process listens for a port of its Gateway: where it says, else at each address that the Gateway asks for, else at its own. */
export function boundAt(
  { spec }: Gateway,
  node: NodeGateway,
  port: number,
): readonly { readonly host: string; readonly port: number }[] {
  const mapped = node.ports.get(port);
  if (mapped !== undefined) return [{ host: mapped.address, port: mapped.port }];
  const asked = (spec.addresses ?? []).map(({ value }) => value ?? node.address);
  return [...new Set(asked.length === 0 ? [node.address] : asked)].map((host) => ({ host, port }));
}

/** Model name of a listener of a Gateway. @param protocol of a port that has listeners of connections and of datagrams each is one */
export function listenerNameOf(
  at: { readonly host: string; readonly port: number },
  protocol?: ListenerProtocol,
): string {
  return `gateway_${at.host}_${at.port}${protocol === 'UDP' ? '_udp' : ''}`;
}
