import type { HTTPBackendRef } from '../kinds/http-route.ts';
import { isExternal } from '../gateway/backend-tls.ts';
import { SERVICE_NAME_LABEL } from '../kinds/endpoint-slice.ts';
import { isUdpPort, portProtocol, type Service, type ServicePort } from '../kinds/service.ts';
import type { LocatedResource } from '../resource.ts';
import { backendProtocol, isConnectionRouteKind, type AnyRoute } from '../routes.ts';
import {
  backendTarget,
  findServicePort,
  isBackendKind,
  isHttpPort,
  kindText,
  serviceSelects,
} from '../select.ts';
import { didYouMean } from '../suggest.ts';
import type { AnalysisHost } from './analysis-host.ts';
import { isGranted } from './resource-set.ts';

/**
 * A backend of a route: whether it is there, may be used, and speaks what it is sent.
 * @param grpc whether that is gRPC
 */
export function analyzeBackend(
  backend: HTTPBackendRef,
  subject: LocatedResource<AnyRoute>,
  at: string,
  host: AnalysisHost,
  grpc: boolean = subject.resource.kind === 'GRPCRoute',
): void {
  const { kind: from } = subject.resource;
  if (!isBackendKind(backend)) {
    host.report(
      'TULLE0320',
      subject,
      `${at}/${backend.kind === undefined ? 'group' : 'kind'}`,
      `no backend is of kind ${kindText(backend)}: ${from === 'UDPRoute' ? 'its share is dropped' : isConnectionRouteKind(from) ? 'its share is refused' : 'its share is answered with 500'}`,
      'backends are of kind Service, or ServiceSubset of group tulle.dev',
    );
    return;
  }
  const own = subject.resource.metadata.namespace;
  const namespace = backend.namespace ?? own;
  const target = backendTarget(backend);
  const service = host.set.get('Service', namespace, target.service);
  if (target.subset !== undefined && target.subset !== '' && service !== undefined)
    analyzeSubset(target.service, target.subset, namespace, subject, at, host);
  if (service === undefined) {
    if (!host.set.isUnreadable('Service', namespace, target.service)) {
      host.report(
        'TULLE0302',
        subject,
        `${at}/name`,
        `the backend Service ${namespace}/${target.service} does not exist`,
        meantService(host, namespace, target.service),
      );
    }
  } else {
    analyzeShare(backend, service, subject, at, host);
    const protocol = backendProtocol(subject.resource);
    const port = findServicePort(service, { port: backend.port }, protocol);
    const other = protocol === 'UDP' ? 'TCP' : 'UDP';
    if (port === undefined && findServicePort(service, { port: backend.port }, other) !== undefined)
      host.report(
        'TULLE0417',
        subject,
        `${at}/port`,
        `port ${backend.port} of Service ${namespace}/${target.service} is of ${other}; a ${from} leads to ports of ${protocol}`,
        protocol === 'UDP' ? 'set protocol: UDP on it' : 'lead there by a UDPRoute',
      );
    else if (port === undefined)
      host.report(
        'TULLE0303',
        subject,
        `${at}/port`,
        `Service ${namespace}/${target.service} has no port ${backend.port}`,
        ports(service),
      );
    else if (grpc && portProtocol(port) !== 'http2')
      host.report(
        'TULLE0408',
        subject,
        `${at}/port`,
        `port ${port.port} of Service ${namespace}/${target.service} does not say that it speaks HTTP/2`,
        'set appProtocol: kubernetes.io/h2c on it, or give it a name that begins with grpc-',
      );
    else if (isConnectionRouteKind(from) && isHttpPort(port))
      host.report(
        'TULLE0409',
        subject,
        `${at}/port`,
        `port ${port.port} of Service ${namespace}/${target.service} carries HTTP, as it does not say otherwise; a ${from} leads bytes there`,
        'set appProtocol: tcp on it, or give it a name that begins with tcp-',
      );
  }
  if (!isGranted(host.set.all('ReferenceGrant'), own, namespace, target.service, { from, to: 'Service' })) {
    host.report(
      'TULLE0305',
      subject,
      `${at}/namespace`,
      `namespace ${namespace} does not let ${from}s of ${own} use its Service ${target.service}`,
      `add a ReferenceGrant in ${namespace}`,
    );
  }
}

/** A weight that leads to nobody, as far as Workloads are known. */
function analyzeShare(
  backend: HTTPBackendRef,
  service: Service,
  subject: LocatedResource<AnyRoute>,
  at: string,
  host: AnalysisHost,
): void {
  const { namespace, name } = service.metadata;
  // Copies have no weight, and a subset is another matter.
  if (!at.includes('/backendRefs/') || backend.weight === 0 || backend.kind === 'ServiceSubset') return;
  if (isExternal(service)) return;
  const workloads = host.set.all('Workload').filter(({ metadata }) => metadata.namespace === namespace);
  if (workloads.length === 0 && host.options.workloadsKnown !== true) return;
  const sliced = host.set
    .all('EndpointSlice')
    .some(
      ({ metadata, endpoints }) =>
        metadata.namespace === namespace &&
        metadata.labels?.[SERVICE_NAME_LABEL] === name &&
        endpoints.length > 0,
    );
  if (sliced || workloads.some(({ metadata }) => serviceSelects(service, metadata.labels))) return;
  host.report(
    'TULLE0412',
    subject,
    `${at}/${backend.weight === undefined ? 'name' : 'weight'}`,
    `no known Workload is behind Service ${namespace}/${name}: its share of ${backend.weight ?? 1} is ${subject.resource.kind === 'UDPRoute' ? 'dropped' : isConnectionRouteKind(subject.resource.kind) ? 'closed' : 'answered with 503'}`,
  );
}

function analyzeSubset(
  service: string,
  subset: string,
  namespace: string,
  subject: LocatedResource,
  at: string,
  host: AnalysisHost,
): void {
  const names = host.set
    .all('TrafficPolicy')
    .filter(
      ({ metadata, spec }) =>
        metadata.namespace === namespace &&
        spec.targetRefs.some(({ kind, name }) => kind === 'Service' && name === service),
    )
    .flatMap(({ spec }) => spec.subsets?.map(({ name }) => name) ?? []);
  if (names.includes(subset)) return;
  host.report(
    'TULLE0302',
    subject,
    `${at}/name`,
    `Service ${namespace}/${service} has no subset ${subset}`,
    didYouMean(subset, names) ?? `a TrafficPolicy that targets the Service lists them under subsets`,
  );
}

/** What a name that leads nowhere may have meant. */
export function meantService(host: AnalysisHost, namespace: string, name: string): string | undefined {
  const here = didYouMean(name, host.set.names('Service', namespace));
  if (here !== undefined) return here;
  const elsewhere = host.set.all('Service').find((s) => s.metadata.name === name);
  return elsewhere === undefined ? undefined : `there is one in namespace ${elsewhere.metadata.namespace}`;
}

/** The ports of a Service, for a hint. */
export function ports(service: Service): string {
  return `its ports: ${service.spec.ports.map((p) => (p.name === undefined ? portText(p) : `${portText(p)} (${p.name})`)).join(', ')}`;
}

const portText = (port: ServicePort): string => `${port.port}${isUdpPort(port) ? ' of UDP' : ''}`;
