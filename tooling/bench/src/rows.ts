import type { RoundResult } from './load/round.ts';
import type { Scenario } from './scenarios.ts';
import { median, spread } from './stats.ts';
import type { Subject } from './subjects/index.ts';

/** One line of the result; medians over the rounds. */
export interface Row {
  readonly scenario: string;
  readonly subject: string;
  readonly variant: string;
  /** What is different about it in this scenario. */
  readonly note?: string;
  /** What the scenario counts: a request, or what it names instead (`unit`). */
  readonly cpuUsPerRequest: number;
  readonly cpuUsSpread: readonly [number, number];
  /** The figure of each round, so that rounds can be compared one by one. */
  readonly cpuUsOfRounds: readonly number[];
  /** The median split by the share of ticks that all rounds spent in user mode. */
  readonly cpuUserUs: number;
  readonly cpuSystemUs: number;
  readonly requestsPerSecond: number;
  /** null where the load generator does not tell. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly p99MsOfRounds: readonly (number | null)[];
  readonly rssMb: number;
  readonly rounds: number;
}

/** What the processes of a subject used in a round. */
export interface Used {
  readonly cpuUs: number;
  readonly userTicks: number;
  readonly allTicks: number;
  readonly rssMb: number;
}

/** Rounds of one subject. */
export class Measured {
  readonly #cpu: number[] = [];
  readonly #rate: number[] = [];
  readonly #p50: number[] = [];
  readonly #p99: number[] = [];
  readonly #rss: number[] = [];
  #userTicks = 0;
  #allTicks = 0;

  add(result: RoundResult, used: Used): void {
    this.#cpu.push(used.cpuUs / result.requests);
    this.#userTicks += used.userTicks;
    this.#allTicks += used.allTicks;
    this.#rate.push(result.requests / result.seconds);
    this.#p50.push(result.p50Ms);
    this.#p99.push(result.p99Ms);
    this.#rss.push(used.rssMb);
  }

  row(scenario: Scenario, subject: Subject, rounds: number): Row {
    const cpu = median(this.#cpu);
    const userShare = this.#allTicks === 0 ? 0 : this.#userTicks / this.#allTicks;
    const [least, greatest] = spread(this.#cpu);
    const note = subject.note?.(scenario);
    return {
      scenario: scenario.name,
      subject: subject.name,
      variant: subject.variant,
      ...(note === undefined ? {} : { note }),
      cpuUsPerRequest: rounded(cpu),
      cpuUsSpread: [rounded(least), rounded(greatest)],
      cpuUsOfRounds: this.#cpu.map(rounded),
      cpuUserUs: rounded(cpu * userShare),
      cpuSystemUs: rounded(cpu * (1 - userShare)),
      requestsPerSecond: Math.round(median(this.#rate)),
      p50Ms: told(median(this.#p50)),
      p99Ms: told(median(this.#p99)),
      p99MsOfRounds: this.#p99.map(told),
      rssMb: rounded(median(this.#rss)),
      rounds,
    };
  }
}

const rounded = (value: number): number => Math.round(value * 100) / 100;
const told = (ms: number): number | null => (Number.isNaN(ms) ? null : rounded(ms));
