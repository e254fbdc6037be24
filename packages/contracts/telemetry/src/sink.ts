import type { Meter } from './meter.ts';
import type { StreamRecord } from './record.ts';

/** Receives every record. Must be quick and must not throw; slow work goes to an own bounded queue, drops counted. */
export interface Sink {
  readonly name: string;
  /** Synchronous: a promise is a fault that is counted. @param record borrowed: valid until this returns */
  record(record: StreamRecord): undefined;
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
  /** Other forms of the page, for requests whose `Accept` prefers one of their content types. */
  readonly alternatives?: readonly Pick<AdminPage, 'contentType' | 'render'>[];
}

/** How a proxy takes part in the traces of its requests. */
export interface TracingSettings {
  /** Share of the traces begun here that get spans, 0 to 1, decided by the trace id. */
  readonly sampleRatio: number;
  /**
   * Whether the caller's trace and decision hold. False at the edge of what one trusts: every trace begins here, and
   * what the caller said of one is removed.
   */
  readonly respectParent: boolean;
  /** Formats that are read, in order of precedence. */
  readonly extract: readonly ('w3c' | 'b3')[];
  /** Formats that are written to endpoints: all of them. */
  readonly inject: readonly ('w3c' | 'b3' | 'b3multi')[];
}

/** Opens the access logs that a configuration asks for. */
export interface AccessLoggers {
  /** The kinds of output that it knows (`to.kind` of an access log). */
  readonly kinds: readonly string[];
  /**
   * Opens one; logs that name the same place may share it. Closed by the engine when no handler logs to it any more.
   * @param log an `AccessLog` of the model, sound by its schema
   * @throws an error with `issues`, by their JSON pointers into `log`, or any other for a place that cannot be had
   */
  open(log: { readonly to: { readonly kind: string } }): Sink | Promise<Sink>;
  /** Writes out what is queued for all of them; called on drain, with a deadline of 5 s. */
  flush?(): Promise<void>;
  /** Last call. */
  close?(): Promise<void>;
}

/** A telemetry exporter as a proxy takes it: `createProxy({ telemetry: [prometheus(), accessLog()] })`. */
export interface TelemetryPlugin {
  readonly name: string;
  /** Where the engine and its filters count. At most one plugin of a proxy brings a meter. */
  readonly meter?: Meter;
  readonly sink?: Sink;
  /** What the access logs of handlers are opened with. Costs nothing where no handler has any. */
  readonly accessLoggers?: AccessLoggers;
  /** Makes the engine decide on sampling and pass trace context on. At most one plugin of a proxy brings it. */
  readonly tracing?: TracingSettings;
  readonly adminPages?: readonly AdminPage[];
}
