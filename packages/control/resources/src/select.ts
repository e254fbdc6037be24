import type { LabelSelector } from './kinds/metadata.ts';
import { isUdpPort, portProtocol, type Service, type ServicePort } from './kinds/service.ts';
import type { Workload, WorkloadPort } from './kinds/workload.ts';

type Labels = Readonly<Record<string, string>>;

/** Whether all of `wanted` are among `labels`. An empty selector matches everything. */
export function matchesLabels(wanted: Labels, labels: Labels | undefined): boolean {
  for (const [key, value] of Object.entries(wanted))
    if (labels === undefined || !Object.hasOwn(labels, key) || labels[key] !== value) return false;
  return true;
}

/** Whether a policy's selector takes a Workload with these labels. */
export function selects(selector: LabelSelector, labels: Labels | undefined): boolean {
  return matchesLabels(selector.matchLabels, labels);
}

/** Whether a Service's selector takes a Workload with these labels. A Service without one, or with an empty one, takes none (Kubernetes). */
export function serviceSelects(service: Service, labels: Labels | undefined): boolean {
  const { selector } = service.spec;
  return selector !== undefined && Object.keys(selector).length > 0 && matchesLabels(selector, labels);
}

/** A Workload as far as ports matter. */
type WithPorts = Pick<Workload['spec'], 'ports' | 'inbound'>;

/**
 * The Workload's port that a Service port leads to: by name, by number, or, where `targetPort` is absent and no port
 * has the Service's number, the Workload's only port. (The last goes beyond Kubernetes: on a laptop a program listens
 * on whatever port was free.) A Workload without sidecar need not declare a port that is given by number. Of a port of UDP
 * there is none: see {@link datagramPort}.
 */
export function targetPort(port: ServicePort, workload: WithPorts): WorkloadPort | undefined {
  if (isUdpPort(port)) return undefined;
  const { ports } = workload;
  if (typeof port.targetPort === 'string') return ports.find((p) => p.name === port.targetPort);
  const number = port.targetPort ?? port.port;
  const declared = ports.find((p) => p.port === number);
  if (declared !== undefined) return declared;
  if (port.targetPort === undefined && ports.length === 1) return ports[0];
  return workload.inbound.mode === 'none' && ports.length === 0 ? { port: number } : undefined;
}

/** The port of its endpoints that a Service port of UDP leads to. Workloads declare none of these: sidecars do not take them. */
export function datagramPort({ port, targetPort }: ServicePort): number {
  return typeof targetPort === 'number' ? targetPort : port;
}

/** Ports of a Service to which connections are made. */
export function connectionPorts(service: Service): readonly ServicePort[] {
  return service.spec.ports.filter((port) => !isUdpPort(port));
}

/**
 * The Service's port that a reference means: by number, else by name, else the only one.
 * @param protocol one number may be that of two ports
 */
export function findServicePort(
  service: Service,
  wanted: { readonly port?: number | undefined; readonly sectionName?: string | undefined },
  protocol: 'TCP' | 'UDP' = 'TCP',
): ServicePort | undefined {
  return service.spec.ports.find(
    (p) =>
      isUdpPort(p) === (protocol === 'UDP') &&
      (wanted.port === undefined || p.port === wanted.port) &&
      (wanted.sectionName === undefined || p.name === wanted.sectionName),
  );
}

/** Whether a backend is of a kind that Tulle has: a Service, or a subset of one. That the group is the kind's own is checked when it is read. */
export function isBackendKind({ group = '', kind = 'Service' }: BackendKind): boolean {
  return (group === '' || group === 'tulle.dev') && (kind === 'Service' || kind === 'ServiceSubset');
}

interface BackendKind {
  readonly group?: string;
  readonly kind?: string;
}

/** A kind with its group, as messages have it. */
export function kindText({ group = '', kind = 'Service' }: BackendKind): string {
  return group === '' ? kind : `${kind}.${group}`;
}

/** The Service that a backend means, and the subset of it. `''`, which no Service is called: it is of another kind. */
export function backendTarget(backend: BackendKind & { readonly name: string }): {
  readonly service: string;
  readonly subset: string | undefined;
} {
  if (!isBackendKind(backend)) return { service: '', subset: undefined };
  if (backend.kind !== 'ServiceSubset') return { service: backend.name, subset: undefined };
  const [service = '', subset = ''] = backend.name.split('.');
  return { service, subset };
}

/** Whether a Service port carries HTTP (see {@link portProtocol}). */
export function isHttpPort(port: Pick<ServicePort, 'appProtocol' | 'name' | 'protocol'>): boolean {
  return !isUdpPort(port) && portProtocol(port) !== 'tcp';
}
