import type { HealthCheck } from '@tulle/model';
import type { LineFile } from '@tulle/telemetry';
import type { CheckedCluster, CheckedEndpoint } from './check-owner.ts';
import { observeHealthy } from './health-check-metrics.ts';
import { HealthChecks } from './health-checks.ts';

/** An endpoint as one of several checks sees it: what that one found of it, and nothing of the others. */
class PartOfEndpoint implements CheckedEndpoint {
  readonly whole: CheckedEndpoint;
  check: CheckedEndpoint['check'] = 'pending';
  checkedDegraded = false;

  constructor(whole: CheckedEndpoint) {
    this.whole = whole;
  }

  get endpoint(): CheckedEndpoint['endpoint'] {
    return this.whole.endpoint;
  }

  get address(): string {
    return this.whole.address;
  }

  get ejected(): boolean {
    return this.whole.ejected;
  }
}

/**
 * Health checks of a cluster that has several: an endpoint is well where all of them find it well, ill where one finds it ill, and as
 * it was before until each has found something (Envoy `Cluster.health_checks`).
 */
export class SeveralChecks {
  readonly #cluster: CheckedCluster;
  readonly #checks: readonly HealthChecks[];
  readonly #stop: () => void;
  /** What each check found of an endpoint, in their order. */
  readonly #parts: Map<CheckedEndpoint, readonly PartOfEndpoint[]> = new Map<
    CheckedEndpoint,
    readonly PartOfEndpoint[]
  >();

  /** @param files of each check, see {@link HealthCheck.eventLogs} */
  constructor(
    cluster: CheckedCluster,
    checks: readonly HealthCheck[],
    files: readonly (readonly LineFile[])[],
  ) {
    this.#cluster = cluster;
    this.#checks = checks.map((check, index) => {
      const parts = (): readonly PartOfEndpoint[] =>
        [...this.#parts.values()].flatMap((all) => all[index] ?? []);
      const own: CheckedCluster['own'] = {
        get endpoints() {
          return parts();
        },
        checked: (part, passed, nowMs, degraded = false) =>
          this.#found(part as PartOfEndpoint, passed, nowMs, degraded),
        // Not before every one of them has looked at every endpoint.
        warmed: () => this.warm(),
      };
      return new HealthChecks(cluster, check, files[index], own);
    });
    this.#stop = observeHealthy(cluster);
  }

  /** The set changed, see {@link HealthChecks.follow}. */
  follow(endpoints: readonly CheckedEndpoint[]): void {
    const present = new Set(endpoints);
    for (const state of this.#parts.keys()) if (!present.has(state)) this.#parts.delete(state);
    for (const state of endpoints)
      if (!this.#parts.has(state))
        this.#parts.set(
          state,
          this.#checks.map(() => new PartOfEndpoint(state)),
        );
    for (const [index, checks] of this.#checks.entries())
      checks.follow(endpoints.flatMap((state) => this.#parts.get(state)?.[index] ?? []));
    this.warm();
  }

  saysUnwell(state: CheckedEndpoint): void {
    for (const [index, checks] of this.#checks.entries()) {
      const part = this.#parts.get(state)?.[index];
      if (part !== undefined) checks.saysUnwell(part);
    }
  }

  warm(): void {
    const { own, engine } = this.#cluster;
    // What an endpoint inherited from the cluster before it holds for each check.
    for (const [whole, parts] of this.#parts)
      if (whole.check === 'passed')
        for (const part of parts)
          if (part.check === 'pending') {
            part.check = 'passed';
            part.checkedDegraded = whole.checkedDegraded;
          }
    if (own.endpoints.length > 0 && own.endpoints.every(({ check }) => check !== 'pending'))
      own.warmed(engine.clock.nowMs());
  }

  close(): void {
    for (const checks of this.#checks) checks.close();
    this.#stop();
  }

  #found(part: PartOfEndpoint, passed: boolean, nowMs: number, degraded: boolean): void {
    part.check = passed ? 'passed' : 'failed';
    part.checkedDegraded = passed && degraded;
    const all = this.#parts.get(part.whole) ?? [];
    if (all.some(({ check }) => check === 'failed')) this.#cluster.own.checked(part.whole, false, nowMs);
    else if (all.every(({ check }) => check === 'passed'))
      this.#cluster.own.checked(
        part.whole,
        true,
        nowMs,
        all.some(({ checkedDegraded }) => checkedDegraded),
      );
  }
}
