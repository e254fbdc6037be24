import type { Cluster, EndpointSet, FilterChain, Listener, RouteConfig } from '@tulle/model';
import { connectionPorts, type Service } from '@tulle/resources';
import { isIPv4, isIPv6 } from 'node:net';
import type { NodeCapture } from '../node-capture.ts';
import type { ProxyNode } from '../node.ts';
import { VIRTUAL_NETWORK } from '../virtual-addresses.ts';
import { EVERY_SERVICE } from '../touched.ts';
import { outboundName } from './clusters.ts';
import { BLACKHOLE, PASSTHROUGH } from './elsewhere.ts';
import type { SharedResources } from './shared.ts';
import { compileUpstream, type Part } from './upstream.ts';

/** What a captured proxy needs to be able to call the Services that it is to reach. */
export interface CompiledCapture {
  readonly listeners: readonly Listener[];
  readonly routes: readonly RouteConfig[];
  readonly clusters: readonly Cluster[];
  readonly endpoints: readonly EndpointSet[];
  readonly services: readonly string[];
}

/**
 * The listeners to which the kernel leads what an application calls: a chain for each port of each Service that it is to
 * reach, at the virtual address of the Service and its `clusterIP`, and one for everything else. The chain's name says which Service it is, so the
 * proxy can tell names and virtual addresses to the application (decision D15).
 */
export class CaptureCompiler {
  readonly #shared: SharedResources;
  readonly #node: ProxyNode;
  readonly #capture: NodeCapture;
  #parts = new Map<string, CompiledPort>();

  constructor(shared: SharedResources, node: ProxyNode, capture: NodeCapture) {
    this.#shared = shared;
    this.#node = node;
    this.#capture = capture;
  }

  compile(): CompiledCapture {
    const { world, mesh, virtualAddresses } = this.#shared;
    const known = [...world.services()];
    // Of all, so that every proxy is told the same ones.
    const addresses = virtualAddresses.assign(known.map(keyOf));
    const services = known
      .filter((service) => this.#capture.reachable.has(service))
      .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
    const before = this.#parts;
    const parts = (this.#parts = new Map());
    const own = ownAddresses(services, new Set(addresses.values()));
    for (const service of services) {
      const address = addresses.get(keyOf(service)) as string;
      for (const port of connectionPorts(service)) {
        const name = outboundName(service, port, mesh);
        const made = before.get(name);
        parts.set(
          name,
          made !== undefined &&
            made.clusterIP === own.get(service) &&
            made.part.stamp === world.stamp(made.part.services)
            ? made
            : this.#compile(service, port.port, address, own.get(service), name),
        );
      }
    }
    const all = [...this.#parts.values()];
    return {
      listeners: this.#listeners(all),
      routes: all.flatMap(({ part }) => part.routes ?? []),
      clusters: [PASSTHROUGH, BLACKHOLE, ...all.flatMap(({ part }) => part.clusters)],
      endpoints: all.flatMap(({ part }) => part.endpoints),
      services: [EVERY_SERVICE, ...new Set(all.flatMap(({ part }) => part.services))],
    };
  }

  #compile(
    {
      metadata: { name, namespace },
    }: { readonly metadata: { readonly name: string; readonly namespace: string } },
    port: number,
    address: string,
    clusterIP: string | undefined,
    chainName: string,
  ): CompiledPort {
    const part = compileUpstream(this.#shared, this.#node, {
      service: `${name}.${namespace}`,
      servicePort: port,
      localPort: port,
      address,
    });
    const [made] = part.listener.filterChains;
    const chain = (...destinationCidrs: string[]): FilterChain => ({
      ...(made as FilterChain),
      name: chainName,
      match: { destinationPort: port, destinationCidrs },
    });
    const virtual = `${address}/32`;
    return {
      part,
      clusterIP,
      // The virtual one first: names lead there.
      chain:
        clusterIP !== undefined && isIPv4(clusterIP) ? chain(virtual, `${clusterIP}/32`) : chain(virtual),
      ...(clusterIP !== undefined && isIPv6(clusterIP) ? { chain6: chain(`${clusterIP}/128`) } : {}),
    };
  }

  #listeners(ports: readonly CompiledPort[]): Listener[] {
    const to = (name: string, cluster: Cluster, match?: FilterChain['match']): FilterChain => ({
      name,
      ...(match && { match }),
      handler: { kind: 'tcp', clusters: [{ name: cluster.name }] },
    });
    const rest = to('other', this.#capture.egress === 'passthrough' ? PASSTHROUGH : BLACKHOLE);
    return this.#capture.outbound.map(({ address, port }) => ({
      name: `virtualOutbound_${address}_${port}`,
      address: { host: address, port },
      direction: 'outbound',
      originalDestination: true,
      // Virtual addresses are of IPv4. Behind them is nothing but the ports of their Services.
      filterChains: address.includes(':')
        ? [...ports.flatMap(({ chain6 }) => chain6 ?? []), rest]
        : [
            ...ports.map(({ chain }) => chain),
            to('virtual', BLACKHOLE, { destinationCidrs: [VIRTUAL_NETWORK] }),
            rest,
          ],
      chainOrder: 'specific',
    }));
  }
}

/** Of one port of a Service. */
interface CompiledPort {
  readonly part: Part;
  readonly clusterIP: string | undefined;
  readonly chain: FilterChain;
  /** At an IPv6 `clusterIP`. */
  readonly chain6?: FilterChain;
}

/**
 * `clusterIP` of each Service that has one of its own: an address leads to one Service, the first by name, and never away from
 * the virtual address of another.
 * @param services in order
 */
function ownAddresses(
  services: readonly Service[],
  virtual: ReadonlySet<string>,
): ReadonlyMap<Service, string> {
  const taken = new Set(virtual);
  const own = new Map<Service, string>();
  for (const service of services) {
    const { clusterIP = '' } = service.spec;
    if ((!isIPv4(clusterIP) && !isIPv6(clusterIP)) || taken.has(clusterIP)) continue;
    taken.add(clusterIP);
    own.set(service, clusterIP);
  }
  return own;
}

function keyOf({
  metadata,
}: {
  readonly metadata: { readonly name: string; readonly namespace: string };
}): string {
  return `${metadata.namespace}/${metadata.name}`;
}
