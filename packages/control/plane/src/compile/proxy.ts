import {
  formatWireName,
  type Cluster,
  type EndpointSet,
  type Listener,
  type ProxyConfig,
  type RouteConfig,
} from '@tulle/model';
import { isExternal, isHttpPort } from '@tulle/resources';
import type { NodeGateway, ProxyNode } from '../node.ts';
import { outboundName, type Backend, type MeshSettings } from './clusters.ts';
import { outboundFilters } from './filters.ts';
import { compileGateway } from './gateway.ts';
import { compileInbound } from './inbound.ts';
import { retryEntry } from './retries.ts';
import { backendsOf } from './routes.ts';
import type { SharedResources } from './shared.ts';

/** What a proxy needs, and the Services (`ns/name`) that it depends on. */
export interface CompiledProxy {
  readonly config: Omit<ProxyConfig, 'version'>;
  readonly services: ReadonlySet<string>;
}

/** What a proxy needs for one thing that it does. */
interface Part {
  readonly listener: Listener;
  readonly routes?: RouteConfig;
  readonly clusters: readonly Cluster[];
  readonly endpoints: readonly EndpointSet[];
  readonly services: readonly string[];
  /** {@link World.stamp} of the services when it was made. */
  readonly stamp: number;
}

/** Makes what one proxy needs, and again only what may have changed since. */
export class ProxyCompiler {
  readonly #shared: SharedResources;
  readonly #node: ProxyNode;
  readonly #upstreams: (Part | undefined)[] = [];
  #inbound: ReturnType<typeof compileInbound> | undefined;

  constructor(shared: SharedResources, node: ProxyNode) {
    this.#shared = shared;
    this.#node = node;
  }

  /** Something that its inbound side may depend on has changed. */
  forgetInbound(): void {
    this.#inbound = undefined;
  }

  /** Everything the proxy needs and nothing else. Names appear once; whatever is named is there. */
  compile(): CompiledProxy {
    const { world, mesh } = this.#shared;
    if (this.#node.gateway !== undefined) return this.#compileGateway(this.#node.gateway);
    this.#inbound ??= compileInbound(world, this.#node, mesh);
    const listeners = new Map<string, Listener>(this.#inbound.listeners.map((l) => [l.name, l]));
    const clusters = new Map<string, Cluster>(this.#inbound.clusters.map((c) => [c.name, c]));
    const routes = new Map<string, RouteConfig>();
    const endpoints = new Map<string, EndpointSet>();
    const services = new Set<string>();
    for (const [index, upstream] of this.#node.upstreams.entries()) {
      let part = this.#upstreams[index];
      if (part === undefined || part.stamp !== world.stamp(part.services))
        part = this.#upstreams[index] = compileUpstream(this.#shared, this.#node, upstream);
      listeners.set(part.listener.name, part.listener);
      if (part.routes !== undefined) routes.set(part.routes.name, part.routes);
      for (const cluster of part.clusters) clusters.set(cluster.name, cluster);
      for (const set of part.endpoints) endpoints.set(set.name, set);
      for (const service of part.services) services.add(service);
    }
    return {
      config: {
        listeners: sorted(listeners),
        routes: sorted(routes),
        clusters: sorted(clusters),
        endpoints: sorted(endpoints),
      },
      services,
    };
  }

  #compileGateway(serving: NodeGateway): CompiledProxy {
    const { services, ...config } = compileGateway(this.#shared, this.#node, serving);
    const named = <T extends { readonly name: string }>(list: readonly T[]): T[] =>
      sorted(new Map(list.map((one) => [one.name, one])));
    return {
      config: {
        listeners: named(config.listeners),
        routes: named(config.routes),
        clusters: named(config.clusters),
        endpoints: named(config.endpoints),
      },
      services: new Set(services),
    };
  }
}

/** By name: what a proxy gets is the same, whatever came first. */
function sorted<T>(named: ReadonlyMap<string, T>): T[] {
  return [...named].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}

function compileUpstream(shared: SharedResources, node: ProxyNode, upstream: Upstream): Part {
  const { world, mesh } = shared;
  const [name = '', namespace = node.namespace] = upstream.service.split('.');
  const parent = `${namespace}/${name}`;
  const service = world.get('Service', namespace, name);
  const port = service?.spec.ports.find(
    (p) => upstream.servicePort === undefined || p.port === upstream.servicePort,
  );
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
    const clusters = [{ name: outboundName(service, port.port, mesh) }];
    return part([parent], outboundListener(listenerName, upstream, { kind: 'tcp', clusters }), [
      { service, port },
    ]);
  }
  const attached = [...world.routesOf(parent)];
  // A Service that routes might lead to later must wake this proxy when it appears.
  const services = [...new Set([parent, ...attached.flatMap(backendsOf)])].sort();
  const compiled = shared.routes(service, port, node, services);
  const chain = outboundFilters(world, node, service, attached, mesh);
  const listener = outboundListener(listenerName, upstream, {
    kind: 'http',
    identityHeaders: 'keep',
    routes:
      chain.lacking.length > 0
        ? refuseAll(compiled.config.name, chain.lacking)
        : { routeConfigName: compiled.config.name },
    ...(chain.localReplies && { localReplies: chain.localReplies }),
    filters: [...chain.http.map((f) => f.entry), ...retryEntry(node, compiled.config)],
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
