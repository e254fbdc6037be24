import type { AuthzMetadataTest } from './filters/authz-expression.ts';
import type { HeaderEdits } from './header-edits.ts';
import type { LocalReplyJson } from './local-reply.ts';
import type { ValueMatch } from './route.ts';
import type { CustomTag } from './tracing.ts';

/** Where lines about streams go, and which (Envoy `config.accesslog.v3.AccessLog`). */
export type AccessLog = LineAccessLog | GrpcAccessLog | OtlpAccessLog;

/** What all access logs say. */
interface AnyAccessLog {
  /** For people; it may stand twice. */
  readonly name?: string;
  /** Absent: every stream is logged. */
  readonly filter?: AccessLogFilter;
}

/** A line a record. */
export interface LineAccessLog extends AnyAccessLog {
  readonly to: AccessLogOutput;
  readonly format: AccessLogFormat;
}

/** Records go to a service (`envoy.service.accesslog.v3.AccessLogService`), with all that is known of them. */
export interface GrpcAccessLog extends AnyAccessLog {
  readonly to: GrpcAccessLogOutput;
}

/** Records go to a collector of OpenTelemetry as logs. */
export interface OtlpAccessLog extends AnyAccessLog {
  readonly to: OtlpAccessLogOutput;
}

/** A format with the operators of lines, or lists and objects of such (OpenTelemetry `AnyValue`). */
export type OtlpFormat = string | readonly OtlpFormat[] | { readonly [key: string]: OtlpFormat };

/** A value of OpenTelemetry (`AnyValue`) but bytes. Whole numbers are `int_value`s, others `double_value`s. */
export type OtlpValue =
  | string
  | boolean
  | number
  | readonly OtlpValue[]
  | { readonly [key: string]: OtlpValue };

/** A cluster that takes OpenTelemetry's logs (Envoy `OpenTelemetryAccessLogConfig`): over gRPC, unless `http` says otherwise. */
export interface OtlpAccessLogOutput {
  readonly kind: 'otlp';
  /** Must speak HTTP/2 for gRPC. */
  readonly cluster: string;
  /** Of gRPC. Default the cluster's name. */
  readonly authority?: string;
  /** OTLP over HTTP, in protobuf, instead of gRPC. */
  readonly http?: {
    /** The whole URL, e.g. `http://collector:4318/v1/logs`; the cluster is asked, whatever its host. */
    readonly url: string;
    readonly headers?: Pick<HeaderEdits, 'set' | 'add'>;
  };
  /** `log_name` of the resource; may be empty. */
  readonly logName: string;
  /** Of a log record. Default none. */
  readonly body?: OtlpFormat;
  readonly attributes?: Readonly<Record<string, OtlpFormat>>;
  /** Of the resource; no formats. */
  readonly resource?: Readonly<Record<string, OtlpValue>>;
  /** Whether the resource has those of `OTEL_RESOURCE_ATTRIBUTES` of the proxy's environment too, after its labels and before `resource`. Default false. */
  readonly environment?: boolean;
  /** Keys of filter state of which each is an attribute, as JSON, where something was put down under it; but addresses. Default none. */
  readonly filterState?: readonly string[];
  /** Further attributes. */
  readonly customTags?: readonly CustomTag[];
  /** Whether the resource says `log_name`, `cluster_name`, `node_name` and `zone_name`. Default true (Envoy). */
  readonly builtinLabels?: boolean;
  /** Before the names of its statistics (Envoy `stat_prefix`), which ends with a dot. Default none. */
  readonly statPrefix?: string;
  /** Default 1,000 (Envoy). */
  readonly flushIntervalMs?: number;
  /** Default 16,384 (Envoy). */
  readonly bufferBytes?: number;
  /** One call takes at most so long. Default 5,000. */
  readonly timeoutMs?: number;
}

/** A cluster that speaks HTTP/2 (Envoy `HttpGrpcAccessLogConfig`, `TcpGrpcAccessLogConfig`). */
export interface GrpcAccessLogOutput {
  readonly kind: 'grpc';
  readonly cluster: string;
  /** Default the cluster's name. */
  readonly authority?: string;
  /** Told to the service with each batch. */
  readonly logName: string;
  /** A batch goes out at the latest after so long. Default 1,000 (Envoy). */
  readonly flushIntervalMs?: number;
  /** A batch goes out as soon as it is so large. Default 16,384 (Envoy). */
  readonly bufferBytes?: number;
  /** One call takes at most so long. Default 5,000. */
  readonly timeoutMs?: number;
  /** Fields that are told too. Default none. Of handlers that speak HTTP. */
  readonly requestHeaders?: readonly string[];
  readonly responseHeaders?: readonly string[];
  readonly customTags?: readonly CustomTag[];
  /**
   * Keys of filter state that is told too, under which something was put down; but addresses (Envoy
   * `filter_state_objects_to_log`). Default none.
   */
  readonly filterState?: readonly string[];
}

/**
 * What takes the lines. A telemetry plugin of the proxy opens it. `/dev/stdout` and `/dev/stderr` are the same as the two
 * streams. A file is appended to, made with mode 0640, and shared by all logs that name it.
 */
export type AccessLogOutput =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'stdout' }
  | { readonly kind: 'stderr' };

/**
 * Text, or a JSON object of texts, with the operators of Envoy's access log. A record is one line: a text that does not end
 * in a line end gets one, and none may stand inside.
 */
export type AccessLogFormat = {
  /**
   * Whether what is unset is left out: nothing instead of `-` in a text, no key instead of `null` in JSON (Envoy
   * `omit_empty_values`). Default false.
   */
  readonly omitEmpty?: boolean;
} & ({ readonly text: string } | { readonly json: LocalReplyJson });

/** A number compared with another. */
export interface AccessLogComparison {
  readonly op: 'eq' | 'ne' | 'ge' | 'le';
  readonly value: number;
}

/** What Envoy calls the moments at which it logs; here the two ends are logged. */
export type AccessLogType =
  | 'NotSet'
  | 'TcpConnectionStart'
  | 'TcpUpstreamConnected'
  | 'TcpPeriodic'
  | 'TcpConnectionEnd'
  | 'DownstreamStart'
  | 'DownstreamPeriodic'
  | 'DownstreamEnd'
  | 'UpstreamPoolReady'
  | 'UpstreamPeriodic'
  | 'UpstreamEnd'
  | 'DownstreamTunnelSuccessfullyEstablished'
  | 'UdpTunnelUpstreamConnected'
  | 'UdpPeriodic'
  | 'UdpSessionEnd';

/**
 * Which streams are logged (Envoy `AccessLogFilter`).
 * - `status`: the HTTP status that the caller saw, 0 where it saw none.
 * - `duration`: whole milliseconds from the first byte of the request to the last of the response.
 * - `not-health-check`: no health check that the filter for them answered in the service's place; what reached it is logged.
 * - `traceable`: spans are made of it.
 * - `share`: `numerator` of `denominator`, told by the request id, so that all proxies on the way log the same requests; by
 *   chance with `independent`, and where the id is none of ours.
 * - `header`: of the request; of pseudo-headers `:method`, `:path`, `:authority`.
 * - `flags`: one of these short response flags; without any, whatever flag.
 * - `grpc-status`: one of these, 0 to 16; of a request that is no gRPC call what stands for its HTTP status.
 * - `all`, `any`: of at least two.
 * - `metadata`: what filters found out; one where they said nothing under that name is logged unless `ifAbsent` is false.
 * - `cel`: a condition in CEL on Envoy's attributes; one that cannot be judged logs nothing.
 * - `log-type`: an HTTP stream is a `DownstreamEnd`, a TCP connection a `TcpConnectionEnd`, in a listener's own log a `NotSet`.
 */
export type AccessLogFilter =
  | ({ readonly kind: 'status' } & AccessLogComparison)
  | ({ readonly kind: 'duration' } & AccessLogComparison)
  | { readonly kind: 'not-health-check' }
  | { readonly kind: 'traceable' }
  | {
      readonly kind: 'share';
      readonly numerator: number;
      readonly denominator: 100 | 10_000 | 1_000_000;
      readonly independent?: boolean;
    }
  | { readonly kind: 'all'; readonly filters: readonly AccessLogFilter[] }
  | { readonly kind: 'any'; readonly filters: readonly AccessLogFilter[] }
  | { readonly kind: 'header'; readonly header: ValueMatch }
  | { readonly kind: 'flags'; readonly flags: readonly string[] }
  | { readonly kind: 'grpc-status'; readonly statuses: readonly number[]; readonly exclude?: boolean }
  | { readonly kind: 'metadata'; readonly metadata: AuthzMetadataTest; readonly ifAbsent?: boolean }
  | { readonly kind: 'cel'; readonly cel: string }
  | { readonly kind: 'log-type'; readonly types: readonly AccessLogType[]; readonly exclude?: boolean };
