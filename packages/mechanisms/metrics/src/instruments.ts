import type { Counter, Gauge, Histogram } from '@tulle/telemetry';
import type { CellRun } from './cells.ts';

/** What a series is fed through: any of the three, by its family's type. */
export interface Series {
  /** Label text without braces, see `labelText`. */
  readonly labels: string;
  readonly run: CellRun;
  /** How often it was handed out and not yet forgotten. */
  holders: number;
  /** Latest exemplar of each bucket (of a counter: 0); absent until there is one. */
  exemplars: Map<number, Exemplar> | undefined;
}

/** One measurement as an example of many (OpenMetrics): which trace to look at. */
export interface Exemplar {
  /** Label text without braces. */
  readonly labels: string;
  readonly value: number;
  readonly epochMs: number;
}

/** One typed-array store per `add`. */
export class CounterSeries implements Series, Counter {
  readonly labels: string;
  readonly run: CellRun;
  holders = 0;
  exemplars: Map<number, Exemplar> | undefined = undefined;
  private readonly cells: Float64Array;
  private readonly at: number;

  constructor(labels: string, run: CellRun) {
    this.labels = labels;
    this.run = run;
    this.cells = run.chunk;
    this.at = run.at;
  }

  add(n = 1): void {
    // `>= 0` also keeps NaN out: a counter that went down would read as a restart.
    if (n >= 0) (this.cells[this.at] as number) += n;
  }
}

/** One typed-array store per `set` or `add`. */
export class GaugeSeries implements Series, Gauge {
  readonly labels: string;
  readonly run: CellRun;
  holders = 0;
  exemplars: Map<number, Exemplar> | undefined = undefined;
  private readonly cells: Float64Array;
  private readonly at: number;

  constructor(labels: string, run: CellRun) {
    this.labels = labels;
    this.run = run;
    this.cells = run.chunk;
    this.at = run.at;
  }

  set(value: number): void {
    this.cells[this.at] = value;
  }

  add(n: number): void {
    (this.cells[this.at] as number) += n;
  }
}

/**
 * Cells: one count a bucket (not cumulative), the count above the last bound, then the sum. Found by a linear walk:
 * with the usual bounds most observations end in the first few.
 */
export class HistogramSeries implements Series, Histogram {
  readonly labels: string;
  readonly run: CellRun;
  holders = 0;
  exemplars: Map<number, Exemplar> | undefined = undefined;
  private readonly cells: Float64Array;
  private readonly at: number;
  private readonly bounds: Float64Array;

  constructor(labels: string, run: CellRun, bounds: Float64Array) {
    this.labels = labels;
    this.run = run;
    this.cells = run.chunk;
    this.at = run.at;
    this.bounds = bounds;
  }

  observe(value: number): void {
    if (Number.isNaN(value)) return; // would poison the sum for good
    const bounds = this.bounds;
    const count = bounds.length;
    let i = 0;
    while (i < count && value > (bounds[i] as number)) i++;
    (this.cells[this.at + i] as number) += 1;
    (this.cells[this.at + count + 1] as number) += value;
  }

  /** Index of the bucket that a value falls into. */
  bucketOf(value: number): number {
    const above = this.bounds.findIndex((bound) => value <= bound);
    return above < 0 ? this.bounds.length : above;
  }
}
