/** Bounds and choices of one connection. Every one has a default; see {@link DEFAULT_OPTIONS}. */
export interface Http2Options {
  /**
   * Streams that are open at once. A server announces it and refuses what is above (REFUSED_STREAM); a client keeps to
   * the lower of this and the peer's. Default 1024: Tulle's proxies share one connection for all callers of a workload,
   * and below a few hundred they would need several. (Envoy from 1.36: 1024; nginx 128; browsers need 100.)
   */
  readonly maxConcurrentStreams: number;
  /**
   * Receive window of a stream when it begins, SETTINGS_INITIAL_WINDOW_SIZE: what a sender may have under way before the
   * owner has passed it on, so also what a stream holds whose owner takes nothing. Default 65535, the protocol's own: small,
   * since the peer decides how many streams stall.
   */
  readonly streamWindowBytes: number;
  /**
   * What the window of a stream grows to while its owner takes what comes: doubled each time that half of it was passed
   * on. Default 262140, four times the protocol's: 100 Mbit/s over 20 ms. (No power of two: bodies often are multiples of one,
   * and node:http2 may reset a stream whose window is used up just at the end, before it said that it ends.) The same as
   * `streamWindowBytes` or less: it does not grow.
   */
  readonly maxStreamWindowBytes: number;
  /**
   * What all windows of a connection together may grow by, so that a connection holds at most this and
   * `maxConcurrentStreams` times `streamWindowBytes`. Default 4194304 (4 MiB): twenty streams at full speed at a time.
   */
  readonly maxWindowGrowthBytes: number;
  /**
   * Receive window of the connection. It is credited when bytes arrive, because the streams' own windows are what bounds
   * memory, and a stalled stream must not stop the others: so it only has to cover a round trip. Default 1048576 (1 MiB).
   */
  readonly connectionWindowBytes: number;
  /**
   * SETTINGS_MAX_FRAME_SIZE announced to the peer, 16384–16777215. Default 16384, the protocol's own: larger frames let
   * one stream hold up the others for longer.
   */
  readonly maxFrameBytes: number;
  /** SETTINGS_HEADER_TABLE_SIZE for the peer's encoder. Default 4096, the protocol's own. */
  readonly headerTableBytes: number;
  /** Upper bound on what the peer may ask of our encoder's table. Default 4096: memory that the peer decides about. */
  readonly maxEncoderTableBytes: number;
  /**
   * Names, values and 32 octets for each line of a head, SETTINGS_MAX_HEADER_LIST_SIZE. Default 61440, as the HTTP/1
   * codec's `maxHeadBytes` (Envoy: 60 KiB). A larger request gets 431, a larger response is a stream error.
   */
  readonly maxHeadBytes: number;
  /** Field lines of a head. Default 100, as HTTP/1's (Envoy's `max_headers_count`). A request with more gets 431. */
  readonly maxHeaders: number;
  /** Characters of `:path`. Default 8192, as HTTP/1's `maxUriBytes`. Beyond: 414. */
  readonly maxUriBytes: number;
  /** Trailer section, counted as a head is. Default 8192. Beyond: a stream error. */
  readonly maxTrailerBytes: number;
  /** Trailer lines. Default 32. */
  readonly maxTrailers: number;
  /** Interim (1xx) responses before one final response. Default 8, as HTTP/1's. */
  readonly maxInformational: number;
  /**
   * Octets of one header block as compressed, HEADERS and its CONTINUATION frames together. Default 131072: twice
   * `maxHeadBytes`, so that a head that is somewhat too large still gets its 431. Beyond: ENHANCE_YOUR_CALM (CVE-2024-27316).
   */
  readonly maxHeaderBlockBytes: number;
  /** CONTINUATION frames of one block. Default 32: full frames hold `maxHeaderBlockBytes` in eight. */
  readonly maxContinuations: number;
  /** Methods that are neither registered nor in common use; else 501. Default false, as HTTP/1's. */
  readonly allowCustomMethods: boolean;
  /** Characters of `:path`, as HTTP/1's `targetChars`. Default `whatwg`. */
  readonly targetChars: 'whatwg' | 'rfc3986';
  /** Server: announce SETTINGS_ENABLE_CONNECT_PROTOCOL and take `:protocol` (RFC 8441). Default true. */
  readonly connectProtocol: boolean;

  // — sending —

  /**
   * Body accepted by `writeData` and not yet sent, for one stream, from which on `stream.writable` is false and the
   * owner stops its source; `onDrain` comes at half. Default 65536.
   */
  readonly streamQueueBytes: number;
  /**
   * Bytes in the output from which on DATA waits in its stream until `pump`. Default 131072: keeps the kernel busy, and
   * lets a new stream's head wait behind little.
   */
  readonly outputBytes: number;
  /**
   * Bytes in the output at which a peer that does not read is cut off (`unread-replies`): answers to PING and SETTINGS, resets and
   * heads are not flow controlled (CVE-2019-9512, 9514, 9515, 9517). Default 1048576.
   */
  readonly maxOutputBytes: number;

  // — floods: frames that cost us and carry nothing. Each has a bucket of `burst` tokens that `perSecond` refill; see
  //   FloodRule for what else gives tokens back. An empty bucket ends the connection with ENHANCE_YOUR_CALM. —

  /** PING without ACK (CVE-2019-9512). Default 256 + 64/s; one token comes back for each frame of content, because gRPC probes bandwidth with PING. */
  readonly pingFlood: FloodBudget;
  /** SETTINGS, and acknowledgements nobody waits for (CVE-2019-9515). Default 32 + 4/s. */
  readonly settingsFlood: FloodBudget;
  /**
   * Streams that the peer opened and reset, or that were refused (rapid reset, CVE-2023-44487). Default 500 + 50/s; one
   * comes back for each stream that ends in order, so that a busy connection may cancel half of its calls.
   */
  readonly resetFlood: FloodBudget;
  /** Stream errors that the peer provoked (MadeYouReset, CVE-2025-8671). Default 100 + 10/s; one comes back for each stream that ends in order. */
  readonly streamErrorFlood: FloodBudget;
  /** DATA without content and without END_STREAM (CVE-2019-9518). Default 100 + 10/s. */
  readonly emptyDataFlood: FloodBudget;
  /** PRIORITY, frames of unknown types, frames on streams that are over (CVE-2019-9513). Default 500 + 50/s; ten come back for each stream opened. */
  readonly uselessFlood: FloodBudget;
  /** WINDOW_UPDATE (CVE-2019-9517 and kin). Default 2000 + 100/s; eight come back for each DATA frame sent (none for one that the window cut below 256 octets), four for each stream opened. */
  readonly windowUpdateFlood: FloodBudget;
}

/** A bucket of tokens. */
export interface FloodBudget {
  /** Tokens when full. */
  readonly burst: number;
  /** Tokens that come back each second. */
  readonly perSecond: number;
}

export const DEFAULT_OPTIONS: Http2Options = Object.freeze({
  maxConcurrentStreams: 1024,
  streamWindowBytes: 65_535,
  maxStreamWindowBytes: 262_140,
  maxWindowGrowthBytes: 4_194_304,
  connectionWindowBytes: 1_048_576,
  maxFrameBytes: 16_384,
  headerTableBytes: 4096,
  maxEncoderTableBytes: 4096,
  maxHeadBytes: 60 * 1024,
  maxHeaders: 100,
  maxUriBytes: 8192,
  maxTrailerBytes: 8192,
  maxTrailers: 32,
  maxInformational: 8,
  maxHeaderBlockBytes: 131_072,
  maxContinuations: 32,
  allowCustomMethods: false,
  targetChars: 'whatwg',
  connectProtocol: true,
  streamQueueBytes: 65_536,
  outputBytes: 131_072,
  maxOutputBytes: 1_048_576,
  pingFlood: Object.freeze({ burst: 256, perSecond: 64 }),
  settingsFlood: Object.freeze({ burst: 32, perSecond: 4 }),
  resetFlood: Object.freeze({ burst: 500, perSecond: 50 }),
  streamErrorFlood: Object.freeze({ burst: 100, perSecond: 10 }),
  emptyDataFlood: Object.freeze({ burst: 100, perSecond: 10 }),
  uselessFlood: Object.freeze({ burst: 500, perSecond: 50 }),
  windowUpdateFlood: Object.freeze({ burst: 2000, perSecond: 100 }),
});
