/** Fixed labels of one time series. Keep the number of combinations bounded: the exporter refuses past its cap. */
export type Labels = Readonly<Record<string, string>>;

/** Only grows. `add` is one typed-array store. */
export interface Counter {
  /** @param n >= 0, default 1 */
  add(n?: number): void;
}

/** Goes up and down. */
export interface Gauge {
  set(value: number): void;
  add(n: number): void;
}

/** Counts observations in fixed buckets. */
export interface Histogram {
  observe(value: number): void;
}

/** What an instrument is made of. */
export interface InstrumentOptions {
  /** One sentence, ends in no unit. */
  readonly help: string;
  readonly labels?: Labels;
}

/**
 * Makes instruments. Asking twice for one name and labels gives the same one, so a new configuration generation goes
 * on counting. Names follow Prometheus: `tulle_<area>_<what>_<unit>[_total]`, base units (seconds, bytes).
 */
export interface Meter {
  counter(name: string, options: InstrumentOptions): Counter;
  gauge(name: string, options: InstrumentOptions): Gauge;
  /** @param options.buckets upper bounds, ascending, without +Inf; default: seconds from 0.5 ms to 10 s */
  histogram(name: string, options: InstrumentOptions & { readonly buckets?: readonly number[] }): Histogram;
  /**
   * A gauge (or counter, by name `_total`) read when somebody scrapes; for numbers that the engine has anyway.
   * @returns stops reporting it
   */
  observed(name: string, options: InstrumentOptions, read: () => number): () => void;
}

const nothing = (): void => {};
const noInstrument: Counter & Gauge & Histogram = Object.freeze({
  add: nothing,
  set: nothing,
  observe: nothing,
});

/** A meter that measures nothing and costs nothing: what a proxy without a metrics exporter gets. */
export const noMeter: Meter = Object.freeze({
  counter: () => noInstrument,
  gauge: () => noInstrument,
  histogram: () => noInstrument,
  observed: () => nothing,
});
