import { USE_WAYPOINT_LABEL, waypointOf } from '../gateway/waypoint.ts';
import { parentKind } from '../kinds/http-route.ts';
import { isUdpPort, type Service, type ServicePort } from '../kinds/service.ts';
import { parentRefsOf, rulesOf } from '../routes.ts';
import { backendTarget, connectionPorts, matchesLabels, serviceSelects, targetPort } from '../select.ts';
import type { AnalysisHost } from './analysis-host.ts';
import { located } from './resource-set.ts';

/** Services without a waypoint that lead to ports which take calls from the waypoint of another Service alone. */
export function analyzeClosedByWaypoints(host: AnalysisHost): void {
  const guarding = host.set.all('Service').filter((service) => waypointOf(service) !== undefined);
  for (const subject of located(host.subjects, 'Service')) {
    const service = subject.resource;
    if (waypointOf(service) !== undefined) continue;
    for (const [i, port] of service.spec.ports.entries()) {
      if (isUdpPort(port)) continue; // waypoints take no part in datagrams
      const closing = guarding.find(
        (one) =>
          one.metadata.namespace === service.metadata.namespace &&
          closes(host, one, service, port) &&
          !isBehind(host, one, service),
      );
      const waypoint = closing && waypointOf(closing);
      if (closing === undefined || waypoint === undefined) continue;
      const { namespace } = service.metadata;
      host.report(
        'TULLE0413',
        subject,
        `/spec/ports/${i}`,
        `it leads to a port of workloads to which Service ${namespace}/${closing.metadata.name} leads too, through waypoint ${waypoint.namespace}/${waypoint.name}: they take calls there from the waypoint alone, so calls of this Service are refused`,
        `label it ${USE_WAYPOINT_LABEL}: ${waypoint.name}${waypoint.namespace === namespace ? '' : ` (of namespace ${waypoint.namespace})`} as well, or let it lead to another port`,
      );
    }
  }
}

/** Whether a Service with a waypoint leads to a port of workloads to which a port of another Service leads. */
function closes(host: AnalysisHost, guarding: Service, service: Service, port: ServicePort): boolean {
  const { namespace } = service.metadata;
  const workloads = host.set
    .all('Workload')
    .filter(
      ({ metadata }) =>
        metadata.namespace === namespace &&
        serviceSelects(service, metadata.labels) &&
        serviceSelects(guarding, metadata.labels),
    );
  const at = (one: ServicePort, spec: (typeof workloads)[number]['spec']): number | undefined =>
    targetPort(one, spec)?.port;
  if (
    workloads.some(
      ({ spec }) =>
        at(port, spec) !== undefined &&
        connectionPorts(guarding).some((one) => at(one, spec) === at(port, spec)),
    )
  )
    return true;
  // Who will join is known by the labels alone: all that the one asks for, the other does.
  const [a = {}, b = {}] = [service.spec.selector, guarding.spec.selector];
  const nested =
    Object.keys(a).length > 0 && Object.keys(b).length > 0 && (matchesLabels(a, b) || matchesLabels(b, a));
  return nested && connectionPorts(guarding).some((one) => numberOf(one) === numberOf(port));
}

const numberOf = ({ targetPort: to, port }: ServicePort): number | string => to ?? port;

/** Whether routes lead to a Service from another one that has the same waypoint: it is called by that, and need not be by others. */
function isBehind(host: AnalysisHost, guarding: Service, service: Service): boolean {
  const waypoint = waypointOf(guarding);
  const asks = (namespace: string, name: string): boolean => {
    const found = host.set.get('Service', namespace, name);
    const other = found && waypointOf(found);
    return other?.namespace === waypoint?.namespace && other?.name === waypoint?.name;
  };
  return [...host.set.all('HTTPRoute'), ...host.set.all('GRPCRoute')].some(
    (route) =>
      parentRefsOf(route).some(
        (parent) =>
          parentKind(parent) === 'Service' && asks(parent.namespace ?? route.metadata.namespace, parent.name),
      ) &&
      rulesOf(route).some(({ backendRefs = [] }) =>
        backendRefs.some(
          (backend) =>
            (backend.namespace ?? route.metadata.namespace) === service.metadata.namespace &&
            backendTarget(backend).service === service.metadata.name,
        ),
      ),
  );
}
