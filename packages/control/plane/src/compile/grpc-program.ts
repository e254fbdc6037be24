import type { Listener } from '@tulle/model';
import { findServicePort } from '@tulle/resources';
import type { ProxyNode } from '../node.ts';
import { readGrpcTarget, readServerListener } from './grpc-names.ts';
import type { SharedResources } from './shared.ts';
import { compileUpstream, type Part } from './upstream.ts';

/** What is needed for one target. */
export interface GrpcPart extends Omit<Part, 'listener'> {
  /** Absent where there is no such Service or port (yet): the program is told that there is none. */
  readonly listener?: Listener;
}

/** What a program with gRPC's own xDS asks for by name: Services that it calls, and listeners of its server. */
export class GrpcProgramCompiler {
  readonly #shared: SharedResources;
  readonly #node: ProxyNode;
  #parts = new Map<string, GrpcPart>();
  #asked: readonly string[];

  /** @param before of the same program, until it said something new of itself */
  constructor(shared: SharedResources, node: ProxyNode, before: GrpcProgramCompiler | undefined) {
    this.#shared = shared;
    this.#node = node;
    this.#asked = before === undefined ? [] : before.#asked;
  }

  /** It asks for these listeners, and for no others any more. */
  ask(names: Iterable<string>): void {
    this.#asked = [...names];
  }

  /** One part a target, made again only where something that it depends on was touched. */
  targets(): GrpcPart[] {
    const { world } = this.#shared;
    const parts = new Map<string, GrpcPart>();
    for (const name of this.#asked) {
      const known = this.#parts.get(name);
      const part =
        known !== undefined && known.stamp === world.stamp(known.services) ? known : this.#target(name);
      if (part !== undefined) parts.set(name, part);
    }
    this.#parts = parts;
    return [...parts.values()];
  }

  /** The listener of each port under the name, and with the address, by which the program asks for it. */
  servers(inbound: readonly Listener[]): Listener[] {
    return this.#asked.flatMap((name) => {
      const address = readServerListener(name);
      const own = inbound.find((one) => 'port' in one.address && one.address.port === address?.port);
      return address === undefined || own === undefined ? [] : [{ ...own, name, address }];
    });
  }

  #target(name: string): GrpcPart | undefined {
    const target = readGrpcTarget(name, this.#node, this.#shared.mesh);
    if (target === undefined) return undefined;
    // A channel listens nowhere.
    const { listener, ...part } = compileUpstream(this.#shared, this.#node, {
      ...target,
      address: '127.0.0.1',
      localPort: 0,
    });
    const [service = '', namespace = ''] = target.service.split('.');
    const found = this.#shared.world.get('Service', namespace, service);
    return found !== undefined && findServicePort(found, { port: target.servicePort }) !== undefined
      ? { ...part, listener: { ...listener, name } }
      : part;
  }
}
