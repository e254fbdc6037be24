import {
  attachToGateway,
  conflictedListeners,
  isServedGateway,
  isServedProtocol,
  servedKinds,
  unservedKinds,
} from '../gateway/attach.ts';
import { CA_CERTIFICATES_KEY } from '../kinds/config-map.ts';
import type { FrontendTls } from '../kinds/gateway-tls.ts';
import { GATEWAY_CLASS, type Gateway, type GatewayListener } from '../kinds/gateway.ts';
import type { ParentRef } from '../kinds/http-route.ts';
import type { PolicyTarget } from '../kinds/metadata.ts';
import type { LocatedResource } from '../resource.ts';
import type { AnyRoute } from '../routes.ts';
import { didYouMean } from '../suggest.ts';
import type { AnalysisHost } from './analysis-host.ts';
import { isGranted, located } from './resource-set.ts';

/** Gateways that are not served as they are written. */
export function analyzeGateways(host: AnalysisHost): void {
  for (const subject of located(host.subjects, 'Gateway')) {
    const gateway = subject.resource;
    const { gatewayClassName, listeners } = gateway.spec;
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
    const conflicted = conflictedListeners(gateway);
    for (const [i, listener] of listeners.entries()) {
      const at = `/spec/listeners/${i}`;
      const conflict = conflicted.get(listener);
      if (conflict !== undefined)
        host.report(
          'TULLE0407',
          subject,
          conflict === 'HostnameConflict' ? at : `${at}/protocol`,
          conflict === 'HostnameConflict'
            ? `listeners of HTTPS and of TLS have one hostname on port ${listener.port}; none of them is served`
            : `nothing tells connections to listeners of ${protocolsOn(gateway, listener)} on port ${listener.port} apart; none of them is served`,
          conflict === 'HostnameConflict'
            ? 'give each a hostname of its own'
            : 'give them ports of their own',
        );
      if (!isServedProtocol(listener.protocol)) {
        host.report(
          'TULLE0315',
          subject,
          `${at}/protocol`,
          `listeners of protocol ${listener.protocol} are not served`,
          'HTTP, HTTPS, TLS and TCP are',
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
      for (const [c, ref] of (listener.tls?.certificateRefs ?? []).entries())
        analyzeCertificate(gateway, ref, subject, `${at}/tls/certificateRefs/${c}`, host);
    }
  }
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
    for (const [i, { name, namespace = own }] of (tls?.validation?.caCertificateRefs ?? []).entries()) {
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
  gateway: Gateway,
  ref: { readonly name: string; readonly namespace?: string },
  subject: LocatedResource<Gateway>,
  at: string,
  host: AnalysisHost,
): void {
  const own = gateway.metadata.namespace;
  const namespace = ref.namespace ?? own;
  const kinds = { from: 'Gateway', to: 'Secret' } as const;
  if (isGranted(host.set.all('ReferenceGrant'), own, namespace, ref.name, kinds)) return;
  host.report(
    'TULLE0305',
    subject,
    `${at}/namespace`,
    `namespace ${namespace} does not let Gateways of ${own} use its certificate ${ref.name}`,
    `add a ReferenceGrant in ${namespace}, from kind Gateway to kind Secret`,
  );
}

/** A route's parentRef that names a Gateway. */
export function analyzeGatewayParent(
  parent: ParentRef,
  subject: LocatedResource<AnyRoute>,
  at: string,
  host: AnalysisHost,
): void {
  const route = subject.resource;
  const namespace = parent.namespace ?? route.metadata.namespace;
  const name = `${namespace}/${parent.name}`;
  const gateway = host.set.get('Gateway', namespace, parent.name);
  if (gateway === undefined) {
    if (host.set.isUnreadable('Gateway', namespace, parent.name)) return;
    host.report(
      'TULLE0301',
      subject,
      `${at}/name`,
      `the parent Gateway ${name} does not exist`,
      host.set.get('Service', namespace, parent.name) === undefined
        ? didYouMean(parent.name, host.set.names('Gateway', namespace))
        : "there is a Service of that name; to route its requests add kind: Service, group: ''",
    );
    return;
  }
  if (!isServedGateway(gateway)) return;
  const { problem } = attachToGateway(gateway, route, parent);
  const listeners = gateway.spec.listeners
    .map((l) => `${l.name} (${l.protocol} ${l.port}${l.hostname === undefined ? '' : `, ${l.hostname}`})`)
    .join(', ');
  if (problem === 'NoMatchingParent')
    host.report(
      'TULLE0311',
      subject,
      `${at}/${parent.sectionName === undefined ? 'port' : 'sectionName'}`,
      `Gateway ${name} has no such listener`,
      `its listeners: ${listeners}`,
    );
  if (problem === 'NotAllowedByListeners')
    host.report(
      'TULLE0309',
      subject,
      at,
      `no listener of Gateway ${name} that the route names takes ${route.kind}s of namespace ${route.metadata.namespace}`,
      'see allowedRoutes of the Gateway; default is its own namespace only',
    );
  if (problem === 'NoMatchingListenerHostname')
    host.report(
      'TULLE0310',
      subject,
      '/spec/hostnames',
      `none of the route's hostnames is one of a listener of Gateway ${name}`,
      `its listeners: ${listeners}`,
    );
}

/** A policy's target that names a Gateway, or a listener of it. */
export function analyzeGatewayTarget(
  target: PolicyTarget,
  subject: LocatedResource,
  at: string,
  host: AnalysisHost,
): void {
  const { namespace } = subject.resource.metadata;
  const gateway = host.set.get('Gateway', namespace, target.name);
  if (gateway === undefined) {
    host.report(
      'TULLE0304',
      subject,
      `${at}/name`,
      `the target Gateway ${namespace}/${target.name} does not exist`,
      didYouMean(target.name, host.set.names('Gateway', namespace)),
    );
    return;
  }
  const names = gateway.spec.listeners.map((l) => l.name);
  if (target.sectionName !== undefined && !names.includes(target.sectionName))
    host.report(
      'TULLE0311',
      subject,
      `${at}/sectionName`,
      `Gateway ${namespace}/${target.name} has no listener named ${target.sectionName}`,
      didYouMean(target.sectionName, names) ?? `its listeners: ${names.join(', ')}`,
    );
}
