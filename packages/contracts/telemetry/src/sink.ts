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
  /** Share of the requests with `x-client-trace-id` that get spans, in place of {@link sampleRatio}. Default: the same. */
  readonly clientSampleRatio?: number;
  /** {@link sampleRatio} decides over every request, also where its caller decided otherwise. Default false. */
  readonly overridesCaller?: boolean;
  /** Routes may have shares of their own in place of these. Default false. */
  readonly routesDecide?: boolean;
  /** Whether an attempt has a span of its own; without, endpoints see the request's as their parent. Default true. */
  readonly spanPerAttempt?: boolean;
  /** Traces begun here have ids of 64 bits, as Zipkin's did at first. Default false. */
  readonly shortTraceIds?: boolean;
  /** The span of a request whose caller made one is the caller's (Zipkin's shared spans). Default false. */
  readonly sharedSpan?: boolean;
}

/** Opens the access logs that a configuration asks for. */
export interface AccessLoggers {
  /** The kinds of output that it knows (`to.kind` of an access log). */
  readonly kinds: readonly string[];
  /**
   * Opens one; logs that name the same place may share it. Closed by the engine when no handler logs to it any more.
   * @param log an `AccessLog` of the model, sound by its schema
   * @param host valid until the sink is closed
   * @throws an error with `issues`, by their JSON pointers into `log`, or any other for a place that cannot be had
   */
  open(log: { readonly to: { readonly kind: string } }, host: TelemetryHost): Sink | Promise<Sink>;
  /**
   * Opens a file for events of clusters: ejections, turns of health. Shared with logs that name the same. Absent: the plugin has none.
   * @throws where it cannot be had
   */
  openFile?(path: string): Promise<LineFile>;
  /** Writes out what is queued for all of them; called on drain, with a deadline of 5 s. */
  flush?(): Promise<void>;
  /** Last call. */
  close?(): Promise<void>;
}

/** A file that lines are appended to, of others than requests. */
export interface LineFile {
  /** Takes a line without its end; never waits. What cannot be written is counted, like a line of an access log. */
  write(line: string): void;
  /** Resolves when what was taken is written. */
  close(): Promise<void>;
}

/** What the telemetry of a handler may use of its proxy. */
export interface TelemetryHost {
  /** Asks a cluster of the configuration. Rejects when there is no whole answer in time. */
  fetch(request: {
    readonly url: string;
    readonly cluster?: string;
    readonly method?: string;
    readonly authority?: string;
    /** Flat `[name, value, name, value]`, names lower case. */
    readonly headers?: readonly string[];
    readonly body?: Uint8Array;
    readonly timeoutMs: number;
    readonly maxBodyBytes: number;
  }): Promise<{
    readonly status: number;
    readonly headers: { get(name: string): string | undefined };
    readonly trailers: { get(name: string): string | undefined };
    readonly body: Uint8Array;
  }>;
  /** Calls back once after `delayMs`. @returns cancels it */
  after(delayMs: number, fn: () => void): () => void;
  readonly log: { warn(message: string): void };
}

/** Sends the spans of handlers whose configuration says where to. */
export interface Tracers {
  /** The kinds of provider that it knows. */
  readonly kinds: readonly string[];
  /**
   * Opens one. The sink gets the records of sampled streams, and is closed by the engine when the handler is gone.
   * @param tracing a `HandlerTracing` of the model, sound by its schema
   * @param about `outbound`: the handler's requests go away from the workload
   * @throws an error with `issues`, by their JSON pointers into `tracing`
   */
  open(
    tracing: { readonly provider: { readonly kind: string } },
    host: TelemetryHost,
    about: { readonly outbound: boolean },
  ): Promise<{ readonly settings: TracingSettings; readonly sink: Sink }>;
  /** Sends what is held for all of them; called on drain, while clusters can still be asked, with a deadline of 5 s. */
  flush?(): Promise<void>;
}

/** A telemetry exporter as a proxy takes it: `createProxy({ telemetry: [prometheus(), accessLog()] })`. */
export interface TelemetryPlugin {
  readonly name: string;
  /** Where the engine and its filters count. At most one plugin of a proxy brings a meter. */
  readonly meter?: Meter;
  readonly sink?: Sink;
  /** What the access logs of handlers are opened with. Costs nothing where no handler has any. */
  readonly accessLoggers?: AccessLoggers;
  /** What sends the spans of handlers that say where to. Costs nothing where no handler does. */
  readonly tracers?: Tracers;
  /** Makes the engine decide on sampling and pass trace context on. At most one plugin of a proxy brings it. */
  readonly tracing?: TracingSettings;
  readonly adminPages?: readonly AdminPage[];
  /** Opens files anew under their names, after a rotation renamed them; no line is lost or torn. Rejects where one cannot be had. */
  reopen?(): Promise<void>;
}
