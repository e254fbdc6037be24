import { isServedGateway } from '../gateway/class.ts';
import { attachToGateway } from '../gateway/attach.ts';
import { connectionShares, displacedByConnection, type ConnectionShare } from '../gateway/connections.ts';
import { gatewayParents, listenerLabel, type MergedGateway } from '../gateway/merged.ts';
import { parentKind } from '../kinds/http-route.ts';
import { CONNECTION_ROUTE_KINDS, parentRefsOf, type ConnectionRoute } from '../routes.ts';
import type { LocatedResource } from '../resource.ts';
import type { AnalysisHost } from './analysis-host.ts';
import { analyzeBackend } from './backends.ts';
import { analyzeDatagrams } from './datagrams.ts';
import { analyzeGatewayParent } from './gateway-parents.ts';
import { locatedConnectionRoutes } from './resource-set.ts';
import { analyzeUnnamedParents } from './route-parents.ts';
import { analyzeRepeats } from './routes.ts';

/** Routes of connections that lead nowhere, or whose connections others have. */
export function analyzeConnectionRoutes(host: AnalysisHost): void {
  for (const subject of locatedConnectionRoutes(host.subjects)) {
    const { kind, spec } = subject.resource;
    analyzeUnnamedParents(subject, host);
    for (const [i, parent] of parentRefsOf(subject.resource).entries())
      if (parentKind(parent) !== 'Service')
        analyzeGatewayParent(parent, subject, `/spec/parentRefs/${i}`, host);
      else
        host.report(
          'TULLE0320',
          subject,
          `/spec/parentRefs/${i}/kind`,
          `a ${kind} is for Gateways; within the mesh ${kind === 'UDPRoute' ? 'datagrams are not led' : 'connections to a Service are not split'}`,
          'name a Gateway, or remove the parent',
        );
    for (const [r, rule] of spec.rules.entries()) {
      const at = `/spec/rules/${r}/backendRefs`;
      for (const [b, backend] of rule.backendRefs.entries())
        analyzeBackend(backend, subject, `${at}/${b}`, host);
      analyzeRepeats(rule.backendRefs, subject, at, host);
      if (rule.backendRefs.length > 0 && rule.backendRefs.every(({ weight }) => weight === 0))
        host.report(
          'TULLE0403',
          subject,
          at,
          `all weights are 0: every ${subject.resource.kind === 'UDPRoute' ? 'datagram is dropped' : 'connection is refused'}`,
        );
    }
  }
  analyzeTaken(host);
  analyzeDatagrams(host);
}

/** Server names, or ports, of a route that older ones have, where some are left. */
function analyzeSome(
  merged: MergedGateway,
  subject: LocatedResource<ConnectionRoute>,
  shares: readonly ConnectionShare[],
  host: AnalysisHost,
): void {
  const route = subject.resource;
  const { namespace, name } = merged.gateway.metadata;
  const told = new Set<string>();
  for (const parent of gatewayParents(route, merged))
    for (const { listener, hostnames } of attachToGateway(merged, route, parent).attachments)
      for (const share of shares) {
        if (share.listener !== listener || share.route === route) continue;
        const lost = hostnames.filter((hostname) => share.hostnames.includes(hostname));
        const what = lost.includes('*')
          ? `${route.kind === 'UDPRoute' ? 'datagrams' : 'connections'}`
          : `connections for ${lost.join(', ')}`;
        const { kind, metadata } = share.route;
        const message = `${kind} ${metadata.namespace}/${metadata.name} has the ${what} at listener ${listenerLabel(merged, listener)} of Gateway ${namespace}/${name}`;
        if (lost.length === 0 || told.has(message)) continue;
        told.add(message);
        const named = 'hostnames' in route.spec && route.spec.hostnames !== undefined && !lost.includes('*');
        const at = route.spec.parentRefs === undefined ? '/spec/useDefaultGateways' : '/spec/parentRefs';
        host.report('TULLE0411', subject, named ? '/spec/hostnames' : at, message);
      }
}

/** Routes that older ones leave no connection. */
function analyzeTaken(host: AnalysisHost): void {
  const subjects = locatedConnectionRoutes(host.subjects);
  if (subjects.length === 0) return;
  const all: readonly ConnectionRoute[] = CONNECTION_ROUTE_KINDS.flatMap((kind) => host.set.all(kind));
  for (const gateway of host.set.all('Gateway').filter(isServedGateway)) {
    const merged = host.set.merged(gateway);
    const shares = connectionShares(merged, all);
    const { namespace, name } = gateway.metadata;
    for (const subject of subjects) {
      const winner = displacedByConnection(merged, subject.resource, shares);
      if (winner === undefined) {
        analyzeSome(merged, subject, shares, host);
        continue;
      }
      host.report(
        'TULLE0410',
        subject,
        subject.resource.spec.parentRefs === undefined ? '/spec/useDefaultGateways' : '/spec/parentRefs',
        `${winner.kind} ${winner.metadata.namespace}/${winner.metadata.name} has the ${winner.kind === 'UDPRoute' ? 'datagrams' : 'connections'} that it asks for at Gateway ${namespace}/${name}`,
        subject.resource.kind === 'TLSRoute' ? 'give it hostnames of its own' : 'give it a port of its own',
      );
    }
  }
}
