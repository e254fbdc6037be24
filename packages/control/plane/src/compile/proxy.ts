import type { Cluster, EndpointSet, Listener, ProxyConfig, RouteConfig } from '@tulle/model';
import type { NodeGateway, ProxyNode } from '../node.ts';
import { CaptureCompiler } from './capture.ts';
import { compileGateway } from './gateway.ts';
import { compileInbound } from './inbound.ts';
import { compileNodeProxy } from './node-proxy.ts';
import type { SharedResources } from './shared.ts';
import { compileUpstream, type Part } from './upstream.ts';

/** What a proxy needs, and the Services (`ns/name`) that it depends on. */
export interface CompiledProxy {
  readonly config: Omit<ProxyConfig, 'version'>;
  readonly services: ReadonlySet<string>;
}

/** Makes what one proxy needs, and again only what may have changed since. */
export class ProxyCompiler {
  readonly #shared: SharedResources;
  readonly #node: ProxyNode;
  readonly #upstreams: (Part | undefined)[] = [];
  readonly #capture: CaptureCompiler | undefined;
  #inbound: ReturnType<typeof compileInbound> | undefined;

  constructor(shared: SharedResources, node: ProxyNode) {
    this.#shared = shared;
    this.#node = node;
    this.#capture = node.capture && new CaptureCompiler(shared, node, node.capture);
  }

  /** Something that its inbound side may depend on has changed. */
  forgetInbound(): void {
    this.#inbound = undefined;
  }

  /** Everything the proxy needs and nothing else. Names appear once; whatever is named is there. */
  compile(): CompiledProxy {
    const { world, mesh } = this.#shared;
    if (this.#node.gateway !== undefined) return this.#compileGateway(this.#node.gateway);
    if (this.#node.hbone !== undefined) {
      const { services, ...config } = compileNodeProxy(this.#shared, this.#node, this.#node.hbone);
      return { config: inOrder({ ...config, routes: [] }), services: new Set(services) };
    }
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
    const captured = this.#capture?.compile();
    if (captured !== undefined) {
      for (const listener of captured.listeners) listeners.set(listener.name, listener);
      for (const route of captured.routes) routes.set(route.name, route);
      for (const cluster of captured.clusters) clusters.set(cluster.name, cluster);
      for (const set of captured.endpoints) endpoints.set(set.name, set);
      for (const service of captured.services) services.add(service);
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
    return { config: inOrder(config), services: new Set(services) };
  }
}

/** Each name once, in the order of names. */
function inOrder(config: CompiledProxy['config']): CompiledProxy['config'] {
  const named = <T extends { readonly name: string }>(list: readonly T[]): T[] =>
    sorted(new Map(list.map((one) => [one.name, one])));
  return {
    listeners: named(config.listeners),
    routes: named(config.routes),
    clusters: named(config.clusters),
    endpoints: named(config.endpoints),
  };
}

/** By name: what a proxy gets is the same, whatever came first. */
function sorted<T>(named: ReadonlyMap<string, T>): T[] {
  return [...named].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}
