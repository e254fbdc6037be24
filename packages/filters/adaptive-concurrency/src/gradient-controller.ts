import type { AdaptiveConcurrencyFilterConfig } from '@tulle/model';
import { LatencyHistogram } from './latency-histogram.ts';

/** A step halves or doubles the limit at most. */
const MIN_GRADIENT = 0.5;
const MAX_GRADIENT = 2;

/** After so many steps at the lowest limit the shortest time is measured anew: it may not be what it was. */
const STEPS_AT_LOWEST = 5;

/** A measurement takes this part of the time between two at most. */
const MEASUREMENT_SHARE = 0.5;

/** What the controller tells of itself when it changed something. */
export interface ControllerReport {
  readonly limit: number;
  readonly minRttMs: number;
  readonly sampleRttMs: number;
  readonly gradient: number;
  /** The shortest time is being measured. */
  readonly measuring: boolean;
}

/**
 * Finds out how many requests a service serves at a time without any waiting for another (Envoy's gradient controller):
 * now and then a few requests alone tell how long one takes; then the limit is multiplied by that time over the one that
 * requests take now, plus its square root as room to grow. It looks at the clock when requests come and go, and has no timers.
 */
export class GradientController {
  readonly #percentile: number;
  readonly #maxConcurrency: number;
  readonly #updateIntervalMs: number;
  readonly #minRttIntervalMs: number;
  readonly #jitter: number;
  readonly #minRttRequests: number;
  readonly #minConcurrency: number;
  readonly #buffer: number;
  readonly #random: () => number;
  readonly #report: (report: ControllerReport) => void;
  readonly #samples: LatencyHistogram = new LatencyHistogram();
  #active = 0;
  #limit: number;
  /** The limit to go on with after the measurement. */
  #deferredLimit: number;
  #measuring = true;
  /** Requests that began before are not part of the measurement. */
  #measuringSinceMs: number;
  #minRttMs = 0;
  #sampleRttMs = 0;
  #gradient = 1;
  #nextUpdateMs: number;
  #nextMinRttMs = Infinity;
  #stepsAtLowest = 0;

  constructor(
    config: AdaptiveConcurrencyFilterConfig,
    nowMs: number,
    random: () => number,
    report: (report: ControllerReport) => void,
  ) {
    const { minRtt = {} } = config;
    this.#percentile = config.samplePercentile ?? 50;
    this.#maxConcurrency = config.maxConcurrency ?? 1_000;
    this.#updateIntervalMs = config.updateIntervalMs ?? 100;
    this.#minRttIntervalMs = minRtt.intervalMs ?? 60_000;
    this.#jitter = (minRtt.jitterPercent ?? 15) / 100;
    this.#minRttRequests = minRtt.requests ?? 50;
    this.#minConcurrency = Math.min(minRtt.minConcurrency ?? 3, this.#maxConcurrency);
    this.#buffer = 1 + (minRtt.bufferPercent ?? 25) / 100;
    this.#random = random;
    this.#report = report;
    this.#limit = this.#deferredLimit = this.#minConcurrency;
    this.#measuringSinceMs = nowMs;
    this.#nextUpdateMs = nowMs + this.#updateIntervalMs;
    this.#tell();
  }

  /** A request comes. @returns whether it may go on; then {@link leave} must be called once */
  enter(nowMs: number): boolean {
    if (nowMs >= this.#nextUpdateMs) this.#update(nowMs);
    if (this.#active >= this.#limit) return false;
    this.#active++;
    return true;
  }

  /** A request got its answer. @param beganMs when it came */
  sample(beganMs: number, nowMs: number): void {
    if (this.#measuring && beganMs < this.#measuringSinceMs) return;
    this.#samples.record(nowMs - beganMs);
    if (this.#measuring && this.#samples.count >= this.#minRttRequests) this.#endMeasurement(nowMs);
  }

  /** A request is over. */
  leave(): void {
    this.#active--;
  }

  get limit(): number {
    return this.#limit;
  }

  #update(nowMs: number): void {
    this.#nextUpdateMs = nowMs + this.#updateIntervalMs;
    if (this.#measuring) {
      // Streams that never end may hold every place: what is known must do then.
      const late = nowMs - this.#measuringSinceMs > this.#minRttIntervalMs * MEASUREMENT_SHARE;
      if (late && (this.#samples.count > 0 || this.#minRttMs > 0)) this.#endMeasurement(nowMs);
      return;
    }
    if (nowMs >= this.#nextMinRttMs) return this.#beginMeasurement(nowMs);
    if (this.#samples.count === 0) return;
    this.#sampleRttMs = this.#take();
    const ratio =
      this.#sampleRttMs === 0 ? MAX_GRADIENT : (this.#minRttMs * this.#buffer) / this.#sampleRttMs;
    this.#gradient = Math.min(Math.max(ratio, MIN_GRADIENT), MAX_GRADIENT);
    const limit = this.#limit * this.#gradient;
    // Room for a burst, and so the way up again.
    const next = Math.round(limit + Math.sqrt(limit));
    this.#limit = Math.min(Math.max(next, this.#minConcurrency), this.#maxConcurrency);
    this.#stepsAtLowest = this.#limit === this.#minConcurrency ? this.#stepsAtLowest + 1 : 0;
    if (this.#stepsAtLowest >= STEPS_AT_LOWEST) this.#beginMeasurement(nowMs);
    else this.#tell();
  }

  #beginMeasurement(nowMs: number): void {
    this.#measuring = true;
    this.#measuringSinceMs = nowMs;
    this.#stepsAtLowest = 0;
    this.#deferredLimit = this.#limit;
    this.#limit = this.#minConcurrency;
    this.#samples.reset();
    this.#tell();
  }

  #endMeasurement(nowMs: number): void {
    this.#measuring = false;
    if (this.#samples.count > 0) this.#minRttMs = this.#take();
    this.#limit = this.#deferredLimit;
    this.#nextMinRttMs = nowMs + this.#minRttIntervalMs * (1 + this.#jitter * this.#random());
    this.#nextUpdateMs = nowMs + this.#updateIntervalMs;
    this.#tell();
  }

  #take(): number {
    const rttMs = this.#samples.percentile(this.#percentile);
    this.#samples.reset();
    return rttMs;
  }

  #tell(): void {
    this.#report({
      limit: this.#limit,
      minRttMs: this.#minRttMs,
      sampleRttMs: this.#sampleRttMs,
      gradient: this.#gradient,
      measuring: this.#measuring,
    });
  }
}
