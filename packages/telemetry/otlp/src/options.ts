import type { Registry } from '@tulle/metrics';
import type { SelfLabels } from '@tulle/parties';
import type { Meter, TracingSettings } from '@tulle/telemetry';

/** Where a signal goes, and how. What is absent here is taken from the standard environment variables. */
export interface OtlpTarget {
  /**
   * Base URL of a collector, to which `/v1/traces` and `/v1/metrics` are appended. Default `OTEL_EXPORTER_OTLP_ENDPOINT`
   * (whole URLs: `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `…_METRICS_ENDPOINT`), else `http://localhost:4318`.
   */
  readonly endpoint?: string;
  /** Default `OTEL_EXPORTER_OTLP_PROTOCOL`, else `http/protobuf`. */
  readonly protocol?: 'http/protobuf' | 'http/json';
  /** Sent with each export, e.g. an API key. Default `OTEL_EXPORTER_OTLP_HEADERS`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** One export with its retries takes at most so long. Default `OTEL_EXPORTER_OTLP_TIMEOUT`, else 10,000. */
  readonly timeoutMs?: number;
  /** Default `OTEL_EXPORTER_OTLP_COMPRESSION`, else `none`. */
  readonly compression?: 'none' | 'gzip';
}

/** How requests become spans. */
export interface OtlpTraceOptions extends Partial<TracingSettings> {
  /**
   * Share of the traces begun here that get spans. Default `OTEL_TRACES_SAMPLER_ARG` where `OTEL_TRACES_SAMPLER` is
   * `parentbased_traceidratio`, else 0.01: enough to see how a mesh behaves, at no noticeable cost.
   */
  readonly sampleRatio?: number;
  /** Default true; see `TracingSettings`. */
  readonly respectParent?: boolean;
  /** Default by `OTEL_PROPAGATORS`, else `['w3c', 'b3']`. */
  readonly extract?: TracingSettings['extract'];
  /** Default by `OTEL_PROPAGATORS`, else `['w3c']`. */
  readonly inject?: TracingSettings['inject'];
  /**
   * Spans held while the collector is slow, those under way included. Default `OTEL_BSP_MAX_QUEUE_SIZE`, else 2,048: some
   * 6 MB. Past it spans are dropped and counted.
   */
  readonly maxQueuedSpans?: number;
  /** Spans in one export. Default `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`, else 128: one is encoded in about a millisecond. */
  readonly maxBatchSpans?: number;
  /** A span is exported at the latest after so long. Default `OTEL_BSP_SCHEDULE_DELAY`, else 5,000. */
  readonly delayMs?: number;
  /** Also the attributes that Kiali and Istio's dashboards look for. Default true. */
  readonly istioAttributes?: boolean;
  /**
   * What becomes of queries in URLs: `redact` replaces the values that sign a URL (`Signature`, `sig`, `AWSAccessKeyId`,
   * `X-Goog-Signature`, as the semantic conventions want it), `strip` leaves queries out, `keep` changes nothing.
   * Default `redact`.
   */
  readonly query?: 'redact' | 'strip' | 'keep';
  /** Names of request fields that become `http.request.header.<name>`. Default none. */
  readonly requestHeaders?: readonly string[];
  /** Names of response fields that become `http.response.header.<name>`. Default none. */
  readonly responseHeaders?: readonly string[];
}

/** Which metrics go out, and how often. */
export interface OtlpMetricOptions {
  /** Time between exports. Default `OTEL_METRIC_EXPORT_INTERVAL`, else 60,000. */
  readonly intervalMs?: number;
  /** Series of each duration of requests; one more takes what does not fit. Default 2,000, as the OpenTelemetry specification has it. */
  readonly maxSeries?: number;
  /** Series of requests without traffic for so long are forgotten. Default 600,000 (10 min). 0 keeps them. */
  readonly idleSeriesMs?: number;
  /** Data points in one export. Default 500: one is encoded in about a millisecond; the next waits for its answer. */
  readonly maxBatchPoints?: number;
}

/** Options of `otlp()`. */
export interface OtlpOptions extends OtlpTarget {
  /** Who the proxy speaks for. Also gives `service.name` (`workload.namespace`, as Istio writes it) and more. */
  readonly self?: SelfLabels;
  /** Mesh and node as Istio's attributes name them. */
  readonly istio?: {
    /** `istio.mesh_id`. Default `mesh.local`. */
    readonly meshId?: string;
    /** `sidecar~<address>~<pod>.<namespace>~<domain>`. Default made of workload and namespace. */
    readonly nodeId?: string;
  };
  /** Further resource attributes. Default those of `OTEL_RESOURCE_ATTRIBUTES`. */
  readonly resource?: Readonly<Record<string, string>>;
  /** False: no traces. Default as `OTEL_TRACES_EXPORTER` says (`otlp` or `none`). */
  readonly traces?: OtlpTraceOptions | false;
  /**
   * What engine and filters count, e.g. `prometheus().meter`: exported with the metrics under the names it has there, and
   * where the exporter counts itself. Default, where metrics are exported: a registry of the exporter's own, which it brings
   * as the proxy's meter. `false`: only the durations of requests.
   */
  readonly registry?: Registry | false;
  /**
   * Metrics. Default: none, unless `OTEL_METRICS_EXPORTER` is `otlp`: counting twice, here and for Prometheus, has its
   * price with each request.
   */
  readonly metrics?: OtlpMetricOptions | boolean;
  /** Where spans, drops and failures are counted (`tulle_otlp_*`). Default: the registry. */
  readonly meter?: Meter;
  /** Hears why an export failed, at most once a minute each signal. Default: nobody; the counters tell. */
  readonly onError?: (message: string) => void;
  /** Default `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Wall clock of metrics; tests bring their own. Default `Date.now`. */
  readonly epochMs?: () => number;
}
