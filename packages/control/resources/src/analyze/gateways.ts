import {
  conflictedListeners,
  isServedProtocol,
  servedKinds,
  unservedKinds,
  type ListenerConflict,
} from '../gateway/attach.ts';
import { isServedGateway } from '../gateway/class.ts';
import { filtersBeforeDatagrams } from '../gateway/datagrams.ts';
import type { ListenerOwner, MergedGateway } from '../gateway/merged.ts';
import { isWaypoint } from '../gateway/waypoint.ts';
import { CA_CERTIFICATES_KEY } from '../kinds/config-map.ts';
import {
  isCaCertificateKind,
  isCertificateKind,
  type CertificateRef,
  type FrontendTls,
} from '../kinds/gateway-tls.ts';
import {
  GATEWAY_CLASS,
  GATEWAY_CONTROLLER,
  WAYPOINT_CLASS,
  isForMesh,
  type Gateway,
  type GatewayListener,
} from '../kinds/gateway.ts';
import type { LocatedResource } from '../resource.ts';
import { kindText } from '../select.ts';
import { didYouMean } from '../suggest.ts';
import type { AnalysisHost } from './analysis-host.ts';
import { isGranted, located } from './resource-set.ts';

/** Classes that name Tulle's controller, and whose Gateways are not served. */
function analyzeClasses(host: AnalysisHost): void {
  for (const subject of located(host.subjects, 'GatewayClass')) {
    const { metadata, spec } = subject.resource;
    if (spec.controllerName !== GATEWAY_CONTROLLER) continue;
    if (metadata.name !== GATEWAY_CLASS && metadata.name !== WAYPOINT_CLASS)
      host.report(
        'TULLE0308',
        subject,
        '/metadata/name',
        `Gateways of class ${metadata.name} are not served`,
        `the classes of Tulle are ${GATEWAY_CLASS} and ${WAYPOINT_CLASS}`,
      );
    else if (spec.parametersRef !== undefined)
      host.report(
        'TULLE0320',
        subject,
        '/spec/parametersRef',
        `Gateways have parameters of no kind, and none of class ${metadata.name} is served`,
        'remove it, and give settings to the processes as flags of tulle gateway',
      );
  }
}

/** Gateways that are not served as they are written. */
export function analyzeGateways(host: AnalysisHost): void {
  analyzeClasses(host);
  for (const subject of located(host.subjects, 'Gateway')) {
    const gateway = subject.resource;
    const { gatewayClassName } = gateway.spec;
    if (isWaypoint(gateway)) continue;
    if (!isServedGateway(gateway)) {
      host.report(
        'TULLE0308',
        subject,
        '/spec/gatewayClassName',
        `class ${gatewayClassName} is not Tulle's, so Tulle leaves the Gateway alone`,
        `gatewayClassName: ${GATEWAY_CLASS}`,
      );
      continue;
    }
    analyzeTls(gateway, subject, host);
    analyzeListeners(host.set.merged(gateway), subject, host);
  }
}

/** Listeners of a Gateway, or of a ListenerSet that it takes. */
export function analyzeListeners(
  merged: MergedGateway,
  subject: LocatedResource<ListenerOwner>,
  host: AnalysisHost,
): void {
  const owner = subject.resource;
  const conflicted = conflictedListeners(merged);
  for (const [i, listener] of owner.spec.listeners.entries()) {
    const at = `/spec/listeners/${i}`;
    const conflict = conflicted.get(listener);
    if (conflict !== undefined) analyzeConflict(merged, listener, conflict, subject, at, host);
    if (!isServedProtocol(listener.protocol)) {
      host.report(
        'TULLE0315',
        subject,
        `${at}/protocol`,
        `listeners of protocol ${listener.protocol} are not served`,
        listener.protocol === 'HBONE'
          ? `tunnels are taken by Gateways of gatewayClassName: ${WAYPOINT_CLASS}`
          : 'HTTP, HTTPS, TLS, TCP and UDP are',
      );
      continue;
    }
    const unserved = unservedKinds(listener);
    if (unserved.length > 0)
      host.report(
        'TULLE0312',
        subject,
        `${at}/allowedRoutes/kinds`,
        `routes of kind ${unserved.join(', ')} are not served at listeners of protocol ${listener.protocol}`,
        `kinds: [${servedKinds({ ...listener, allowedRoutes: {} })
          .map((kind) => `{ kind: ${kind} }`)
          .join(', ')}]`,
      );
    const [filter] = filtersBeforeDatagrams(merged, listener, host.set.all('FilterPolicy'));
    if (filter !== undefined)
      host.report(
        'TULLE0416',
        subject,
        `${at}/protocol`,
        `FilterPolicy ${filter.metadata.namespace}/${filter.metadata.name} (${filter.spec.filter}) decides who may connect here, and datagrams pass no filter: the listener is not served`,
        'target the other listeners by sectionName',
      );
    for (const [c, ref] of (listener.tls?.certificateRefs ?? []).entries())
      analyzeCertificate(owner, ref, subject, `${at}/tls/certificateRefs/${c}`, host);
  }
}

function analyzeConflict(
  merged: MergedGateway,
  listener: GatewayListener,
  conflict: ListenerConflict,
  subject: LocatedResource<ListenerOwner>,
  at: string,
  host: AnalysisHost,
): void {
  const { port } = listener;
  if (subject.resource.kind === 'ListenerSet')
    host.report(
      'TULLE0407',
      subject,
      at,
      `another listener of Gateway ${merged.gateway.metadata.namespace}/${merged.gateway.metadata.name} has port ${port}, and nothing tells connections to this one apart (${conflict}); it is not served`,
      'give it a hostname, or a port, of its own',
    );
  else if (conflict === 'HostnameConflict')
    host.report(
      'TULLE0407',
      subject,
      at,
      `another listener of HTTPS or of TLS has the same server names on port ${port}; none of them is served`,
      isForMesh(listener)
        ? 'it has every name, as callers of the mesh say none: give the other a hostname, or this one a port of its own'
        : 'give each a hostname of its own',
    );
  else
    host.report(
      'TULLE0407',
      subject,
      `${at}/protocol`,
      `nothing tells connections to listeners of ${protocolsOn(merged.gateway, listener)} on port ${port} apart; none of them is served`,
      'give them ports of their own',
    );
}

/** The protocols of the listeners on a listener's port, for a sentence. */
function protocolsOn(gateway: Gateway, { port }: GatewayListener): string {
  const protocols = gateway.spec.listeners.filter((one) => one.port === port).map(({ protocol }) => protocol);
  return [...new Set(protocols)].join(' and of ');
}

/** Certificates of CAs and for backends: whether they are there, as far as that is known, and may be used. */
function analyzeTls(gateway: Gateway, subject: LocatedResource<Gateway>, host: AnalysisHost): void {
  const own = gateway.metadata.namespace;
  const { frontend, backend } = gateway.spec.tls ?? {};
  const asked: readonly (readonly [FrontendTls | undefined, string])[] = [
    [frontend?.default, '/spec/tls/frontend/default'],
    ...(frontend?.perPort ?? []).map(({ tls }, i) => [tls, `/spec/tls/frontend/perPort/${i}/tls`] as const),
  ];
  for (const [tls, at] of asked)
    for (const [i, ref] of (tls?.validation?.caCertificateRefs ?? []).entries()) {
      const { name, namespace = own } = ref;
      if (!isCaCertificateKind(ref)) {
        host.report(
          'TULLE0320',
          subject,
          `${at}/validation/caCertificateRefs/${i}/kind`,
          `CA certificates are not taken from kind ${kindText(ref)}`,
          'kind: ConfigMap',
        );
        continue;
      }
      const place = `${at}/validation/caCertificateRefs/${i}`;
      const kinds = { from: 'Gateway', to: 'ConfigMap' } as const;
      if (!isGranted(host.set.all('ReferenceGrant'), own, namespace, name, kinds))
        host.report(
          'TULLE0305',
          subject,
          `${place}/namespace`,
          `namespace ${namespace} does not let Gateways of ${own} use its ConfigMap ${name}`,
          `add a ReferenceGrant in ${namespace}, from kind Gateway to kind ConfigMap`,
        );
      const configMap = host.set.get('ConfigMap', namespace, name);
      if (configMap?.data?.[CA_CERTIFICATES_KEY] !== undefined) continue;
      if (host.set.isUnreadable('ConfigMap', namespace, name)) continue;
      host.report(
        'TULLE0313',
        subject,
        `${place}/name`,
        configMap === undefined
          ? `there is no ConfigMap ${namespace}/${name}`
          : `ConfigMap ${namespace}/${name} has no ${CA_CERTIFICATES_KEY}`,
        didYouMean(name, host.set.names('ConfigMap', namespace)),
      );
    }
  if (backend?.clientCertificateRef !== undefined)
    analyzeCertificate(
      gateway,
      backend.clientCertificateRef,
      subject,
      '/spec/tls/backend/clientCertificateRef',
      host,
    );
}

function analyzeCertificate(
  { kind: from, metadata }: ListenerOwner,
  ref: CertificateRef,
  subject: LocatedResource<ListenerOwner>,
  at: string,
  host: AnalysisHost,
): void {
  if (!isCertificateKind(ref)) {
    host.report(
      'TULLE0320',
      subject,
      `${at}/${ref.kind === undefined ? 'group' : 'kind'}`,
      `certificates are not taken from kind ${kindText({ kind: 'Secret', ...ref })}`,
      'kind: Secret',
    );
    return;
  }
  const own = metadata.namespace;
  const namespace = ref.namespace ?? own;
  const kinds = { from, to: 'Secret' } as const;
  if (isGranted(host.set.all('ReferenceGrant'), own, namespace, ref.name, kinds)) return;
  host.report(
    'TULLE0305',
    subject,
    `${at}/namespace`,
    `namespace ${namespace} does not let ${from}s of ${own} use its certificate ${ref.name}`,
    `add a ReferenceGrant in ${namespace}, from kind ${from} to kind Secret`,
  );
}
