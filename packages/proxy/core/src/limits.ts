import { DEFAULT_CONNECT_ATTEMPTS } from '@tulle/model';

/** Bounds of one proxy process. Each has a metric that counts when it bites. */
export interface EngineLimits {
  /** Attempts of one request, whatever a policy asks for. Default 16: more is a loop. Metric `tulle_cluster_upstream_rq_retry_refused_total{reason="limit"}`. */
  readonly maxAttempts: number;
  /** Request bodies held for replay by the whole proxy. Default 64 MiB: a thousand streams at the default cap. Metric `tulle_replay_overflow_total`. */
  readonly maxReplayBytesTotal: number;
  /** Bytes queued towards one endpoint before reading from the caller stops. Default 1 MiB, as a listener's `bufferLimitBytes`. Metric `tulle_listener_downstream_flow_control_paused_reading_total`. */
  readonly bufferLimitBytes: number;
  /** Head of an endpoint's response. Default 61,440, as for requests. Metric `tulle_cluster_upstream_cx_protocol_error_total`. */
  readonly maxResponseHeadersBytes: number;
  /** Field lines of an endpoint's response. Default 100. */
  readonly maxResponseHeadersCount: number;
  /** Interim (1xx) responses before the final one. Default 8. */
  readonly maxInterimResponses: number;
  /** Request target. Default 8,192: RFC 9112 §3 asks for 8,000 octets of request line at least. Beyond: 414. Metric `tulle_listener_downstream_cx_protocol_error_total`. */
  readonly maxUriBytes: number;
  /** Extensions of all chunks of one body, either way. Default 4,096: nobody uses them. Metric `tulle_listener_downstream_cx_protocol_error_total`. */
  readonly maxChunkExtensionBytes: number;
  /** Trailer section, either way. Default 8,192: trailers carry a status or a checksum. Metric `tulle_listener_downstream_cx_protocol_error_total`. */
  readonly maxTrailerBytes: number;
  /** Trailer lines, either way. Default 32, for the same reason. Metric `tulle_listener_downstream_cx_protocol_error_total`. */
  readonly maxTrailers: number;
  /** Of a response that nobody wants (a retry, a caller gone) so much is read to keep the connection. Default 65,536: more costs more than a new one. Metric `tulle_cluster_upstream_cx_drain_overflow_total`. */
  readonly maxResponseDrainBytes: number;
  /** Endpoints tried for one TCP connection; nothing was sent yet, so trying another is always safe (D5). Default 3. Metric `tulle_cluster_upstream_cx_connect_attempts_exceeded_total`. */
  readonly maxConnectAttempts: number;
  /** Addresses used of one name of a `dns` cluster; more are left out and logged. Default 256. Metric `tulle_dns_addresses_left_out_total`. */
  readonly maxAddressesPerName: number;
  /** Mirrored requests under way in the whole proxy; others are not mirrored. Default 256: copies are worth less than what they take from callers. Metric `tulle_mirror_dropped_total{reason="limit"}`. */
  readonly maxMirrors: number;
  /** Bytes of a mirrored request's body that wait for a connection; past it, or past half of `maxReplayBytesTotal` by all that is held, the copy is dropped, likewise where `bufferLimitBytes` wait for its endpoint to take them. Default 1 MiB, as Envoy (`per_connection_buffer_limit_bytes`). Metric `tulle_mirror_dropped_total{reason="body"}`. */
  readonly maxMirrorBytes: number;
  /** Health checks under way at a time, in all clusters; others wait for their turn. Default 256: a thousand endpoints are asked within seconds, without a burst of connections. Metric `tulle_health_checks_delayed_total`. */
  readonly maxHealthChecks: number;
  /** Connections of one listener that came between binding and the moment the configuration took effect. Default 1,024. Metric `tulle_listener_downstream_cx_overflow_total`. */
  readonly maxEarlyConnections: number;
  /** Bytes held of requests that were pipelined behind one that is not answered yet; reading stops there. Default 65,536, one read. Metric `tulle_listener_downstream_pipeline_paused_total`. */
  readonly maxPipelinedBytes: number;
  /** Request body read and thrown away after an early answer, so that the connection can be used again. Default 65,536. Metric `tulle_downstream_drain_overflow_total`. */
  readonly maxDiscardBytes: number;
  /** How long a closing connection is read on, so that the caller gets its answer before a reset. Default 1,000. */
  readonly lingerMs: number;
  /** Pooled stream objects. Default 4,096 (about 5 KiB each at most). Metric `tulle_streams_not_pooled_total`. */
  readonly maxPooledStreams: number;
  /** Requests whose decisions are kept so that `/explain` can tell them, some 150 bytes each beside the strings of its head; fewer where requests have much to tell. 0 keeps none. Default 2,048. Metric `tulle_explain_window_seconds`. */
  readonly explainRequests: number;
  /** Of those that make room for newer ones, so many that failed, were refused here or were tried again are kept on. Default 1,024. Metric `tulle_explain_requests`. */
  readonly explainFailures: number;
  /** How long `create` of a filter may take. Default 10,000. */
  readonly filterCreateTimeoutMs: number;
  /** How long `dispose` of a filter may take. Default 5,000. */
  readonly filterDisposeTimeoutMs: number;
  /** Tunnels of HBONE on one connection; for more another is opened, also where the peer allows fewer. Default 100, as Istio's ambient mode: what one lost packet holds up. Metric `tulle_hbone_connections_total`. */
  readonly hboneTunnelsPerConnection: number;
  /** Bytes on their way in each direction of a connection to a listener of this process, before the writer waits. Default 1 MiB (Envoy `buffer_size_kb` of `InternalListener`). */
  readonly internalBufferBytes: number;
  /** Listeners of this process that may lead to each other, one after the other; a connection beyond is refused. Default 16: chains that are meant have two or three, more is a loop. Metric `tulle_cluster_upstream_cx_connect_fail_total`. */
  readonly maxInternalHops: number;
  /** How long a connection without a tunnel is kept. Default 300,000, as other HTTP/2 connections to endpoints. */
  readonly hboneIdleTimeoutMs: number;
  /** First byte of a connection whose chain depends on it (TLS or plain), the TLS handshake after it, and connection filters that wait. Default 10,000. */
  readonly handshakeTimeoutMs: number;
}

export const DEFAULT_ENGINE_LIMITS: EngineLimits = Object.freeze({
  maxAttempts: 16,
  maxReplayBytesTotal: 64 * 1024 * 1024,
  bufferLimitBytes: 1024 * 1024,
  maxResponseHeadersBytes: 61_440,
  maxResponseHeadersCount: 100,
  maxInterimResponses: 8,
  maxUriBytes: 8_192,
  maxChunkExtensionBytes: 4_096,
  maxTrailerBytes: 8_192,
  maxTrailers: 32,
  maxResponseDrainBytes: 65_536,
  maxConnectAttempts: DEFAULT_CONNECT_ATTEMPTS,
  maxAddressesPerName: 256,
  maxMirrors: 256,
  maxMirrorBytes: 1024 * 1024,
  maxHealthChecks: 256,
  maxEarlyConnections: 1_024,
  maxPipelinedBytes: 65_536,
  maxDiscardBytes: 65_536,
  lingerMs: 1_000,
  maxPooledStreams: 4_096,
  explainRequests: 2_048,
  explainFailures: 1_024,
  filterCreateTimeoutMs: 10_000,
  filterDisposeTimeoutMs: 5_000,
  hboneTunnelsPerConnection: 100,
  internalBufferBytes: 1024 * 1024,
  maxInternalHops: 16,
  hboneIdleTimeoutMs: 300_000,
  handshakeTimeoutMs: 10_000,
});
