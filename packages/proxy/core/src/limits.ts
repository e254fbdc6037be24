/** Bounds of one proxy process. Each has a metric that counts when it bites. */
export interface EngineLimits {
  /** Attempts of one request, whatever a policy asks for. Default 16: more is a loop. Metric `tulle_cluster_upstream_rq_retry_refused_total{reason="limit"}`. */
  readonly maxAttempts: number;
  /** Request bodies held for replay by the whole proxy. Default 64 MiB: a thousand streams at the default cap. Metric `tulle_replay_overflow_total`. */
  readonly maxReplayBytesTotal: number;
  /** Bytes queued towards one endpoint before reading from the caller stops. Default 1 MiB, as a listener's `bufferLimitBytes`. */
  readonly bufferLimitBytes: number;
  /** Head of an endpoint's response. Default 61,440, as for requests. Metric `tulle_cluster_upstream_cx_protocol_error_total`. */
  readonly maxResponseHeadersBytes: number;
  /** Field lines of an endpoint's response. Default 100. */
  readonly maxResponseHeadersCount: number;
  /** Interim (1xx) responses before the final one. Default 8. */
  readonly maxInterimResponses: number;
  /** Bytes held of requests that were pipelined behind one that is not answered yet; reading stops there. Default 65,536, one read. */
  readonly maxPipelinedBytes: number;
  /** Request body read and thrown away after an early answer, so that the connection can be used again. Default 65,536. Metric `tulle_downstream_drain_overflow_total`. */
  readonly maxDiscardBytes: number;
  /** How long a closing connection is read on, so that the caller gets its answer before a reset. Default 1,000. */
  readonly lingerMs: number;
  /** Pooled stream objects. Default 4,096 (about 5 KiB each at most). */
  readonly maxPooledStreams: number;
  /** How long `create` of a filter may take. Default 10,000. */
  readonly filterCreateTimeoutMs: number;
  /** How long `dispose` of a filter may take. Default 5,000. */
  readonly filterDisposeTimeoutMs: number;
  /** First byte of a connection whose chain depends on it (TLS or plain), and the TLS handshake after it. Default 10,000. */
  readonly handshakeTimeoutMs: number;
}

export const DEFAULT_ENGINE_LIMITS: EngineLimits = Object.freeze({
  maxAttempts: 16,
  maxReplayBytesTotal: 64 * 1024 * 1024,
  bufferLimitBytes: 1024 * 1024,
  maxResponseHeadersBytes: 61_440,
  maxResponseHeadersCount: 100,
  maxInterimResponses: 8,
  maxPipelinedBytes: 65_536,
  maxDiscardBytes: 65_536,
  lingerMs: 1_000,
  maxPooledStreams: 4_096,
  filterCreateTimeoutMs: 10_000,
  filterDisposeTimeoutMs: 5_000,
  handshakeTimeoutMs: 10_000,
});
