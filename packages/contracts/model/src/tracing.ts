import type { HeaderEdits } from './header-edits.ts';

/**
 * How a handler takes part in the traces of its requests (Envoy `HttpConnectionManager.Tracing`), in place of what the proxy
 * itself does. The caller's decision holds where it made one.
 */
export interface HandlerTracing {
  /**
   * Where spans go. A telemetry plugin of the proxy opens it. Default: where the proxy's own go, if it has a plugin for them; the
   * other fields say nothing then, and of routes their decorators alone hold.
   */
  readonly provider?: TraceProvider;
  /** Percent of the traces begun here that get spans. Default 100. */
  readonly randomSamplingPercent?: number;
  /** Percent of the requests with `x-client-trace-id` that get spans whatever {@link randomSamplingPercent} says. Default 100. */
  readonly clientSamplingPercent?: number;
  /** Percent that is left of both. Default 100. */
  readonly overallSamplingPercent?: number;
  /**
   * Whether all traces begun here get spans, whatever the percentages say, here and of routes; a sampler of the provider decides all
   * the same (Envoy `UuidRequestIdConfig.use_request_id_for_trace_sampling: false`). Default false.
   */
  readonly samplesAll?: boolean;
  /**
   * What the request's span is called, as a text with operators, filled when the request is over; an operator without a value is nothing.
   * Where nothing comes out, and by default: as a decorator says, or else by method and path of the route (Envoy `Tracing.operation`).
   */
  readonly operation?: string;
  /** The same of the spans of attempts, by the last one's values (Envoy `upstream_operation`). Default: by the method. */
  readonly upstreamOperation?: string;
  /** More attributes of every span. */
  readonly customTags?: readonly CustomTag[];
  /** Longer paths are cut in `http.url`. Default 256. */
  readonly maxPathTagLength?: number;
  /**
   * Whether each attempt has a span of its own below the request's. Without, a request has one span, which endpoints see as
   * their parent; on outbound listeners it is the client's. Default true.
   */
  readonly spawnUpstreamSpan?: boolean;
  /** Whether spans have events that say when bytes came and went. Default false. */
  readonly verbose?: boolean;
}

/**
 * What is other than in its handler for the traces of a route's requests (Envoy `Route.tracing`). Percentages hold as a whole:
 * one that is left out here is 100, whatever the handler says.
 */
export interface RouteTracing extends Pick<
  HandlerTracing,
  | 'randomSamplingPercent'
  | 'clientSamplingPercent'
  | 'overallSamplingPercent'
  | 'operation'
  | 'upstreamOperation'
> {
  /** In place of those of the handler that have the same names, and beside the others. */
  readonly customTags?: readonly CustomTag[];
}

/**
 * What requests of a route ask for, in words of whoever wrote the route (Envoy `Route.decorator`). Where the handler has
 * `tracing`, the request's span has that name, and the proxy of the other side is told by `x-envoy-decorator-operation`:
 * on outbound listeners the endpoint, on others the caller, whose spans then have the name too.
 */
export interface RouteDecorator {
  readonly operation: string;
  /** Whether the other side is told. Default true. */
  readonly propagate?: boolean;
}

/** Envoy `CustomTag`: a text, a variable of the proxy's environment, a request's field, or metadata. */
export type CustomTag =
  | { readonly name: string; readonly kind: 'literal'; readonly value: string }
  | {
      readonly name: string;
      readonly kind: 'environment';
      readonly variable: string;
      readonly byDefault?: string;
    }
  | { readonly name: string; readonly kind: 'header'; readonly header: string; readonly byDefault?: string }
  /** What a filter found out about the request (dynamic metadata), or its route has: texts as they are, other values as JSON. */
  | {
      readonly name: string;
      readonly kind: 'metadata';
      /** Whose metadata it is. Default `request`. */
      readonly of?: 'request' | 'route';
      readonly namespace: string;
      /** Names of objects, outermost first. */
      readonly path: readonly string[];
      readonly byDefault?: string;
    };

/** A way that spans are sent. */
export type TraceProvider = OtlpTraceProvider | ZipkinTraceProvider;

/** OpenTelemetry's protocol (Envoy `OpenTelemetryConfig`); propagates `traceparent`. */
export interface OtlpTraceProvider {
  readonly kind: 'otlp';
  readonly service:
    | {
        readonly http: {
          /** The whole URL, e.g. `http://collector:4318/v1/traces`; the cluster is asked, whatever its host. */
          readonly url: string;
          readonly cluster: string;
          readonly headers?: Pick<HeaderEdits, 'set' | 'add'>;
        };
      }
    /** The cluster must speak HTTP/2. */
    | { readonly grpc: { readonly cluster: string; readonly authority?: string } };
  /** One export takes at most so long. Default 5,000. */
  readonly timeoutMs?: number;
  /** `service.name`. Default `unknown_service:envoy`, as Envoy. */
  readonly serviceName?: string;
  /** Further attributes of the resource. */
  readonly resource?: Readonly<Record<string, string>>;
  /** Also those of `OTEL_RESOURCE_ATTRIBUTES` in the proxy's environment. Default false. */
  readonly environment?: boolean;
  /**
   * What decides in place of the percentages above: `always`, every request gets spans, also where its caller decided against them; or a
   * share of them. Default: those percentages.
   */
  readonly sampler?: 'always' | TraceSampler;
}

/** A share of traces, by their ids. */
export interface TraceSampler {
  /** 0 to 100, with fraction. */
  readonly percent: number;
  /** Whether the caller's decision holds where it made one. Default false: the share is one of all requests. */
  readonly parentBased?: boolean;
}

/** Zipkin's API v2 in JSON (Envoy `ZipkinConfig`); propagates B3, in many fields. */
export interface ZipkinTraceProvider {
  readonly kind: 'zipkin';
  readonly cluster: string;
  /** Path of the API, e.g. `/api/v2/spans`. */
  readonly path: string;
  /** `Host` of exports. Default the cluster's name, as in Envoy, where that is a host. */
  readonly hostname?: string;
  /** Traces begun here have ids of 128 bits. Default false: 64. */
  readonly longTraceIds?: boolean;
  /** Whether the span of an inbound request is the caller's, told from two sides. Default true, as Envoy. */
  readonly sharedSpan?: boolean;
}
