import {
  formatWireName,
  type Cluster,
  type EndpointSet,
  type Listener,
  type RouteConfig,
} from '@tulle/model';
import {
  findServicePort,
  isAttachedTo,
  isDeclaredPort,
  isExternal,
  isHttpPort,
  waypointOf,
} from '@tulle/resources';
import type { ProxyNode } from '../node.ts';
import { outboundName, type Backend, type MeshSettings } from './clusters.ts';
import { corsEntry } from './cors.ts';
import { withAuth } from './external-auth.ts';
import { NO_FILTERS, outboundFilters } from './filters.ts';
import { retryEntry } from './retries.ts';
import { backendsOf } from './backends.ts';
import type { SharedResources } from './shared.ts';

/** What a proxy needs for one thing that it does. */
export interface Part {
  readonly listener: Listener;
  readonly routes?: RouteConfig;
  readonly clusters: readonly Cluster[];
  readonly endpoints: readonly EndpointSet[];
  readonly services: readonly string[];
  /** {@link World.stamp} of the services when it was made. */
  readonly stamp: number;
}

/** What a proxy needs for a Service that its application calls. */
export function compileUpstream(shared: SharedResources, node: ProxyNode, upstream: Upstream): Part {
  const { world, mesh } = shared;
  const [name = '', namespace = node.namespace] = upstream.service.split('.');
  const parent = `${namespace}/${name}`;
  const service = world.get('Service', namespace, name);
  const port = service && findServicePort(service, { port: upstream.servicePort });
  const listenerName = `outbound_${upstream.address}_${upstream.localPort}`;
  const part = (
    services: readonly string[],
    listener: Listener,
    reached: readonly Backend[],
    routes?: RouteConfig,
  ): Part => ({
    listener,
    ...(routes === undefined ? {} : { routes }),
    clusters: reached.map((to) => shared.cluster(to)),
    endpoints: reached
      .filter(({ service }) => !isExternal(service))
      .map((to) => shared.endpoints(to, node.locality)),
    services,
    stamp: world.stamp(services),
  });
  if (service === undefined || port === undefined)
    return part([parent], missingUpstream(listenerName, upstream, name, namespace, mesh), []);
  if (!isHttpPort(port)) {
    const clusters = [{ name: outboundName(service, port, mesh) }];
    return part([parent], outboundListener(listenerName, upstream, { kind: 'tcp', clusters }), [
      { service, port },
    ]);
  }
  // What a waypoint does is done there alone: routes of the caller's own namespace are the caller's.
  const through = waypointOf(service) !== undefined;
  const attached = [...world.routesOf(parent)].filter(
    (route) => !through || route.metadata.namespace !== namespace,
  );
  // A Service that routes might lead to later must wake this proxy when it appears.
  const services = [...new Set([parent, ...attached.flatMap(backendsOf)])].sort();
  const compiled = shared.routes(service, port, node, services);
  const chain = through ? NO_FILTERS : outboundFilters(world, node, service, attached, mesh);
  const cluster = shared.cluster({ service, port });
  // Where nothing is said of requests, whatever the program speaks may pass.
  const anything =
    !isDeclaredPort(port) &&
    !node.grpc &&
    // Who asks endpoints by requests whether they are well says that they speak HTTP.
    (cluster.healthCheck === undefined || cluster.healthCheck.kind === 'tcp') &&
    !(isExternal(service) && cluster.tls !== undefined) &&
    chain.http.length === 0 &&
    chain.lacking.length === 0 &&
    chain.localReplies === undefined &&
    !attached.some((route) => isAttachedTo(route, service, port));
  const listener = outboundListener(listenerName, upstream, {
    kind: 'http',
    identityHeaders: 'keep',
    ...(anything && { otherwise: { clusters: [{ name: cluster.name }] } }),
    routes:
      chain.lacking.length > 0
        ? refuseAll(compiled.config.name, chain.lacking)
        : { routeConfigName: compiled.config.name },
    ...(chain.localReplies && { localReplies: chain.localReplies }),
    filters: [
      ...corsEntry(compiled.config),
      ...withAuth(chain.http, compiled.auth),
      ...retryEntry(node, compiled.config),
    ],
  });
  return part(services, listener, compiled.backends, compiled.config);
}

type Upstream = ProxyNode['upstreams'][number];

function outboundListener(
  name: string,
  upstream: Upstream,
  handler: Listener['filterChains'][number]['handler'],
): Listener {
  return {
    name,
    address: { host: upstream.address, port: upstream.localPort },
    direction: 'outbound',
    filterChains: [{ name: 'app', handler }],
  };
}

/** The Service is not there (yet): say so, rather than refuse the connection. */
function missingUpstream(
  name: string,
  upstream: Upstream,
  service: string,
  namespace: string,
  mesh: MeshSettings,
): Listener {
  const routeName = formatWireName({
    direction: 'outbound',
    port: upstream.servicePort ?? 0,
    subset: '',
    host: `${service}.${namespace}.${mesh.suffix}`,
  });
  const body = `there is no Service ${namespace}/${service}${upstream.servicePort === undefined ? '' : ` with port ${upstream.servicePort}`}; apply one\n`;
  return outboundListener(name, upstream, {
    kind: 'http',
    identityHeaders: 'keep',
    filters: [],
    routes: {
      name: routeName,
      virtualHosts: [
        {
          name: 'missing',
          domains: ['*'],
          routes: [
            {
              name: 'missing',
              match: { path: { kind: 'prefix', value: '/' } },
              action: { kind: 'direct', status: 503, body, code: 'TULLE_CLUSTER_NOT_FOUND' },
            },
          ],
        },
      ],
    },
  });
}

/** Answers everything for want of filters that are mandatory. */
export function refuseAll(name: string, lacking: readonly string[]): RouteConfig {
  return {
    name,
    virtualHosts: [
      {
        name: 'lacking',
        domains: ['*'],
        routes: [
          {
            name: 'lacking',
            match: { path: { kind: 'prefix', value: '/' } },
            action: {
              kind: 'direct',
              status: 503,
              body: `this proxy lacks a mandatory filter of ${lacking.join(', ')}\n`,
              code: 'TULLE_FILTER_UNKNOWN',
            },
          },
        ],
      },
    ],
  };
}
