import type { Meter } from './meter.ts';
import type { StreamRecord } from './record.ts';

/** Receives every record. Must be quick and must not throw; slow work goes to an own bounded queue, drops counted. */
export interface Sink {
  readonly name: string;
  /** @param record borrowed: valid until this returns */
  record(record: StreamRecord): void;
  /** Writes out what is queued; called on drain, with a deadline of 5 s. */
  flush?(): Promise<void>;
  /** Last call. */
  close?(): Promise<void> | void;
}

/** One page that a telemetry plugin adds to the proxy's admin interface. */
export interface AdminPage {
  /** Path without query, e.g. `/stats/prometheus`. */
  readonly path: string;
  readonly contentType: string;
  /** One line for the list of pages. */
  readonly help: string;
  /**
   * The page's body, in pieces of at most some 64 KiB so that a scrape never stalls the loop that moves bytes: the
   * engine writes one piece a tick.
   * @param query decoded query parameters
   */
  render(query: URLSearchParams): Iterable<string>;
}

/** A telemetry exporter as a proxy takes it: `createProxy({ telemetry: [prometheus(), accessLog()] })`. */
export interface TelemetryPlugin {
  readonly name: string;
  /** Where the engine and its filters count. At most one plugin of a proxy brings a meter. */
  readonly meter?: Meter;
  readonly sink?: Sink;
  readonly adminPages?: readonly AdminPage[];
}
