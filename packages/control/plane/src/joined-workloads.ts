import { TulleError } from '@tulle/filter';
import { refOf, resourceKey, type Resource, type Workload } from '@tulle/resources';
import type { Clock } from '@tulle/time';
import { workloadOfNode, type ProxyNode } from './node.ts';
import { joinedOwner } from './owners.ts';
import { workloadOfWaypoint } from './waypoint-workload.ts';
import type { Touched } from './touched.ts';
import type { World } from './world.ts';

/** Whose connection was ended for what it stood on is held to be there for so long: clients first try anew within 100 ms (their first backoff), and a host under load takes longer. */
const RETURN_MS = 5_000;

/** What a joined Workload changes, and what it asks before it is forgotten. */
export interface JoinedWorkloadsOptions {
  readonly world: World;
  readonly clock: Clock;
  readonly graceMs: number;
  readonly maxHoldMs: number;
  /** Collects what a change touched. */
  readonly touched: () => Touched;
  /** Called after every change. */
  readonly changed: (cause: string, keys: readonly string[], urgent: boolean) => void;
  readonly anyConnected: () => boolean;
  /** Whether some Service has no other endpoint. */
  readonly isLast: (workload: Workload) => boolean;
}

/**
 * The Workloads that sidecars make by joining. One belongs to the identity that made it (decision D14): nobody else
 * changes or removes it, also not after a restart, since the owner can be read from the resource itself.
 */
export class JoinedWorkloads {
  readonly #options: JoinedWorkloadsOptions;
  readonly #lost = new Map<string, { cancel: () => void; sinceMs: number }>();
  /** Of those who are to come back: what ends the wait. */
  readonly #awaited = new Map<string, () => void>();
  #returnUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: JoinedWorkloadsOptions) {
    this.#options = options;
  }

  /** Keys of those whose sidecar vanished without a word. */
  get lost(): string[] {
    return [...this.#lost.keys()];
  }

  /** Takes what a former process saved. Its sidecars have the grace time to come back. */
  restore(workloads: readonly Resource[]): void {
    const { world, clock, touched } = this.#options;
    for (const workload of workloads) {
      if (workload.kind !== 'Workload') continue;
      world.put(workload, ownerOf(workload), touched());
      this.#lose(resourceKey(refOf(workload)), clock.epochMs());
    }
  }

  /**
   * The proxy is there. One that takes no calls (yet) has no Workload.
   * @throws TulleError `TULLE_PEER_REFUSED` when its Workload belongs to another identity or to a file or REST
   */
  settle(node: ProxyNode): void {
    const workload = this.#workloadOf(node, 'healthy');
    if (workload === undefined) return this.left(node);
    const key = this.#put(node, workload, 'joined', false);
    this.#endWait(key);
    this.#lost.get(key)?.cancel();
    this.#lost.delete(key);
    this.#review(ownerOf(workload));
  }

  /** The proxy took leave, or takes no calls any more. */
  left(node: ProxyNode): void {
    const key = keyOf(node);
    this.#endWait(key);
    const held = this.#options.world.held(key);
    if (held?.owner === ownerOfNode(node)) this.#remove(key);
    this.#review(ownerOfNode(node));
  }

  /** From now on connections end that are made anew: who vanishes has {@link RETURN_MS} to be back before it is held to be lost. */
  expectReturn(): void {
    this.#returnUntilMs = this.#options.clock.epochMs() + RETURN_MS;
  }

  /** The proxy vanished without a word: unhealthy at once, or when it is not back in time, and removed after the grace time. */
  vanished(node: ProxyNode): void {
    const { clock } = this.#options;
    if (clock.epochMs() >= this.#returnUntilMs) return this.#nowLost(node);
    const key = keyOf(node);
    this.#endWait(key);
    const cancel = clock.setTimer(RETURN_MS, () => {
      this.#awaited.delete(key);
      this.#nowLost(node);
    });
    this.#awaited.set(key, cancel);
  }

  #endWait(key: string): void {
    this.#awaited.get(key)?.();
    this.#awaited.delete(key);
  }

  #nowLost(node: ProxyNode): void {
    const workload = this.#workloadOf(node, 'unhealthy');
    if (workload === undefined || this.#options.world.held(keyOf(node))?.owner !== ownerOf(workload)) return;
    const key = this.#put(node, workload, 'is lost', true);
    this.#lose(key, this.#options.clock.epochMs());
    this.#review(ownerOf(workload));
  }

  close(): void {
    for (const { cancel } of this.#lost.values()) cancel();
    for (const cancel of this.#awaited.values()) cancel();
  }

  #workloadOf(node: ProxyNode, health: 'healthy' | 'unhealthy'): Workload | undefined {
    return node.gateway === undefined
      ? workloadOfNode(node, health)
      : workloadOfWaypoint(this.#options.world, node, health);
  }

  #put(node: ProxyNode, workload: Workload, what: string, urgent: boolean): string {
    const { world, touched, changed } = this.#options;
    const key = resourceKey(refOf(workload));
    const owner = world.held(key)?.owner;
    if (owner !== undefined && owner !== ownerOf(workload))
      throw new TulleError(
        'TULLE_PEER_REFUSED',
        `the Workload ${node.namespace}/${node.instanceName} belongs to ${owner}; remove it there, or join under another instance`,
      );
    if (world.put(workload, ownerOf(workload), touched())) changed(`${key} ${what}`, [key], urgent);
    return key;
  }

  /** What an identity may claim is what its instances were granted together, so one that joins or leaves may change it for all. */
  #review(owner: string): void {
    const { world, touched, changed } = this.#options;
    const keys = world.reviewClaims(owner, touched());
    if (keys.length > 0) changed(`what ${owner} may claim is another`, keys, false);
  }

  #remove(key: string): void {
    const { world, touched, changed } = this.#options;
    this.#lost.get(key)?.cancel();
    this.#lost.delete(key);
    if (world.remove(key, touched())) changed(`${key} left`, [key], true);
  }

  #lose(key: string, sinceMs: number): void {
    const { clock, graceMs, maxHoldMs, anyConnected } = this.#options;
    this.#lost.get(key)?.cancel();
    const cancel = clock.setTimer(graceMs, () => {
      const networkFailed = !anyConnected() && this.#lost.size > 1;
      const held = (networkFailed || this.#isMissed(key)) && clock.epochMs() - sinceMs < maxHoldMs;
      if (held) this.#lose(key, sinceMs);
      else this.#remove(key);
    });
    this.#lost.set(key, { cancel, sinceMs });
  }

  /** Whether some Service would have no endpoint without it. It may still be there, cut off from us alone. */
  #isMissed(key: string): boolean {
    const held = this.#options.world.held(key)?.resource;
    return held?.kind === 'Workload' && this.#options.isLast(held);
  }
}

const keyOf = (node: ProxyNode): string =>
  resourceKey({ kind: 'Workload', namespace: node.namespace, name: node.instanceName });

const ownerOfNode = (node: ProxyNode): string => joinedOwner(`${node.namespace}/${node.serviceAccount}`);

const ownerOf = (workload: Workload): string =>
  joinedOwner(`${workload.metadata.namespace}/${workload.spec.serviceAccount ?? ''}`);
