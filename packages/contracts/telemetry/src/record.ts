import type { RecordConnection, RecordFieldBytes, RecordTimes } from './connection-facts.ts';

/**
 * The one record of a stream: every metric, access log, trace and explanation is a rendering of it. Made once, when
 * the stream completes, and **borrowed**: the object is reused as soon as the sinks returned. Copy what you keep.
 *
 * Times are milliseconds; `…Ms` durations are monotonic with fraction, `startEpochMs` is wall clock.
 */
export interface StreamRecord {
  readonly requestId: string;
  readonly startEpochMs: number;
  /** First byte of the request to last byte of the response. */
  readonly durationMs: number;
  /** First byte of the request to first byte of the response; -1 when there was none. */
  readonly firstByteMs: number;
  /** Time the delivered attempt's endpoint took to its response head; -1 when none answered. */
  readonly upstreamServiceMs: number;

  readonly listener: string;
  readonly direction: 'inbound' | 'outbound' | 'unspecified';
  /** `http` for one request with its response, `tcp` for one proxied connection, or one session of datagrams, whose `protocol` is `UDP`. */
  readonly kind: 'http' | 'tcp';
  /** A line of a listener's own log about a connection, whatever served it. Default false. */
  readonly ofListener?: boolean;
  /**
   * A line about a connection or request that goes on: it began, its endpoint was connected, what it asked for (CONNECT or an upgrade)
   * stands, or some time has passed. Absent: it is over.
   */
  readonly moment?: 'start' | 'connected' | 'tunnel' | 'periodic' | undefined;
  readonly protocol: 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2' | 'TCP' | 'UDP';

  /** Method as sent; `''` for TCP and for requests that could not be parsed. */
  readonly method: string;
  /** Path as it arrived, without query: may hold personal data and is unbounded, so it is no metric label. */
  readonly path: string;
  readonly query: string | undefined;
  /** Path as sent upstream, when it was rewritten. */
  readonly upstreamPath: string | undefined;
  readonly authority: string;

  /** Status that the caller saw; 0 when it saw none. */
  readonly status: number;
  /**
   * gRPC status of the response, 0 to 16; -1 when the request is no gRPC call, or its caller saw nothing. What comes without
   * one is what callers take it for by its HTTP status (grpc/doc/http-grpc-status-mapping.md).
   */
  readonly grpcStatus: number;
  /** Error code from the error table (or a filter's own), `''` when an endpoint's response was delivered whole. */
  readonly code: string;
  /** Short response flags as Envoy prints them, in the order they arose; empty for none. */
  readonly flags: readonly string[];
  /** Envoy's `%RESPONSE_CODE_DETAILS%`. */
  readonly details: string;

  readonly routeName: string;
  /** Low-cardinality template of the matched route. */
  readonly routePattern: string;
  /** Cluster name, `''` when none was chosen. */
  readonly cluster: string;
  /** What statistics call that cluster (Envoy `alt_stat_name`); `undefined` where that is its name. */
  readonly clusterStatName?: string | undefined;
  /** `host:port` of the endpoint of the delivered (or last) attempt. */
  readonly upstreamAddress: string;
  /** Metadata labels of that endpoint (service, version, workload …), frozen and shared. */
  readonly upstreamLabels: Readonly<Record<string, string>>;
  /** The endpoint's SPIFFE id as proven by mutual TLS. */
  readonly upstreamIdentity: string | undefined;
  /** The caller's SPIFFE id as proven by mutual TLS. */
  readonly peerIdentity: string | undefined;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly tls: boolean;
  readonly serverName: string | undefined;

  /** Body bytes from and to the caller (for TCP: all bytes). */
  readonly bytesReceived: number;
  readonly bytesSent: number;

  /** Messages of a gRPC call each way, as the endpoint got and sent them; 0 for other requests. */
  readonly requestMessages: number;
  readonly responseMessages: number;

  /** One entry an attempt, in order. Borrowed with the record. */
  readonly attempts: readonly AttemptRecord[];
  /** Why the last retry was refused: `''`, `budget`, `limit`, `unsafe`, `replay`, `timeout`, `closed`. */
  readonly retryRefused: string;

  /** The trace that the request belongs to: 32 lower-case hex digits; `''` for none. */
  readonly traceId: string;
  /** This proxy's own span of the request where {@link sampled}, else the caller's; 16 hex digits, `''` for none. */
  readonly spanId: string;
  /**
   * Whether spans are made of this record (decision D18): decided when the request came, by the tracing that a plugin
   * brought ({@link TelemetryPlugin.tracing}); false without one.
   */
  readonly sampled: boolean;
  /** {@link spanId} is the caller's own span, told from this side too (Zipkin). Default false. */
  readonly spanShared?: boolean;
  /** The caller's span where {@link sampled}; `''` where this proxy began the trace. Of a shared span its parent. */
  readonly parentSpanId: string;
  /** Bits of `traceparent` where {@link sampled}: 1 sampled, 2 random trace id. */
  readonly traceFlags: number;
  /** `tracestate` as passed on where {@link sampled}; `''` for none. */
  readonly traceState: string;
  /** What the request's span is called, by its route, its handler or the proxy of the other side (Envoy's `Tracing.operation` and decorators); `''`: they do not say. */
  readonly operation: string;
  /** The same of the spans of attempts. */
  readonly upstreamOperation: string;
  /** Attributes of spans that the route brings, as the model has them; one object for all requests of the route. */
  readonly routeTags: readonly object[] | undefined;

  /** Decision notes (D10): triples (site, reason, operand) in `notes[0 .. noteCount * 3)`. */
  readonly notes: Int32Array;
  readonly noteCount: number;
  /** Generation of the configuration by which the notes are decoded. */
  readonly configGeneration: number;

  /** First value of a request field (lower-case name), as sent by the caller; for logs. */
  requestHeader(name: string): string | undefined;
  /** First value of a response field, as sent to the caller. */
  responseHeader(name: string): string | undefined;
  /** First value of a trailer of the response. */
  responseTrailer(name: string): string | undefined;

  // What few renderings show: looked up when it is asked for.

  /** The caller's connection; `undefined`: there is none to speak of. */
  readonly downstream: RecordConnection | undefined;
  /** The connection of the last attempt; `undefined`: it had none. */
  readonly upstream: RecordConnection | undefined;
  /** Host name of the endpoint, where it has one beside its address. */
  readonly upstreamHostname: string | undefined;
  /** Of its listener; `''` where it has no name. */
  readonly filterChain: string;
  /** `undefined` for what is no HTTP stream. */
  readonly times: RecordTimes | undefined;
  readonly fieldBytes: RecordFieldBytes | undefined;
  /** What filters found out about the request under a namespace (Envoy's dynamic metadata), JSON values by name. */
  metadata(namespace: string): Readonly<Record<string, unknown>> | undefined;
  /** What the author of its route noted of it under a namespace. */
  routeMetadata(namespace: string): Readonly<Record<string, unknown>> | undefined;
  /**
   * What was put down under a key (Envoy's filter state), for the request or else its connection: a text, or a
   * `envoy.config.core.v3.HeaderMap` in JSON.
   */
  filterState(key: string): string | Readonly<Record<string, unknown>> | undefined;
}

/** One attempt of a stream against one endpoint. */
export interface AttemptRecord {
  readonly cluster: string;
  /** `host:port`; `''` when no endpoint could be chosen. */
  readonly address: string;
  /** 0 when no response head came. */
  readonly status: number;
  /** gRPC status that came in the response head ("trailers-only"): the call was refused before it was answered; else -1. */
  readonly grpcStatus: number;
  /** Error code, `''` for an attempt that was answered. */
  readonly failure: string;
  /** Start of the attempt, counted from the start of the stream. */
  readonly startMs: number;
  /** From its start to the response head, or to its failure. */
  readonly durationMs: number;
  /** Whether the connection was taken from the pool rather than opened. */
  readonly reused: boolean;
  /** The span that the endpoint saw as its parent, 16 hex digits; `''` unless the stream is sampled. */
  readonly spanId: string;
}
