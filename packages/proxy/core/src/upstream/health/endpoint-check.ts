import type { HealthCheck } from '@tulle/model';
import type { WheelTimer } from '@tulle/time';
import type { CheckedEndpoint, CheckOwner } from './check-owner.ts';
import type { Probe, ProbeResult } from './probe.ts';
import type { Waiting } from './probe-gate.ts';

/** Asks one endpoint again and again. */
export class EndpointCheck implements Waiting {
  readonly state: CheckedEndpoint;
  readonly #checks: CheckOwner;
  readonly #probe: Probe;
  readonly #timer: WheelTimer;
  readonly #timeout: WheelTimer;
  #passes = 0;
  #failures = 0;
  #running = false;
  #closed = false;
  /** By the last check that passed, also of an endpoint that is still taken for ill. */
  #saidDegraded = false;

  constructor(checks: CheckOwner, state: CheckedEndpoint) {
    this.#checks = checks;
    this.state = state;
    const { engine } = checks.cluster;
    this.#timer = engine.wheel.timer(isDue, this);
    this.#timeout = engine.wheel.timer(timedOut, this);
    this.#probe = checks.probeOf(state, (result, detail, status = 0) => this.#ended(result, detail, status));
    this.#timer.arm((checks.config.initialJitterMs ?? 0) * engine.random());
  }

  /** The time for a check has come. */
  due(): void {
    this.#checks.cluster.engine.probes.enter(this);
  }

  begin(): void {
    this.#running = true;
    this.#checks.metrics.attempts.add();
    this.#timeout.arm(this.#checks.config.timeoutMs);
    this.#probe.ask();
  }

  timeOut(): void {
    this.#probe.stop();
    this.#ended('timeout', `no answer within ${this.#checks.config.timeoutMs} ms`, 0);
  }

  /** It says so itself. */
  unwell(): void {
    this.#passes = 0;
    if (this.state.check !== 'passed') return;
    this.#checks.found(this.state, false, 'an answer of its own says that it is to be taken for ill');
    this.#checks.events?.failed(this.state, 'passive', 0, true, false);
  }

  /** The endpoint left, or the cluster does. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer.cancel();
    this.#timeout.cancel();
    this.#probe.close();
    const { probes } = this.#checks.cluster.engine;
    probes.forget(this);
    if (this.#running) probes.leave();
    this.#running = false;
  }

  #ended(result: ProbeResult, detail: string, status: number): void {
    if (!this.#running) return;
    this.#running = false;
    this.#timeout.cancel();
    const { cluster, config, metrics } = this.#checks;
    if (result === 'passed' || result === 'degraded') metrics.successes.add();
    else metrics.failures.add();
    if (result === 'network' || result === 'timeout') metrics.networkFailures.add();
    const before = this.state.check;
    this.#judge(result, detail, status);
    const changed = this.state.check !== before;
    if (!this.#closed) this.#timer.arm(this.#intervalMs(config, changed, cluster.engine.random));
    cluster.engine.probes.leave();
  }

  /** The first result decides alone (Envoy); later ones in a row, but for an answer that no healthy endpoint gives. */
  #judge(result: ProbeResult, detail: string, status: number): void {
    const { config, events } = this.#checks;
    const first = this.state.check === 'pending';
    if (result === 'passed' || result === 'degraded') {
      this.#failures = 0;
      this.#passes++;
      const degraded = result === 'degraded';
      const { check, ejected, checkedDegraded } = this.state;
      const passesAgain = check === 'failed' && this.#passes >= config.healthyThreshold;
      const otherwise = check === 'passed' && (ejected || checkedDegraded !== degraded);
      if (first || passesAgain || otherwise) this.#checks.found(this.state, true, detail, degraded);
      events?.passed(
        this.state,
        first || passesAgain,
        first,
        this.#saidDegraded === degraded ? undefined : degraded,
      );
      this.#saidDegraded = degraded;
      return;
    }
    this.#passes = 0;
    this.#failures++;
    const enough = result === 'unexpected' || this.#failures >= config.unhealthyThreshold;
    const turned = this.state.check === 'passed' && enough;
    if (first || turned) this.#checks.found(this.state, false, detail);
    events?.failed(this.state, result, status, turned, first);
  }

  /** @param changed it has just turned out otherwise than before */
  #intervalMs(config: HealthCheck, changed: boolean, random: () => number): number {
    const base = this.#baseMs(config, changed);
    return (
      base +
      (config.intervalJitterMs ?? 0) * random() +
      (base * (config.intervalJitterPercent ?? 0) * random()) / 100
    );
  }

  #baseMs(config: HealthCheck, changed: boolean): number {
    const { intervalMs, noTrafficIntervalMs = 60_000, unhealthyIntervalMs = intervalMs } = config;
    const failed = this.state.check === 'failed';
    if (!this.#checks.cluster.used)
      return failed ? noTrafficIntervalMs : (config.noTrafficHealthyIntervalMs ?? noTrafficIntervalMs);
    if (failed)
      return changed ? (config.unhealthyEdgeIntervalMs ?? unhealthyIntervalMs) : unhealthyIntervalMs;
    return changed ? (config.healthyEdgeIntervalMs ?? intervalMs) : intervalMs;
  }
}

function isDue(check: EndpointCheck): void {
  check.due();
}

function timedOut(check: EndpointCheck): void {
  check.timeOut();
}
