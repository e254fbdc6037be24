import { SERVICE_NAME_LABEL } from '../kinds/endpoint-slice.ts';
import { parentKind, type HTTPRouteFilter } from '../kinds/http-route.ts';
import { isServiceTarget, type PolicyTarget } from '../kinds/metadata.ts';
import { isUdpPort, type Service } from '../kinds/service.ts';
import type { LocatedResource } from '../resource.ts';
import { findServicePort, isHttpPort, kindText, serviceSelects, targetPort } from '../select.ts';
import { didYouMean } from '../suggest.ts';
import type { AnalysisHost } from './analysis-host.ts';
import { analyzeBackend, meantService, ports } from './backends.ts';
import { analyzeBackendTls, analyzeForeignTarget } from './external-services.ts';
import { analyzeGatewayParent, analyzeGatewayTarget } from './gateway-parents.ts';
import { analyzeGateways } from './gateways.ts';
import { analyzeGrants } from './grants.ts';
import { analyzeListenerSets } from './listener-sets.ts';
import { analyzeConnectionRoutes } from './connection-routes.ts';
import { analyzeClosedByWaypoints } from './waypoint-closed.ts';
import { analyzeWaypoints } from './waypoints.ts';
import { analyzeUnnamedParents } from './route-parents.ts';
import { isRouteKind, parentRefsOf, rulesOf, type RequestRoute } from '../routes.ts';
import { located, locatedRoutes } from './resource-set.ts';

/** Names that lead nowhere. */
export function analyzeReferences(host: AnalysisHost): void {
  for (const subject of locatedRoutes(host.subjects)) analyzeRoute(subject, host);
  analyzeConnectionRoutes(host);
  analyzeGateways(host);
  analyzeListenerSets(host);
  analyzeBackendTls(host);
  analyzeGrants(host);
  analyzeWaypoints(host);
  analyzeClosedByWaypoints(host);
  for (const kind of [
    'AuthorizationPolicy',
    'TrafficPolicy',
    'FilterPolicy',
    'XBackendTrafficPolicy',
  ] as const) {
    for (const subject of located(host.subjects, kind)) {
      for (const [i, target] of (subject.resource.spec.targetRefs ?? []).entries())
        analyzeTarget(target, subject, i, host);
    }
  }
  for (const subject of located(host.subjects, 'EndpointSlice')) {
    const { namespace, labels } = subject.resource.metadata;
    const name = labels?.[SERVICE_NAME_LABEL] ?? '';
    if (
      host.set.get('Service', namespace, name) === undefined &&
      !host.set.isUnreadable('Service', namespace, name)
    ) {
      host.report(
        'TULLE0306',
        subject,
        `/metadata/labels/${SERVICE_NAME_LABEL.replace('/', '~1')}`,
        `there is no Service ${namespace}/${name}`,
        meantService(host, namespace, name),
      );
    }
  }
  for (const subject of located(host.subjects, 'Service')) analyzeTargetPorts(subject, host);
}

function analyzeRoute(subject: LocatedResource<RequestRoute>, host: AnalysisHost): void {
  const route = subject.resource;
  analyzeUnnamedParents(subject, host);
  for (const [i, parent] of parentRefsOf(route).entries()) {
    const namespace = parent.namespace ?? route.metadata.namespace;
    const at = `/spec/parentRefs/${i}`;
    if (parentKind(parent) !== 'Service') {
      analyzeGatewayParent(parent, subject, at, host);
      continue;
    }
    const service = host.set.get('Service', namespace, parent.name);
    if (service === undefined) {
      if (host.set.isUnreadable('Service', namespace, parent.name)) continue;
      host.report(
        'TULLE0301',
        subject,
        `${at}/name`,
        `the parent Service ${namespace}/${parent.name} does not exist`,
        meantService(host, namespace, parent.name),
      );
      continue;
    }
    if (parent.port !== undefined || parent.sectionName !== undefined) {
      const port = findServicePort(service, parent);
      if (port === undefined)
        host.report(
          'TULLE0303',
          subject,
          `${at}/${parent.port === undefined ? 'sectionName' : 'port'}`,
          `Service ${namespace}/${parent.name} has no such port`,
          ports(service),
        );
      else if (!isHttpPort(port))
        host.report(
          'TULLE0405',
          subject,
          at,
          `port ${port.port} of Service ${namespace}/${parent.name} is TCP`,
          'set appProtocol: http on it if it speaks HTTP',
        );
    } else if (!service.spec.ports.some(isHttpPort)) {
      host.report(
        'TULLE0405',
        subject,
        at,
        `Service ${namespace}/${parent.name} has only TCP ports`,
        'set appProtocol: http on the one that speaks HTTP',
      );
    }
  }
  for (const [r, rule] of (route.spec.rules ?? []).entries()) {
    for (const [b, backend] of (rule.backendRefs ?? []).entries()) {
      const at = `/spec/rules/${r}/backendRefs/${b}`;
      analyzeBackend(backend, subject, at, host);
      for (const [f, filter] of (backend.filters ?? []).entries())
        analyzeStep(filter, subject, `${at}/filters/${f}`, host);
    }
    for (const [f, filter] of (rule.filters ?? []).entries())
      analyzeStep(filter, subject, `/spec/rules/${r}/filters/${f}`, host);
  }
}

/** What a step refers to. Where its field is faulty, what is analysed lacks it. */
function analyzeStep(
  filter: HTTPRouteFilter,
  subject: LocatedResource<RequestRoute>,
  at: string,
  host: AnalysisHost,
): void {
  if (filter.type === 'RequestMirror' && Object.hasOwn(filter, 'requestMirror'))
    analyzeBackend(filter.requestMirror.backendRef, subject, `${at}/requestMirror/backendRef`, host);
  if (filter.type === 'ExtensionRef' && Object.hasOwn(filter, 'extensionRef'))
    host.report(
      'TULLE0320',
      subject,
      `${at}/extensionRef`,
      `no filter is of kind ${kindText(filter.extensionRef)}: what is to pass it is answered with 500`,
      'attach a filter to the route with a FilterPolicy and targetRefs',
    );
  if (filter.type !== 'ExternalAuth' || !Object.hasOwn(filter, 'externalAuth')) return;
  const { backendRef, protocol } = filter.externalAuth;
  analyzeBackend(backendRef, subject, `${at}/externalAuth/backendRef`, host, protocol === 'GRPC');
}

function analyzeTarget(target: PolicyTarget, subject: LocatedResource, i: number, host: AnalysisHost): void {
  const { namespace } = subject.resource.metadata;
  const at = `/spec/targetRefs/${i}`;
  if (subject.resource.kind === 'XBackendTrafficPolicy' && !isServiceTarget(target))
    return analyzeForeignTarget(target, subject, at, host);
  const kind =
    (['Service', 'Gateway', 'ListenerSet', 'GRPCRoute'] as const).find((one) => one === target.kind) ??
    'HTTPRoute';
  if (host.set.isUnreadable(kind, namespace, target.name)) return;
  if (kind === 'Gateway' || kind === 'ListenerSet')
    return analyzeGatewayTarget({ ...target, kind }, subject, at, host);
  if (target.kind === 'Service') {
    const service = host.set.get('Service', namespace, target.name);
    if (service === undefined)
      host.report(
        'TULLE0304',
        subject,
        `${at}/name`,
        `the target Service ${namespace}/${target.name} does not exist`,
        meantService(host, namespace, target.name),
      );
    else if (
      target.sectionName !== undefined &&
      !service.spec.ports.some(({ name }) => name === target.sectionName)
    ) {
      host.report(
        'TULLE0303',
        subject,
        `${at}/sectionName`,
        `Service ${namespace}/${target.name} has no port named ${target.sectionName}`,
        ports(service),
      );
    }
    return;
  }
  if (!isRouteKind(kind)) return;
  const route: RequestRoute | undefined = host.set.get(kind, namespace, target.name);
  if (route === undefined)
    host.report(
      'TULLE0304',
      subject,
      `${at}/name`,
      `the target ${kind} ${namespace}/${target.name} does not exist`,
      didYouMean(target.name, host.set.names(kind, namespace)),
    );
  else if (target.sectionName !== undefined && !rulesOf(route).some((r) => r.name === target.sectionName)) {
    host.report(
      'TULLE0304',
      subject,
      `${at}/sectionName`,
      `${kind} ${namespace}/${target.name} has no rule named ${target.sectionName}`,
      didYouMean(
        target.sectionName,
        rulesOf(route).flatMap((r) => r.name ?? []),
      ),
    );
  }
}

function analyzeTargetPorts(subject: LocatedResource<Service>, host: AnalysisHost): void {
  const service = subject.resource;
  const workloads = host.set
    .all('Workload')
    .filter(
      (w) =>
        w.metadata.namespace === service.metadata.namespace && serviceSelects(service, w.metadata.labels),
    );
  if (workloads.length === 0) return;
  for (const [i, port] of service.spec.ports.entries()) {
    if (isUdpPort(port)) continue;
    if (workloads.some((w) => targetPort(port, w.spec) !== undefined)) continue;
    const has = [
      ...new Set(
        workloads.flatMap((w) =>
          w.spec.ports.map((p) => (p.name === undefined ? String(p.port) : `${p.port} (${p.name})`)),
        ),
      ),
    ];
    host.report(
      'TULLE0307',
      subject,
      `/spec/ports/${i}${port.targetPort === undefined ? '' : '/targetPort'}`,
      `no Workload of ${service.metadata.name} has the port ${port.targetPort ?? port.port}`,
      `they have: ${has.slice(0, 10).join(', ') || 'none'}`,
    );
  }
}
