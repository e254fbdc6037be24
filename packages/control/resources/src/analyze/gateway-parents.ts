import { attachToGateway } from '../gateway/attach.ts';
import { isServedGateway } from '../gateway/class.ts';
import { isWaypoint } from '../gateway/waypoint.ts';
import { takesListenerSet, type ListenerOwner, type MergedGateway } from '../gateway/merged.ts';
import { parentKind, type ParentRef } from '../kinds/http-route.ts';
import { GATEWAY_GROUP } from '../kinds/gateway.ts';
import type { PolicyTarget } from '../kinds/metadata.ts';
import type { LocatedResource } from '../resource.ts';
import type { AnyRoute } from '../routes.ts';
import { kindText } from '../select.ts';
import { didYouMean } from '../suggest.ts';
import type { AnalysisHost } from './analysis-host.ts';

/** The Gateway that a parentRef means, itself or by a ListenerSet that it takes; `undefined`: there is none, or it is another's. */
export function servedParent(
  route: AnyRoute,
  parent: ParentRef,
  host: AnalysisHost,
): MergedGateway | undefined {
  const namespace = parent.namespace ?? route.metadata.namespace;
  if (parentKind(parent) === 'Gateway') {
    const gateway = host.set.get('Gateway', namespace, parent.name);
    return gateway !== undefined && isServedGateway(gateway) ? host.set.merged(gateway) : undefined;
  }
  const set = host.set.get('ListenerSet', namespace, parent.name);
  if (set === undefined) return undefined;
  const { name, namespace: of = namespace } = set.spec.parentRef;
  const gateway = host.set.get('Gateway', of, name);
  return gateway !== undefined && isServedGateway(gateway) && takesListenerSet(gateway, set)
    ? host.set.merged(gateway)
    : undefined;
}

/** A route's parentRef that names a Gateway or a ListenerSet. */
export function analyzeGatewayParent(
  parent: ParentRef,
  subject: LocatedResource<AnyRoute>,
  at: string,
  host: AnalysisHost,
): void {
  const route = subject.resource;
  const namespace = parent.namespace ?? route.metadata.namespace;
  const means = parentKind(parent);
  if (means === 'other') {
    host.report(
      'TULLE0319',
      subject,
      `${at}/${parent.kind === undefined ? 'group' : 'kind'}`,
      `parents of kind ${kindText({ group: GATEWAY_GROUP, kind: 'Gateway', ...parent })} are another implementation's: Tulle does nothing there`,
      'Tulle has Gateways, ListenerSets and Services',
    );
    return;
  }
  const kind = means === 'Gateway' ? 'Gateway' : 'ListenerSet';
  const name = `${kind} ${namespace}/${parent.name}`;
  const owner: ListenerOwner | undefined = host.set.get(kind, namespace, parent.name);
  if (owner === undefined) {
    if (host.set.isUnreadable(kind, namespace, parent.name)) return;
    host.report(
      'TULLE0301',
      subject,
      `${at}/name`,
      `the parent ${name} does not exist`,
      host.set.get('Service', namespace, parent.name) === undefined
        ? didYouMean(parent.name, host.set.names(kind, namespace))
        : "there is a Service of that name; to route its requests add kind: Service, group: ''",
    );
    return;
  }
  if (owner.kind === 'Gateway' && isWaypoint(owner)) {
    host.report(
      'TULLE0318',
      subject,
      at,
      `${name} is a waypoint, to which no route attaches`,
      "name the Service that asks for it: { kind: Service, group: '', name: … }",
    );
    return;
  }
  const merged = servedParent(route, parent, host);
  // Of a ListenerSet that is not taken it is said there.
  if (merged === undefined) return;
  const { problem } = attachToGateway(merged, route, parent);
  const listeners = owner.spec.listeners
    .map((l) => `${l.name} (${l.protocol} ${l.port}${l.hostname === undefined ? '' : `, ${l.hostname}`})`)
    .join(', ');
  if (problem === 'NoMatchingParent')
    host.report(
      'TULLE0311',
      subject,
      `${at}/${parent.sectionName === undefined ? 'port' : 'sectionName'}`,
      `${name} has no such listener`,
      `its listeners: ${listeners}`,
    );
  if (problem === 'NotAllowedByListeners')
    host.report(
      'TULLE0309',
      subject,
      at,
      `no listener of ${name} that the route names takes ${route.kind}s of namespace ${route.metadata.namespace}`,
      `see allowedRoutes of the ${kind}; default is its own namespace only`,
    );
  if (problem === 'NoMatchingListenerHostname')
    host.report(
      'TULLE0310',
      subject,
      '/spec/hostnames',
      `none of the route's hostnames is one of a listener of ${name}`,
      `its listeners: ${listeners}`,
    );
}

/** A policy's target that names a Gateway or a ListenerSet, or a listener of it. */
export function analyzeGatewayTarget(
  target: PolicyTarget & { readonly kind: 'Gateway' | 'ListenerSet' },
  subject: LocatedResource,
  at: string,
  host: AnalysisHost,
): void {
  const { namespace } = subject.resource.metadata;
  const { kind } = target;
  const owner: ListenerOwner | undefined = host.set.get(kind, namespace, target.name);
  if (owner === undefined) {
    host.report(
      'TULLE0304',
      subject,
      `${at}/name`,
      `the target ${kind} ${namespace}/${target.name} does not exist`,
      didYouMean(target.name, host.set.names(kind, namespace)),
    );
    return;
  }
  if (owner.kind === 'Gateway' && isWaypoint(owner)) {
    host.report(
      'TULLE0318',
      subject,
      at,
      `Gateway ${namespace}/${target.name} is a waypoint, which has the policies of the Services that ask for it`,
      "name the Service: { group: '', kind: Service, name: … }",
    );
    return;
  }
  const names = owner.spec.listeners.map((l) => l.name);
  if (target.sectionName !== undefined && !names.includes(target.sectionName))
    host.report(
      'TULLE0311',
      subject,
      `${at}/sectionName`,
      `${kind} ${namespace}/${target.name} has no listener named ${target.sectionName}`,
      didYouMean(target.sectionName, names) ?? `its listeners: ${names.join(', ')}`,
    );
}
