import type { ConfigIssue } from '@tulle/filter';
import { isTulleError } from '@tulle/filter';
import type { ProxyConfig } from '@tulle/model';
import type { Proxy } from '@tulle/proxy';
import type { Clock } from '@tulle/time';
import { createResourceDecoder } from '@tulle/xds-client';
import {
  encodeResource,
  type NodeInfo,
  type ResourceKind,
  type Snapshot,
  type SnapshotHandle,
  type SnapshotProvider,
} from '@tulle/xds-server';

const LISTS = { listener: 'listeners', route: 'routes', cluster: 'clusters', endpoint: 'endpoints' } as const;
const KINDS = Object.keys(LISTS) as readonly ResourceKind[];

/** A resource after its way over the wire, or what a proxy has against it. */
type Received = { readonly resource: object } | { readonly refused: string };

/** Takes resources over the wire: to Envoy's messages and back, as between processes; one that is the same object, once. */
export class Wire {
  readonly #decoder = createResourceDecoder();
  readonly #received = new WeakMap<object, Received>();

  receive(kind: ResourceKind, resource: object & { readonly name: string }): Received {
    const known = this.#received.get(resource);
    if (known !== undefined) return known;
    const decoded = this.#decoder.decode(kind, encodeResource(kind, resource as never));
    const received = decoded.ok
      ? { resource: decoded.resource }
      : { refused: `${kind} ${resource.name}: ${describe(decoded.issues)}` };
    this.#received.set(resource, received);
    return received;
  }
}

const describe = (issues: readonly ConfigIssue[]): string =>
  issues.map(({ path, message }) => (path === '' ? message : `${path} ${message}`)).join('; ');

/** Keeps a proxy at what the control plane wants of it, and tells the control plane how that went. */
export class Follower {
  refusals: readonly string[] = [];
  readonly #proxy: Proxy;
  readonly #clock: Clock;
  readonly #wire: Wire;
  readonly #handle: SnapshotHandle;
  readonly #unsubscribe: () => void;
  readonly #names: Record<ResourceKind, ReadonlySet<string>> = {
    listener: new Set(),
    route: new Set(),
    cluster: new Set(),
    endpoint: new Set(),
  };
  #next: Snapshot | undefined;
  #running: Promise<void> | undefined;

  constructor(proxy: Proxy, clock: Clock, wire: Wire, provider: SnapshotProvider, node: NodeInfo) {
    this.#proxy = proxy;
    this.#clock = clock;
    this.#wire = wire;
    this.#handle = provider.open(node);
    this.#unsubscribe = this.#handle.subscribe((snapshot) => this.#take(snapshot));
    this.#take(this.#handle.current());
  }

  /** Something new of the proxy. */
  describe(node: NodeInfo): void {
    this.#handle.described?.(node);
    this.#take(this.#handle.current());
  }

  /** Resolves when it has, or has refused, all that it was given. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  /** Whether something is under way. */
  get busy(): boolean {
    return this.#running !== undefined;
  }

  close(how: 'clean' | 'lost'): void {
    this.#unsubscribe();
    this.#next = undefined;
    this.#handle.closed(how);
  }

  #take(snapshot: Snapshot): void {
    this.#next = snapshot;
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    try {
      for (let next = this.#next; next !== undefined; next = this.#next) {
        this.#next = undefined;
        await this.#apply(next);
      }
    } finally {
      this.#running = undefined;
    }
  }

  async #apply({ changeId, config }: Snapshot): Promise<void> {
    const refusals: string[] = [];
    const received: Record<string, unknown> = { version: config.version };
    for (const kind of KINDS)
      received[LISTS[kind]] = config[LISTS[kind]].flatMap((one) => {
        const result = this.#wire.receive(kind, one);
        if ('resource' in result) return [result.resource];
        refusals.push(result.refused);
        return [];
      });
    if (refusals.length === 0)
      try {
        await this.#proxy.update(received as unknown as ProxyConfig);
      } catch (error) {
        refusals.push(
          isTulleError(error) && error.issues.length > 0 ? describe(error.issues) : (error as Error).message,
        );
      }
    this.refusals = refusals;
    this.#report(changeId, config);
  }

  /** As the ADS server tells it of a real stream. */
  #report(changeId: string, config: ProxyConfig): void {
    const ok = this.refusals.length === 0;
    const nowMs = this.#clock.epochMs();
    for (const kind of KINDS) {
      const names = new Set<string>(config[LISTS[kind]].map(({ name }) => name));
      const resources = [...names].map((name) => ({ name, version: changeId }));
      const removed = [...this.#names[kind]].filter((name) => !names.has(name));
      this.#handle.sent?.({ kind, changeId, resources, removed });
      this.#handle.acked({
        kind,
        changeId,
        nonce: changeId,
        resources,
        removed,
        ok,
        ...(ok ? {} : { error: this.refusals.join('; ') }),
        sentAtMs: nowMs,
        ackedAtMs: nowMs,
      });
      this.#names[kind] = names;
      this.#handle.upToDate?.(kind, changeId);
    }
  }
}
