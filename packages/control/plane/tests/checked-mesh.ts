import assert from 'node:assert/strict';
import { refOf, resourceKey, type Resource, type SourceSink } from '@tulle/resources';
import { createResourceEncoder, type ResourceKind, type Snapshot } from '@tulle/xds-server';
import { ProxyCompiler } from '../src/compile/proxy.ts';
import { SharedResources } from '../src/compile/shared.ts';
import { createControlPlane, memoryState, type ControlPlane, type SidecarMetadata } from '../src/index.ts';
import { readProxyNode } from '../src/node.ts';
import { nothingTouched } from '../src/touched.ts';
import { World } from '../src/world.ts';
import { manualClock } from './manual-clock.ts';
import { nodeOf } from './nodes.ts';
import { simulatedProxy, type SimulatedProxy } from './simulated-proxy.ts';

const KINDS = { listener: 'listeners', route: 'routes', cluster: 'clusters', endpoint: 'endpoints' } as const;
const mesh = {
  trustDomain: 'mesh.local',
  suffix: 'svc.mesh.local',
  sessionSecret: '0'.repeat(32),
  protocol: 'auto',
  rootNamespace: 'tulle-system',
  defaultAction: 'allow',
} as const;

/** Some may claim labels, some not. */
const mayClaim = (serviceAccount: string): boolean => serviceAccount.length % 2 === 0;

/** What may happen to a mesh. */
export type Step =
  | { readonly do: 'apply'; readonly put: readonly Resource[] }
  | { readonly do: 'remove'; readonly of: number }
  | { readonly do: 'file'; readonly owner: string; readonly resources: readonly Resource[] }
  | { readonly do: 'join'; readonly proxy: { metadata: SidecarMetadata; instance: string } }
  | { readonly do: 'leave'; readonly of: number; readonly how: 'clean' | 'lost' }
  | { readonly do: 'deliver'; readonly of: number }
  | { readonly do: 'flush' }
  | { readonly do: 'source-fails' }
  | { readonly do: 'all-lost' }
  | { readonly do: 'restart' };

/** A connected proxy with all that was ever published to it. */
interface Connected {
  readonly proxy: SimulatedProxy;
  /** Versions by kind and name of each published snapshot, by change id; in order. */
  readonly published: Map<string, Record<ResourceKind, Map<string, string>>>;
}

/** A control plane, its proxies and one source, driven step by step; every step is checked. */
export class CheckedMesh {
  readonly clock: ReturnType<typeof manualClock> = manualClock();
  readonly #state = memoryState();
  plane: ControlPlane;
  readonly #encoder = createResourceEncoder();
  readonly #connected = new Map<string, Connected>();
  /** Service accounts of Gateway processes that joined, now or before. */
  readonly #gateways = new Set<string>();
  #sink: SourceSink | undefined;

  constructor() {
    this.plane = this.#make();
  }

  #make(): ControlPlane {
    return createControlPlane({ trustDomain: 'mesh.local', clock: this.clock, state: this.#state, mayClaim });
  }

  async start(): Promise<void> {
    await this.plane.attach({
      id: 'file',
      start: async (sink) => void (this.#sink = sink),
      close: async () => {},
    });
  }

  async take(step: Step): Promise<void> {
    switch (step.do) {
      case 'apply':
        this.plane.apply(step.put, []);
        break;
      case 'remove': {
        const held = this.plane.resources().filter(({ owner }) => owner === 'rest');
        const one = held[step.of % Math.max(1, held.length)];
        if (one !== undefined) this.plane.apply([], [resourceKey(refOf(one.resource))]);
        break;
      }
      case 'file':
        this.#sink?.apply({
          cause: 'files',
          updates: [
            {
              owner: step.owner,
              resources: step.resources.map((resource) => ({ resource, file: 'f', locate: () => undefined })),
            },
          ],
        });
        break;
      case 'join':
        this.#join(step.proxy);
        break;
      case 'leave':
        this.#at(step.of)?.proxy.disconnect(step.how);
        for (const [id, { proxy }] of this.#connected) if (!proxy.connected) this.#connected.delete(id);
        break;
      case 'deliver':
        this.#deliver(this.#at(step.of));
        break;
      case 'flush':
        this.#flush();
        break;
      case 'source-fails': {
        const before = this.#endpointCounts();
        this.#sink?.faults([]);
        this.clock.advance(1000);
        assert.deepEqual(this.#endpointCounts(), before);
        break;
      }
      case 'all-lost': {
        const before = this.#endpointCounts();
        for (const { proxy } of this.#connected.values()) proxy.disconnect('lost');
        this.#connected.clear();
        this.clock.advance(600_000); // many times the grace: the network failed, not all of them
        for (const [name, count] of Object.entries(this.#endpointCounts()))
          assert.ok(count > 0 || before[name] === 0, `${name} has endpoints still`);
        break;
      }
      case 'restart': {
        const before = this.#endpointCounts();
        await this.plane.close();
        this.clock.advance(1000);
        this.plane = this.#make();
        await this.start();
        assert.deepEqual(this.#endpointCounts(), before);
        for (const { proxy } of this.#connected.values()) {
          proxy.disconnect('lost'); // of the old one, which hears nothing any more
          proxy.connect();
          this.#note();
        }
        break;
      }
    }
    this.#note();
  }

  /** All proxies take everything that is left for them. */
  settle(): void {
    this.#flush();
    this.#note();
    for (const one of this.#connected.values()) while (this.#deliver(one));
    const current = new Map(this.plane.status().proxies.map(({ id, changeId }) => [id, changeId]));
    for (const [at, { proxy, published }] of this.#connected) {
      // Not the newest that was ever published: a control plane that restarted may begin with what its former self began with.
      const id = current.get(at) ?? '';
      assert.deepEqual(proxy.has, published.get(id), `${at} ends on ${id}`);
    }
    for (const status of this.plane.status().proxies.filter(({ connected }) => connected))
      for (const kind of Object.keys(KINDS) as ResourceKind[])
        assert.deepEqual(
          [status.kinds[kind].state, status.kinds[kind].versions],
          ['SYNCED', Object.fromEntries(this.#connected.get(status.id)?.proxy.has[kind] ?? [])],
          `${status.id} ${kind}: ${JSON.stringify(status.kinds[kind])}`,
        );
  }

  #at(index: number): Connected | undefined {
    return [...this.#connected.values()][index % Math.max(1, this.#connected.size)];
  }

  #join({ metadata, instance }: { metadata: SidecarMetadata; instance: string }): void {
    const node = nodeOf(metadata, instance);
    const before = this.#connected.get(node.id);
    const proxy = simulatedProxy(() => this.plane, node);
    try {
      proxy.connect();
    } catch (error) {
      if (String(error).includes('belongs to')) return; // a Workload of that name was made by hand
      throw error;
    }
    before?.proxy.disconnect('lost'); // its newer stream has taken over
    this.#connected.set(node.id, { proxy, published: new Map() });
    if (metadata.gateway !== undefined)
      this.#gateways.add(`${metadata.namespace ?? 'default'}/${metadata.workload}`);
  }

  /** Gathered changes go out; what proxies should have is then what a control plane that just started would say. */
  #flush(): void {
    const before = new Map([...this.#connected].map(([id]) => [id, this.plane.proxyConfig(id)]));
    this.plane.flush();
    const world = this.#freshWorld();
    for (const [id, { proxy }] of this.#connected) {
      const { version: _, ...config } = this.plane.proxyConfig(id) as Snapshot['config'];
      const node = readProxyNode(proxy.node, mesh.trustDomain);
      const fresh = new ProxyCompiler(new SharedResources(world, mesh), node).compile().config;
      assert.deepEqual(config, fresh);
      for (const list of Object.values(KINDS))
        assert.equal(JSON.stringify(config[list]), JSON.stringify(fresh[list]), `${id}: the same bytes`);
      const old = before.get(id);
      if (old === undefined) continue;
      const { version: __, ...oldConfig } = old;
      if (JSON.stringify(config) === JSON.stringify(oldConfig))
        assert.ok(this.plane.proxyConfig(id) === old, `${id} is not touched`);
      else
        for (const list of Object.values(KINDS))
          for (const resource of config[list])
            for (const other of oldConfig[list])
              if (JSON.stringify(resource) === JSON.stringify(other))
                assert.ok(resource === other, `${id} ${resource.name} is not touched`);
    }
  }

  /** Writes down what is published now. */
  #note(): void {
    for (const status of this.plane.status().proxies.filter(({ connected: is }) => is)) {
      const connected = this.#connected.get(status.id);
      const config = this.plane.proxyConfig(status.id);
      if (connected === undefined || config === undefined || connected.published.has(status.changeId))
        continue;
      const versions = (kind: ResourceKind): Map<string, string> =>
        new Map(config[KINDS[kind]].map((r) => [r.name, this.#encoder.encode(kind, r as never).version]));
      connected.published.set(status.changeId, {
        listener: versions('listener'),
        route: versions('route'),
        cluster: versions('cluster'),
        endpoint: versions('endpoint'),
      });
    }
  }

  /** @returns whether there was a message */
  #deliver(one: Connected | undefined): boolean {
    if (one === undefined) return false;
    const { proxy, published } = one;
    const before = proxy.accepted.length;
    const receivedBefore = proxy.received.length;
    const had = structuredClone(proxy.has);
    const moved = proxy.deliver();
    const order = [...published.keys()];
    const places = proxy.accepted.map((id) => order.indexOf(id));
    assert.ok(!places.includes(-1), 'what is accepted was published');
    const sorted = places.toSorted((a, b) => a - b);
    assert.deepEqual(places, sorted, 'accepted versions are a subsequence of the published ones');
    if (proxy.accepted.length > before)
      assert.deepEqual(
        proxy.has,
        published.get(proxy.accepted.at(-1) as string),
        'what is in use was published',
      );
    for (const text of proxy.received.slice(receivedBefore)) {
      const [, kind, sign, name] = /^(\S+) ([+-])(.*)$/.exec(text) as unknown as [
        0,
        ResourceKind,
        string,
        string,
      ];
      assert.ok(sign === '+' || had[kind].has(name), `${text} was there`);
    }
    return moved;
  }

  /** Endpoints of each Service port, as somebody would see them who calls them all. */
  #endpointCounts(): Record<string, number> {
    const upstreams = ['a', 'b', 'c'].flatMap((name) =>
      ['default', 'shop', 'tulle-system'].flatMap((ns) =>
        [80, 81].map((servicePort) => ({ service: `${name}.${ns}`, servicePort })),
      ),
    );
    const observer = nodeOf({
      workload: 'observer',
      upstreams: upstreams.map((upstream, i) => ({ ...upstream, localPort: 20_000 + i })),
    });
    const { config } = new ProxyCompiler(
      new SharedResources(this.#freshWorld(), mesh),
      readProxyNode(observer, mesh.trustDomain),
    ).compile();
    return Object.fromEntries(config.endpoints.map(({ name, endpoints }) => [name, endpoints.length]));
  }

  /** In another order: what proxies get must not depend on which resource came first. */
  #freshWorld(): World {
    const world = new World(mesh.rootNamespace, mayClaim);
    for (const { resource, owner } of this.plane.resources().toReversed())
      world.put(resource, owner, nothingTouched());
    world.forwarders.restore([...this.#gateways]);
    for (const { proxy } of this.#connected.values())
      world.forwarders.joined(readProxyNode(proxy.node, mesh.trustDomain));
    return world;
  }
}
