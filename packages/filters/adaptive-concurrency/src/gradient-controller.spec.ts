import type { AdaptiveConcurrencyFilterConfig } from '@tulle/model';
import { describe, expect, it } from 'vitest';
import { GradientController, type ControllerReport } from './gradient-controller.ts';

/** A service with so many places, each of which takes so long for a request; who finds none waits in line. */
class Service {
  places: number;
  serviceMs: number;
  readonly #busyUntil: number[] = [];

  constructor(places: number, serviceMs: number) {
    this.places = places;
    this.serviceMs = serviceMs;
  }

  /** @returns when the answer comes */
  take(nowMs: number): number {
    if (this.#busyUntil.length < this.places) this.#busyUntil.push(0);
    let first = 0;
    for (let i = 1; i < this.#busyUntil.length; i++)
      if ((this.#busyUntil[i] as number) < (this.#busyUntil[first] as number)) first = i;
    const doneMs = Math.max(this.#busyUntil[first] as number, nowMs) + this.serviceMs;
    this.#busyUntil[first] = doneMs;
    return doneMs;
  }
}

class World {
  readonly reports: ControllerReport[] = [];
  readonly controller: GradientController;
  readonly service: Service;
  nowMs = 0;
  served = 0;
  refused = 0;
  slowestMs = 0;
  #underWay: { readonly beganMs: number; readonly doneMs: number }[] = [];

  constructor(service: Service, config: AdaptiveConcurrencyFilterConfig = {}) {
    this.service = service;
    this.controller = new GradientController(
      config,
      0,
      () => 0.5,
      (report) => this.reports.push(report),
    );
  }

  /** Requests come evenly, whatever becomes of those before. */
  offer(requestsPerSecond: number, forMs: number): void {
    this.served = this.refused = this.slowestMs = 0;
    const end = this.nowMs + forMs;
    while (this.nowMs < end) {
      this.nowMs += 1000 / requestsPerSecond;
      this.#finish();
      if (!this.controller.enter(this.nowMs)) this.refused++;
      else this.#underWay.push({ beganMs: this.nowMs, doneMs: this.service.take(this.nowMs) });
    }
  }

  #finish(): void {
    for (const one of this.#underWay.filter(({ doneMs }) => doneMs <= this.nowMs)) {
      this.controller.sample(one.beganMs, one.doneMs);
      this.controller.leave();
      this.served++;
      this.slowestMs = Math.max(this.slowestMs, one.doneMs - one.beganMs);
    }
    this.#underWay = this.#underWay.filter(({ doneMs }) => doneMs > this.nowMs);
  }

  get report(): ControllerReport {
    return this.reports.at(-1) as ControllerReport;
  }
}

describe('the gradient controller', () => {
  it('measures the shortest time first, with few requests under way', () => {
    const world = new World(new Service(1_000, 20), { minRtt: { requests: 10, minConcurrency: 2 } });
    expect(world.report).toMatchObject({ limit: 2, measuring: true });
    world.offer(1_000, 90);
    expect(world.refused).toBeGreaterThan(50);
    expect(world.report.measuring).toBe(true);
    world.offer(1_000, 30);
    expect(world.report.measuring).toBe(false);
    expect(world.report.minRttMs).toBeCloseTo(20, 0);
  });

  it('serves as much as the service can when twice of that comes, and nobody waits long', () => {
    const world = new World(new Service(10, 10)); // 1,000 a second
    world.offer(2_000, 2_000);
    world.offer(2_000, 10_000);
    expect(world.served).toBeGreaterThan(9_500);
    expect(world.slowestMs).toBeLessThan(40);
    expect(world.refused).toBeGreaterThan(9_000);
  });

  it('refuses nobody when less comes than the service can', () => {
    const world = new World(new Service(10, 10));
    world.offer(500, 2_000);
    world.offer(500, 20_000);
    expect(world.refused).toBe(0);
  });

  it('grows to the most that is allowed, and not past it', () => {
    const world = new World(new Service(1_000_000, 10), { maxConcurrency: 40 });
    world.offer(10_000, 5_000);
    expect(world.report.limit).toBe(40);
    expect(Math.max(...world.reports.map(({ limit }) => limit))).toBe(40);
  });

  it('finds a lower limit when the service becomes slower, a higher one when it is well again', () => {
    const world = new World(new Service(50, 10), { minRtt: { intervalMs: 5_000, requests: 20 } });
    world.offer(4_000, 3_000);
    const well = world.controller.limit;
    world.service.serviceMs = 40;
    world.offer(4_000, 400);
    expect(world.controller.limit).toBeLessThan(well / 2);
    // What is normal is measured anew; then as many as before fit, each taking longer.
    world.offer(4_000, 10_000);
    world.offer(4_000, 10_000);
    expect(world.served).toBeGreaterThan(0.9 * 10 * 1_250);
    world.service.serviceMs = 10;
    world.offer(4_000, 10_000);
    world.offer(4_000, 4_000);
    expect(world.served).toBeGreaterThan(0.9 * 4 * 4_000);
  });

  it('measures again after the interval and its jitter', () => {
    const world = new World(new Service(100, 10), {
      minRtt: { intervalMs: 10_000, jitterPercent: 20, requests: 5 },
    });
    world.offer(1_000, 60_000);
    const begins = world.reports.filter(
      ({ measuring }, index) => measuring && world.reports[index - 1]?.measuring === false,
    );
    expect(begins.length).toBe(5);
  });

  it('ends a measurement that streams without end would hold up', () => {
    const world = new World(new Service(100, 10), { minRtt: { intervalMs: 1_000 } });
    const { controller } = world;
    for (let i = 0; i < 3; i++) {
      expect(controller.enter(1)).toBe(true);
      controller.sample(1, 5);
    }
    expect(controller.enter(400)).toBe(false);
    expect(world.report.measuring).toBe(true);
    controller.enter(700);
    expect(world.report.measuring).toBe(false);
    // The next one has no sample at all, and ends with what was known.
    controller.enter(2_000);
    expect(world.report.measuring).toBe(true);
    controller.enter(2_600);
    expect(world.report).toMatchObject({ measuring: false });
    expect(world.report.minRttMs).toBeCloseTo(4, 0);
  });

  it('leaves out of a measurement what began before it', () => {
    const world = new World(new Service(100, 10), { minRtt: { intervalMs: 1_000, requests: 3 } });
    world.offer(100, 900);
    const { controller } = world;
    expect(controller.enter(950)).toBe(true);
    controller.enter(2_500); // begins the next measurement
    expect(world.report.measuring).toBe(true);
    for (let i = 0; i < 3; i++) controller.sample(950, 2_600);
    expect(world.report.measuring).toBe(true);
    for (let i = 0; i < 3; i++) controller.sample(2_550, 2_600);
    expect(world.report).toMatchObject({ measuring: false });
    expect(world.report.minRttMs).toBeCloseTo(50, 0);
  });
});
