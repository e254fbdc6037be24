import type { Clock } from '@tulle/time';
import type { ChangeLog, ChangeRecord } from './changes.ts';
import type { PlaneMetrics } from './plane-metrics.ts';
import type { ProxyNode } from './node.ts';
import type { ProxySession } from './proxy-session.ts';
import type { ResourceStatuses } from './status/resource-status.ts';
import { isInboundTouched, ownGateway } from './touched-proxies.ts';
import { nothingTouched, type Touched } from './touched.ts';
import type { World } from './world.ts';

/** What {@link Propagation} works with. */
export interface PropagationParts {
  readonly world: World;
  readonly sessions: ReadonlyMap<string, ProxySession>;
  readonly changes: ChangeLog;
  readonly statuses: ResourceStatuses;
  readonly metrics: PlaneMetrics;
  readonly clock: Clock;
  /** Changes are gathered this long; those of endpoints never wait. */
  readonly debounceMs: number;
  /** Makes, or takes away, the Workload of a Gateway's process, by whether its Gateway is a waypoint. */
  readonly settle: (node: ProxyNode) => void;
}

/** From what changed to what proxies get: gathers changes, computes those proxies anew that they may concern. */
export class Propagation {
  readonly #parts: PropagationParts;
  #touched: Touched = nothingTouched();
  /** Changes that no proxy was computed for yet. */
  #waiting: string[] = [];
  #cancelFlush: (() => void) | undefined;
  /** Whoever waits for a change to get somewhere. */
  readonly #watchers: Set<() => void> = new Set<() => void>();
  #closed = false;

  constructor(parts: PropagationParts) {
    this.#parts = parts;
  }

  /** Collects what the next change touches. */
  get touched(): Touched {
    return this.#touched;
  }

  /** Something changed, which {@link touched} has collected. @param urgent it does not wait for others @returns the change's id */
  changed(cause: string, keys: readonly string[], urgent: boolean): string {
    const { changes, clock, metrics, debounceMs } = this.#parts;
    const id = changes.add(cause, clock.epochMs(), keys);
    this.#waiting.push(id);
    metrics.triggered(urgent ? 'endpoint' : 'config');
    if (urgent) this.flush();
    else this.#cancelFlush ??= clock.setTimer(debounceMs, () => this.flush());
    return id;
  }

  /** A change of one proxy's own: it connected, or says something new. */
  changedOf(session: ProxySession, cause: string): void {
    const { changes, clock } = this.#parts;
    const id = changes.add(cause, clock.epochMs(), []);
    this.#compute(session, id, [id]);
  }

  /** Computes at once what waits for it. */
  flush(): void {
    const { world, sessions, statuses } = this.#parts;
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    this.#settleGateways();
    const now = this.#touched;
    const ids = this.#waiting;
    this.#touched = nothingTouched();
    this.#waiting = [];
    const id = ids.at(-1);
    if (id === undefined) return;
    for (const session of sessions.values()) {
      const inbound = isInboundTouched(world, session.node, now);
      if (inbound) session.compiler.forgetInbound(now);
      if (inbound || [...now.services].some((service) => session.services.has(service)))
        this.#compute(session, id, ids);
    }
    statuses.note(now.services);
    this.look();
  }

  /** A Gateway that became a waypoint, or is none any more, is found by its processes' Workloads, or not. */
  #settleGateways(): void {
    const { sessions, settle } = this.#parts;
    for (const session of sessions.values()) {
      const { node } = session;
      if (node.gateway === undefined || !this.#touched.services.has(ownGateway(node))) continue;
      try {
        settle(node);
      } catch (error) {
        // Its Workload is somebody else's, as it is told again where it comes back.
        session.end?.(error instanceof Error ? error.message : String(error));
      }
    }
  }

  #compute(session: ProxySession, id: string, ids: readonly string[]): void {
    const { changes, clock, metrics } = this.#parts;
    const startedMs = clock.nowMs();
    let compiled;
    try {
      compiled = session.compiler.compile();
    } catch (error) {
      metrics.compileFailed();
      throw error;
    }
    metrics.compiled(clock.nowMs() - startedMs);
    if (!session.update(compiled, id, changes.sequence(id))) return;
    for (const one of ids) changes.concerns(one, session.node.id);
    session.announce();
  }

  /** A proxy answered, or went: whoever waits for that looks again. */
  look(): void {
    for (const watch of [...this.#watchers]) watch();
  }

  /** Waits until all connected proxies that a change concerns have answered. As `ControlPlane.settled`. */
  async settled(
    id: string,
    timeoutMs: number,
  ): Promise<(ChangeRecord & { readonly settled: boolean }) | undefined> {
    const { changes, clock } = this.#parts;
    const isSettled = (): boolean => !this.#waiting.includes(id) && changes.answered(id);
    if (!isSettled())
      await new Promise<void>((resolve) => {
        const done = (): void => {
          this.#watchers.delete(watch);
          cancel();
          resolve();
        };
        const watch = (): void => {
          if (this.#closed || isSettled()) done();
        };
        const cancel = clock.setTimer(timeoutMs, done);
        this.#watchers.add(watch);
      });
    const record = changes.get(id);
    return record && { ...record, settled: isSettled() };
  }

  close(): void {
    this.#closed = true;
    this.look();
    this.#cancelFlush?.();
  }
}
