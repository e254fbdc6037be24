import {
  RETRY_FILTER,
  formatWireName,
  type Cluster,
  type EndpointSet,
  type FilterEntry,
  type Listener,
  type ProxyConfig,
  type RouteConfig,
} from '@tulle/model';
import { isHttpPort, type Service, type ServicePort } from '@tulle/resources';
import type { ProxyNode } from '../node.ts';
import type { World } from '../world.ts';
import { clusterOf, endpointsOf, outboundName, type MeshSettings } from './clusters.ts';
import { outboundFilters, ruleFilters } from './filters.ts';
import { compileInbound } from './inbound.ts';
import { compileRoutes } from './routes.ts';

/** What a proxy needs, and the Services (`ns/name`) that it depends on. */
export interface CompiledProxy {
  readonly config: Omit<ProxyConfig, 'version'>;
  readonly services: ReadonlySet<string>;
}

/** Everything one proxy needs and nothing else. Names appear once; whatever is named is there. */
export function compileProxy(world: World, node: ProxyNode, mesh: MeshSettings): CompiledProxy {
  const inbound = compileInbound(world, node, mesh);
  const listeners = new Map<string, Listener>(inbound.listeners.map((l) => [l.name, l]));
  const clusters = new Map<string, Cluster>(inbound.clusters.map((c) => [c.name, c]));
  const routes = new Map<string, RouteConfig>();
  const endpoints = new Map<string, EndpointSet>();
  const services = new Set<string>();
  for (const upstream of node.upstreams) {
    const [name = '', namespace = node.namespace] = upstream.service.split('.');
    services.add(`${namespace}/${name}`);
    const service = world.get('Service', namespace, name);
    const port = service?.spec.ports.find(
      (p) => upstream.servicePort === undefined || p.port === upstream.servicePort,
    );
    const listenerName = `outbound_${upstream.address}_${upstream.localPort}`;
    if (service === undefined || port === undefined) {
      listeners.set(listenerName, missingUpstream(listenerName, upstream, name, namespace, mesh));
      continue;
    }
    const reach = (to: Service, toPort: ServicePort): void => {
      services.add(`${to.metadata.namespace}/${to.metadata.name}`);
      const cluster = clusterOf(world, to, toPort, mesh);
      if (clusters.has(cluster.name)) return;
      clusters.set(cluster.name, cluster);
      endpoints.set(cluster.name, endpointsOf(world, to, toPort, mesh));
    };
    if (!isHttpPort(port)) {
      reach(service, port);
      listeners.set(
        listenerName,
        outboundListener(listenerName, upstream, {
          kind: 'tcp',
          clusters: [{ name: outboundName(service, port.port, mesh) }],
        }),
      );
      continue;
    }
    const attached = [...world.routesOf(`${namespace}/${name}`)];
    const compiled = compileRoutes(world, service, port, node.namespace, mesh, (route, rule) =>
      ruleFilters(world, service, node, route, rule),
    );
    for (const backend of compiled.backends) reach(backend.service, backend.port);
    // A Service that routes might lead to later must wake this proxy when it appears.
    for (const route of attached)
      for (const rule of route.spec.rules ?? [])
        for (const b of rule.backendRefs ?? [])
          services.add(`${b.namespace ?? route.metadata.namespace}/${b.name}`);
    routes.set(compiled.config.name, compiled.config);
    const chain = outboundFilters(world, node, service, attached, mesh);
    const retry: FilterEntry = { name: RETRY_FILTER, filter: RETRY_FILTER, config: {} };
    listeners.set(
      listenerName,
      outboundListener(listenerName, upstream, {
        kind: 'http',
        identityHeaders: 'keep',
        routes:
          chain.lacking.length > 0
            ? refuseAll(compiled.config.name, chain.lacking)
            : { routeConfigName: compiled.config.name },
        filters: [...chain.http.map((f) => f.entry), retry],
      }),
    );
  }
  return {
    config: {
      listeners: [...listeners.values()],
      routes: [...routes.values()],
      clusters: [...clusters.values()],
      endpoints: [...endpoints.values()],
    },
    services,
  };
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

function refuseAll(name: string, lacking: readonly string[]): RouteConfig {
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
