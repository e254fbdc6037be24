import { attachToGateway } from '../gateway/attach.ts';
import { everyParent } from '../gateway/default.ts';
import { listenerLabel } from '../gateway/merged.ts';
import { parentKind, type ParentRef } from '../kinds/http-route.ts';
import { meansPort, type RequestRoute } from '../routes.ts';
import type { AnalysisHost } from './analysis-host.ts';
import { servedParent } from './gateway-parents.ts';

/**
 * Where a route is asked, for a sentence by key: each host of each listener that takes it, and of each port of a Service. So
 * parentRefs that say the same in other words are one place: a whole Gateway and one of its listeners, a route without hosts
 * and one with those of the listener. What names something that is not there is a place by its own words.
 */
export function placesOf(route: RequestRoute, host: AnalysisHost): ReadonlyMap<string, string> {
  const { spec, metadata } = route;
  const places = new Map<string, string>();
  const hostnames = spec.hostnames?.length ? spec.hostnames : ['*'];
  const add = (key: readonly unknown[], hostname: string, where: string): void => {
    places.set(
      JSON.stringify([...key, hostname]),
      `${hostname === '*' ? 'of every host' : `of host ${hostname}`} at ${where}`,
    );
  };
  for (const parent of everyParent(route, host.set.all('Gateway'))) {
    const { namespace = metadata.namespace, name } = parent;
    const kind = parentKind(parent);
    const merged = kind === 'Service' || kind === 'other' ? undefined : servedParent(route, parent, host);
    if (merged !== undefined) {
      const { metadata: of } = merged.gateway;
      for (const { listener, hostnames: its } of attachToGateway(merged, route, parent).attachments) {
        const label = listenerLabel(merged, listener);
        const where = `${merged.listeners.length > 1 ? `listener ${label} of ` : ''}Gateway ${of.name}`;
        for (const hostname of its) add(['Gateway', of.namespace, of.name, label], hostname, where);
      }
      continue;
    }
    const ports = kind === 'Service' ? portsOf(parent, namespace, metadata.namespace, host) : undefined;
    // Routes of a Service count apart by namespace: those of the caller's own take the place of the Service's (GEP-1294).
    const own = kind === 'Service' ? metadata.namespace : undefined;
    for (const hostname of hostnames)
      if (ports === undefined)
        add([kind, namespace, name, parent.port, parent.sectionName, own], hostname, `${kind} ${name}`);
      else
        for (const port of ports.meant)
          add(
            [kind, namespace, name, port, own],
            hostname,
            `${ports.several ? `port ${port} of ` : ''}Service ${name}`,
          );
  }
  return places;
}

/** Ports of a Service that a parentRef means; `undefined`: it is not known. */
function portsOf(
  parent: ParentRef,
  namespace: string,
  own: string,
  host: AnalysisHost,
): { readonly meant: readonly number[]; readonly several: boolean } | undefined {
  const service = host.set.get('Service', namespace, parent.name);
  if (service === undefined) return undefined;
  const { ports } = service.spec;
  return {
    meant: ports.filter((port) => meansPort(parent, own, service, port)).map(({ port }) => port),
    several: ports.length > 1,
  };
}
