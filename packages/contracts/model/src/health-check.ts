import type { ProxyProtocolVersion } from './cluster.ts';
import type { HeaderValue } from './header-edits.ts';
import type { StringMatch } from './route.ts';

/** How endpoints are asked whether they are well (Envoy `config.core.v3.HealthCheck`), beside what requests meet. */
export type HealthCheck = HttpHealthCheck | TcpHealthCheck | GrpcHealthCheck;

/** When checks are made, and what their results mean. */
export interface HealthCheckRhythm {
  /** What its statistics are told apart by, where a cluster has several (`Cluster.moreHealthChecks`); of one alone there is none. */
  readonly name?: string;
  /** From the end of one check to the next. */
  readonly intervalMs: number;
  /** A check that takes longer has failed. Covers connecting. */
  readonly timeoutMs: number;
  /** Failures in a row that make an endpoint unhealthy. An answer with a status that is not expected does at once. */
  readonly unhealthyThreshold: number;
  /** Successes in a row that make it healthy again. The first check of an endpoint decides alone. */
  readonly healthyThreshold: number;
  /** The first check waits for up to this, at random. Default 0. */
  readonly initialJitterMs?: number;
  /** Added to each interval: up to this, at random. Default 0. */
  readonly intervalJitterMs?: number;
  /** Likewise, whole percent of the interval. Default 0. */
  readonly intervalJitterPercent?: number;
  /** Interval while nobody has called the cluster. Default 60,000 (Envoy `no_traffic_interval`). */
  readonly noTrafficIntervalMs?: number;
  /** Interval for endpoints that are unhealthy. Default `intervalMs`. */
  readonly unhealthyIntervalMs?: number;
  /** Interval while nobody has called the cluster, for endpoints that are well. Default `noTrafficIntervalMs`. */
  readonly noTrafficHealthyIntervalMs?: number;
  /** To the first check after an endpoint turned out ill. Default `unhealthyIntervalMs`. */
  readonly unhealthyEdgeIntervalMs?: number;
  /** To the first check after it turned out well. Default `intervalMs`. */
  readonly healthyEdgeIntervalMs?: number;
  /** Further checks take the same connection. Default true. */
  readonly reuseConnection?: boolean;
  /** Port that is asked in place of the endpoint's (Envoy `alt_port`); an endpoint's own `healthCheck.port` comes first. */
  readonly altPort?: number;
  /** Protocols that are offered in TLS in place of the cluster's (Envoy `tls_options.alpn_protocols`). */
  readonly alpn?: readonly string[];
  /** The cluster's `tlsMatches` are judged by these labels, not by those of the endpoint (Envoy `transport_socket_match_criteria`). */
  readonly tlsLabels?: Readonly<Record<string, string>>;
  /**
   * Files that get a line of JSON for each turn that an endpoint's health takes, in the form of Envoy's
   * `envoy.data.core.v3.HealthCheckEvent` (`event_logger` with `envoy.health_check.event_sinks.file`). Default none.
   */
  readonly eventLogs?: readonly string[];
  /** Every check that fails has a line there, not only the first of an endpoint (Envoy `always_log_health_check_failures`). Default false. */
  readonly logsFailures?: boolean;
  /** Every check that passes has one, where it turns nothing (Envoy `always_log_health_check_success`). Default false. */
  readonly logsSuccesses?: boolean;
}

/** A request, whose status counts; over HTTP/2 where the endpoint speaks it. */
export interface HttpHealthCheck extends HealthCheckRhythm {
  readonly kind: 'http';
  /** Path, with a query if need be. */
  readonly path: string;
  /** Default: the cluster's name. */
  readonly host?: string;
  /** Further fields of the request, e.g. `[{ name: 'x-probe', value: 'yes' }]`. */
  readonly headers?: readonly HeaderValue[];
  /** HTTP/2 is spoken also where the cluster does not (Envoy `codec_client_type`). Default: as the cluster does. */
  readonly codec?: 'http2';
  /** Default GET. */
  readonly method?: HealthCheckMethod;
  /** Body of the request, hexadecimal; for methods that have one (Envoy `send`). Default none. */
  readonly send?: string;
  /** Byte strings, hexadecimal, which the body of the answer must hold in this order; there may be others between. Default none. */
  readonly receive?: readonly string[];
  /** So much of an answer's body is looked at for `receive`, in bytes (Envoy `response_buffer_size`); 0: all of it. Default 1,024. */
  readonly receiveWithinBytes?: number;
  /** What the answer says of who it is (`x-envoy-upstream-healthchecked-cluster`) must fit; an answer that says nothing is one that says `''`. */
  readonly serviceName?: StringMatch;
  /** The request has no `user-agent` of the proxy's (Envoy `request_headers_to_remove`). Default false. */
  readonly withoutUserAgent?: boolean;
  /** Statuses of a healthy endpoint. Default 200. */
  readonly expectedStatuses?: readonly StatusRange[];
  /** Statuses that count as a failure like any other, towards `unhealthyThreshold`. Default none. */
  readonly retriableStatuses?: readonly StatusRange[];
}

/** Methods of health checks: all but CONNECT. */
export type HealthCheckMethod = 'GET' | 'HEAD' | 'OPTIONS' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'TRACE';

/** Methods whose requests have no body, as Envoy has it; those of others may have {@link HttpHealthCheck.send}. */
export const BODILESS_CHECK_METHODS: ReadonlySet<HealthCheckMethod> = new Set([
  'GET',
  'HEAD',
  'DELETE',
  'TRACE',
]);

/** Of an answer's body so much is looked at where a check says nothing, in bytes (Envoy `response_buffer_size`). */
export const DEFAULT_RECEIVED_BYTES = 1_024;

/** Most that a check may look at, in bytes: an answer of which more counts is no check any more. Envoy takes any number. */
export const MAX_RECEIVED_BYTES: number = 16 * 1_024 * 1_024;

/** From one status to another, both included. */
export interface StatusRange {
  readonly from: number;
  readonly to: number;
}

/**
 * A call of `grpc.health.v1.Health/Check` over HTTP/2 (grpc/doc/health-checking.md; Envoy `GrpcHealthCheck`): healthy is who
 * answers SERVING.
 */
export interface GrpcHealthCheck extends HealthCheckRhythm {
  readonly kind: 'grpc';
  /** Full name of the service that is asked about. Default: the server as a whole. */
  readonly service?: string;
  /** `:authority` of the call. Default: the cluster's name. */
  readonly authority?: string;
  /** Further metadata of the call. */
  readonly headers?: readonly HeaderValue[];
}

/** A connection; with `receive`, also bytes that must come over it. */
export interface TcpHealthCheck extends HealthCheckRhythm {
  readonly kind: 'tcp';
  /** Bytes to send, hexadecimal. Default none. */
  readonly send?: string;
  /** Byte strings, hexadecimal, which must come in this order; there may be others between. Default none. */
  readonly receive?: readonly string[];
  /** The connection begins with a header of the PROXY protocol, which says that the proxy itself calls. Default none. */
  readonly proxyProtocol?: ProxyProtocolVersion;
}
