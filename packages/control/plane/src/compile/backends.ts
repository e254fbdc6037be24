import { formatWireName } from '@tulle/model';
import {
  backendProtocol,
  backendTarget,
  findServicePort,
  isBackendKind,
  isGranted,
  isUdpPort,
  rulesOf,
  type AnyRoute,
  type HTTPBackendRef,
  type HTTPExternalAuthFilter,
  type HTTPRequestMirror,
  type HTTPRouteFilter,
  type LocalObjectReference,
  type RouteRule,
} from '@tulle/resources';
import type { World } from '../world.ts';
import type { Backend, MeshSettings } from './clusters.ts';
import { wantsTls } from './datagrams.ts';
import { trafficFor } from './traffic.ts';

/** Notes what routes lead to; returns the cluster's name. */
export type Reach = (backend: Backend) => string;

/** Services (`ns/name`) that a route leads to, be they there or not. */
export function backendsOf(route: AnyRoute): string[] {
  return rulesOf(route).flatMap((rule) =>
    [...(rule.backendRefs ?? []), ...stepBackends(rule)].map(
      (b) => `${b.namespace ?? route.metadata.namespace}/${backendTarget(b).service}`,
    ),
  );
}

/** Steps of a rule, and those of its backends for their shares. */
export function stepsOf({ filters = [], backendRefs = [] }: RouteRule): readonly HTTPRouteFilter[] {
  return [...filters, ...backendRefs.flatMap(({ filters: own = [] }) => own)];
}

/** What steps of a rule call beside its backends: where copies go, and who is asked. */
export function stepBackends(rule: RouteRule): readonly HTTPBackendRef[] {
  const steps = stepsOf(rule);
  return [...mirrorsIn(steps), ...externalAuthsIn(steps)].map(({ backendRef }) => backendRef);
}

/** Where copies of requests go. */
export function mirrorsIn(steps: readonly HTTPRouteFilter[] = []): HTTPRequestMirror[] {
  return steps.flatMap((one) => (one.type === 'RequestMirror' ? [one.requestMirror] : []));
}

/** Who is asked about requests. */
export function externalAuthsIn(steps: readonly HTTPRouteFilter[] = []): HTTPExternalAuthFilter[] {
  return steps.flatMap((one) => (one.type === 'ExternalAuth' ? [one.externalAuth] : []));
}

/** Filters of implementations that know them; Tulle does not, so nothing may pass without them. */
export function extensionsIn(steps: readonly HTTPRouteFilter[] = []): LocalObjectReference[] {
  return steps.flatMap((one) => (one.type === 'ExtensionRef' ? [one.extensionRef] : []));
}

/** A share that leads nowhere names a cluster that is never there; no subset may have this name. */
export function nowhere(route: AnyRoute, backend: HTTPBackendRef, mesh: MeshSettings): string {
  return formatWireName({
    direction: 'outbound',
    port: backend.port ?? 0,
    ...(backendProtocol(route) === 'UDP' ? { transport: 'udp' as const } : {}),
    subset: 'invalid',
    host: `${backend.name}.${backend.namespace ?? route.metadata.namespace}.${mesh.suffix}`,
  });
}

/** What a backend leads to; `undefined` when that is not there, or may not be used. */
export function backendOf(world: World, route: AnyRoute, ref: HTTPBackendRef): Backend | undefined {
  if (!isBackendKind(ref)) return undefined;
  const own = route.metadata.namespace;
  const namespace = ref.namespace ?? own;
  const target = backendTarget(ref);
  const service = world.get('Service', namespace, target.service);
  const port = service && findServicePort(service, { port: ref.port }, backendProtocol(route));
  if (service === undefined || port === undefined) return undefined;
  if (isUdpPort(port) && wantsTls(world, service, port)) return undefined;
  const kinds = { from: route.kind, to: 'Service' } as const;
  if (!isGranted(world.in('ReferenceGrant', namespace), own, namespace, target.service, kinds))
    return undefined;
  if (target.subset === undefined) return { service, port };
  const { subsets } = trafficFor(world, namespace, 'Service', target.service, port.name);
  const subset = subsets?.find(({ name }) => name === target.subset);
  return subset && { service, port, subset };
}
