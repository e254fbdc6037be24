/**
 * HTTP/2 on connections of one side (Envoy `Http2ProtocolOptions`, whose names these are but for the units). Towards
 * callers in `HttpHandler.http2`, towards endpoints in `PoolOptions.http2`.
 */
export interface Http2Options {
  /**
   * Streams under way on one connection. Of callers, further ones are refused (`REFUSED_STREAM`, safe to repeat); to
   * endpoints, another connection is opened, also where the endpoint itself allows fewer. 1 to 2,147,483,647. Default of
   * callers 100, the least that RFC 9113 §6.5.2 recommends: what one connection can hold stays small beside a cluster's 1,024
   * requests, and proxies that need more open another. Default to endpoints 1,024 (as Envoy's).
   */
  readonly maxConcurrentStreams?: number;
  /**
   * Body bytes of one stream that the peer may send before they were passed on: what a stalled stream costs at most.
   * 65,535 to 2,147,483,647, fixed where it is given. Default 65,535, which grows to 262,140 while the bytes are passed on (a
   * quarter of a gigabyte a second at a millisecond there and back), by 4 MiB for all streams of a connection.
   */
  readonly initialStreamWindowBytes?: number;
  /**
   * Body bytes of all streams of a connection on their way to here. Room is given back as they arrive, so that a stalled
   * stream holds up no other. 65,535 to 2,147,483,647, default 1,048,576.
   */
  readonly initialConnectionWindowBytes?: number;
  /** Compression state kept for what the peer sends, 0 to 65,536. Default 4,096 (RFC 9113 §6.5.2). */
  readonly hpackTableBytes?: number;
  /** Whether the peer is asked for a sign of life. Absent: not; streams have timeouts of their own. */
  readonly keepalive?: Http2Keepalive;
}

/** PING frames on quiet connections (Envoy `connection_keepalive`). */
export interface Http2Keepalive {
  /** A connection on which nothing came for so long is asked. At least 1,000: many servers close on more. Default: not by itself. */
  readonly intervalMs?: number;
  /** Up to so much of `intervalMs` is added to it at random, each time, so that not all ask at once. Default 15 (Envoy `interval_jitter`). */
  readonly jitterPercent?: number;
  /**
   * A connection on which nothing came for so long is asked as a request begins on it, which does not wait (Envoy
   * `connection_idle_interval`). Towards endpoints alone. Default: not.
   */
  readonly idleIntervalMs?: number;
  /** Without an answer for so long it is closed. Default 5,000. */
  readonly timeoutMs?: number;
}
