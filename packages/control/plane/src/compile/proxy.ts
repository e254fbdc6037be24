import type { Cluster, EndpointSet, Listener, ProxyConfig, RouteConfig } from '@tulle/model';
import { isWaypoint } from '@tulle/resources';
import type { NodeGateway, ProxyNode } from '../node.ts';
import { CaptureCompiler } from './capture.ts';
import { compileGateway } from './gateway.ts';
import { gatewayFault } from './gateway-listeners.ts';
import { type GrpcPart, GrpcProgramCompiler } from './grpc-program.ts';
import { compileInbound } from './inbound.ts';
import { compileNodeProxy } from './node-proxy.ts';
import type { Touched } from '../touched.ts';
import type { SharedResources } from './shared.ts';
import { compileUpstream, type Part } from './upstream.ts';
import { WaypointCompiler } from './waypoint.ts';

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
  readonly #grpc: GrpcProgramCompiler | undefined;
  readonly #waypoint: WaypointCompiler | undefined;
  #inbound: ReturnType<typeof compileInbound> | undefined;

  /** @param before of the same proxy, until it said something new of itself */
  constructor(shared: SharedResources, node: ProxyNode, before?: ProxyCompiler) {
    this.#shared = shared;
    this.#node = node;
    this.#waypoint = node.gateway && new WaypointCompiler(shared, node, node.gateway);
    this.#capture = node.capture && new CaptureCompiler(shared, node, node.capture);
    this.#grpc = node.grpc ? new GrpcProgramCompiler(shared, node, before && before.#grpc) : undefined;
  }

  /** Something that its inbound side may depend on has changed. */
  forgetInbound(touched: Touched): void {
    this.#inbound = undefined;
    this.#waypoint?.forget(touched);
  }

  /** A gRPC program asks for these listeners, and for no others any more. */
  ask(names: Iterable<string>): void {
    this.#grpc?.ask(names);
  }

  /** Everything the proxy needs and nothing else. Names appear once; whatever is named is there. */
  compile(): CompiledProxy {
    const { world, mesh } = this.#shared;
    if (this.#node.gateway !== undefined) return this.#compileGateway(this.#node.gateway);
    if (this.#node.hbone !== undefined) {
      const { services, ...config } = compileNodeProxy(this.#shared, this.#node, this.#node.hbone);
      return { config: inOrder({ ...config, routes: [] }), services: new Set(services) };
    }
    const inbound = (this.#inbound ??= compileInbound(world, this.#node, mesh));
    const own = this.#grpc?.servers(inbound.listeners) ?? inbound.listeners;
    const listeners = new Map<string, Listener>(own.map((l) => [l.name, l]));
    // Behind a gRPC server is the program itself.
    const clusters = new Map<string, Cluster>(
      this.#grpc === undefined ? inbound.clusters.map((c) => [c.name, c]) : [],
    );
    const routes = new Map<string, RouteConfig>();
    const endpoints = new Map<string, EndpointSet>();
    const services = new Set<string>();
    for (const part of this.#grpc?.targets() ?? this.#declared()) {
      if (part.listener !== undefined) listeners.set(part.listener.name, part.listener);
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

  /** One part a Service that the program beside it declares. */
  #declared(): GrpcPart[] {
    const { world } = this.#shared;
    return this.#node.upstreams.map((upstream, index) => {
      const known = this.#upstreams[index];
      if (known !== undefined && known.stamp === world.stamp(known.services)) return known;
      return (this.#upstreams[index] = compileUpstream(this.#shared, this.#node, upstream));
    });
  }

  #compileGateway(serving: NodeGateway): CompiledProxy {
    const { namespace, serviceAccount: name } = this.#node;
    const gateway = this.#shared.world.get('Gateway', namespace, name);
    const tunnels =
      gateway !== undefined && isWaypoint(gateway) && gatewayFault(this.#shared.world, gateway) === undefined;
    const { services, ...config } =
      this.#waypoint !== undefined && tunnels
        ? this.#waypoint.compile(gateway)
        : compileGateway(this.#shared, this.#node, serving);
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
