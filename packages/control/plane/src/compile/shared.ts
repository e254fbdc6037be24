import type { Cluster, EndpointSet, Locality } from '@tulle/model';
import { isUdpPort, type Service, type ServicePort } from '@tulle/resources';
import type { ProxyNode } from '../node.ts';
import { VirtualAddresses } from '../virtual-addresses.ts';
import { waypointKey } from '../waypoint-index.ts';
import type { World } from '../world.ts';
import { clusterOf, endpointsOf, outboundName, type Backend, type MeshSettings } from './clusters.ts';
import { ruleFilters } from './filters.ts';
import { preferNearest } from './locality.ts';
import { compileRoutes, type CompiledRoutes } from './routes.ts';
import { clusterThrough, endpointsThrough } from './through-waypoint.ts';
import { trafficFor } from './traffic.ts';

interface Entry {
  /** {@link World.stamp} of the Services that the value depends on, when it was made. */
  readonly stamp: number;
  readonly services: readonly string[];
  readonly value: unknown;
}

/** Entries that may be kept although nobody asked for them of late: many times what one change touches. */
const SPARE_ENTRIES = 10_000;

/**
 * Resources that are the same whoever gets them: made once, and given to every proxy as the same objects, so that each
 * is serialised once. What is made anew and means the same stays the same object.
 */
export class SharedResources {
  readonly world: World;
  readonly mesh: MeshSettings;
  readonly virtualAddresses: VirtualAddresses = new VirtualAddresses();
  readonly #entries = new Map<string, Entry>();

  constructor(world: World, mesh: MeshSettings) {
    this.world = world;
    this.mesh = mesh;
  }

  /** @param at the waypoint that calls ({@link gatewayKey}): it reaches the endpoints of Services that ask for it themselves */
  cluster(backend: Backend, at?: string): Cluster {
    const { service } = backend;
    const way = wayTo(this.world, backend, at);
    return this.#get(`cluster ${way} ${this.#nameOf(backend)}`, [keyOf(service)], (known?: Cluster) =>
      kept(
        known,
        way === 'waypoint' ? clusterThrough(backend, this.mesh) : clusterOf(this.world, backend, this.mesh),
      ),
    );
  }

  /**
   * Callers of one place share what they get, where the Service's policy makes a difference between places.
   * @param at as of {@link cluster}
   */
  endpoints(backend: Backend, from: Locality | undefined, at?: string): EndpointSet {
    const { service, port } = backend;
    const way = wayTo(this.world, backend, at);
    const { name, namespace } = service.metadata;
    const { locality } =
      from === undefined ? {} : trafficFor(this.world, namespace, 'Service', name, port.name);
    if (from === undefined || locality?.prefer !== 'Nearest') return this.#endpoints(backend, way);
    const key = `endpoint ${way} ${this.#nameOf(backend)} ${JSON.stringify([from.region, from.zone, from.subZone])}`;
    return this.#get(key, [keyOf(service)], (known?: EndpointSet) =>
      kept(known, preferNearest(this.#endpoints(backend, way), from, locality.failover)),
    );
  }

  #endpoints(backend: Backend, way: Way): EndpointSet {
    const { service } = backend;
    return this.#get(`endpoint ${way} ${this.#nameOf(backend)}`, [keyOf(service)], (known?: EndpointSet) =>
      kept(known, (way === 'waypoint' ? endpointsThrough : endpointsOf)(this.world, backend, this.mesh)),
    );
  }

  #nameOf({ service, port, subset }: Backend): string {
    return outboundName(service, port, this.mesh, subset?.name);
  }

  /** @param services all that the routes may depend on @param at as of {@link cluster} */
  routes(
    service: Service,
    port: ServicePort,
    node: ProxyNode,
    services: readonly string[],
    at?: string,
  ): CompiledRoutes {
    const way = wayTo(this.world, { service, port }, at);
    const { namespace } = service.metadata;
    // A waypoint is no caller, wherever it is.
    const from = at === undefined ? node.namespace : namespace;
    // Only routes of the caller's own namespace make a difference between callers (GEP-1294), and what filters they have.
    const own =
      from !== namespace &&
      [...this.world.routesOf(keyOf(service))].some((route) => route.metadata.namespace === from);
    const key = `route ${way} ${outboundName(service, port, this.mesh)} ${own ? from : ''} ${node.filterSet}`;
    return this.#get(key, services, (known?: CompiledRoutes) => {
      const made = compileRoutes(
        this.world,
        service,
        port,
        from,
        this.mesh,
        {
          known: node.filters,
          overridesOf: (route, rule) => ruleFilters(this.world, service, node, route, rule),
        },
        way === 'waypoint',
      );
      return { ...made, config: kept(known?.config, made.config) };
    });
  }

  #get<T>(key: string, services: readonly string[], make: (known?: T) => T): T {
    const known = this.#entries.get(key);
    const stamp = this.world.stamp(services);
    if (known?.stamp === stamp && sameList(known.services, services)) return known.value as T;
    const value = make(known?.value as T | undefined);
    this.#entries.delete(key); // to the end: the oldest go first
    this.#entries.set(key, { stamp, services, value });
    if (this.#entries.size > SPARE_ENTRIES + this.world.size) this.#entries.delete(this.#oldest());
    return value;
  }

  #oldest(): string {
    return this.#entries.keys().next().value as string;
  }
}

/** How a Service is reached: `waypoint` by tunnels to one, which does the rest. */
type Way = 'endpoints' | 'waypoint';

function wayTo(world: World, { service, port }: Backend, at: string | undefined): Way {
  const waypoint = waypointKey(service);
  // No tunnel carries datagrams.
  if (waypoint === undefined || isUdpPort(port)) return 'endpoints';
  // A waypoint that does not take a Service is no way to it, by routes of another one either.
  return waypoint === at && world.waypointBefore(service) !== undefined ? 'endpoints' : 'waypoint';
}

/** The known object, where the new one means the same. */
function kept<T>(known: T | undefined, made: T): T {
  return known !== undefined && JSON.stringify(known) === JSON.stringify(made) ? known : made;
}

function keyOf({ metadata }: Service): string {
  return `${metadata.namespace}/${metadata.name}`;
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((one, i) => one === b[i]));
}
