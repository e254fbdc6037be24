import { displacedRoutes } from '../gateway/attach.ts';
import { gatewayParents, listenerLabel, parentOwner } from '../gateway/merged.ts';
import { parentKind } from '../kinds/http-route.ts';
import type { LocatedResource } from '../resource.ts';
import { displacedBy, meansPort, type RequestRoute } from '../routes.ts';
import type { AnalysisHost } from './analysis-host.ts';
import { servedParent } from './gateway-parents.ts';
import { locatedRoutes } from './resource-set.ts';
import { placedParents } from './route-parents.ts';

/** Routes that do not apply because one of another kind does. */
export function analyzeRouteKinds(host: AnalysisHost): void {
  const all: readonly RequestRoute[] = [...host.set.all('HTTPRoute'), ...host.set.all('GRPCRoute')];
  for (const subject of locatedRoutes(host.subjects)) {
    for (const [parent, at] of placedParents(subject.resource, host)) {
      if (parentKind(parent) === 'Service') {
        const service = host.set.get(
          'Service',
          parent.namespace ?? subject.resource.metadata.namespace,
          parent.name,
        );
        for (const port of service?.spec.ports ?? []) {
          if (service === undefined || !meansPort(parent, subject.resource.metadata.namespace, service, port))
            continue;
          const winner = displacedBy(subject.resource, all, service, port);
          if (winner !== undefined)
            report(
              subject,
              at,
              `port ${port.port} of Service ${service.metadata.namespace}/${service.metadata.name}`,
              winner,
              host,
            );
        }
        continue;
      }
      const merged = servedParent(subject.resource, parent, host);
      if (merged === undefined) continue;
      const owner = parentOwner(subject.resource, parent, merged);
      const routes = all.filter((route) => gatewayParents(route, merged).length > 0);
      for (const [listener, winner] of displacedRoutes(merged, routes).get(subject.resource) ?? []) {
        if (merged.ownerOf(listener) !== owner) continue;
        if (parent.sectionName !== undefined && parent.sectionName !== listener.name) continue;
        const { namespace, name } = merged.gateway.metadata;
        const label = listenerLabel(merged, listener);
        report(subject, at, `listener ${label} of Gateway ${namespace}/${name}`, winner, host);
      }
    }
  }
}

function report(
  subject: LocatedResource<RequestRoute>,
  at: string,
  where: string,
  winner: RequestRoute,
  host: AnalysisHost,
): void {
  const { kind, metadata } = winner;
  host.report(
    'TULLE0314',
    subject,
    at,
    `${kind} ${metadata.namespace}/${metadata.name} applies to ${where}, so this ${subject.resource.kind} does not`,
    subject.resource.kind === 'HTTPRoute'
      ? 'put what is gRPC on a port, or a host, of its own'
      : 'give it a host of its own',
  );
}
