/** Bounds and choices of a decoder. Every one has a default; see {@link DEFAULT_LIMITS}. */
export interface Http1Limits {
  /** Start line, fields and the empty line, in bytes. Default 61440: Envoy's `max_request_headers_kb` of 60. Beyond: 431, or 414 while in the request line. */
  readonly maxHeadBytes: number;
  /** Field lines of a head. Default 100: Envoy's `max_headers_count`. Beyond: 431. */
  readonly maxHeaders: number;
  /** Request target in bytes. Default 8192: RFC 9112 §3 asks for 8000 octets of request line at least. Beyond: 414. */
  readonly maxUriBytes: number;
  /** Extensions of all chunks of one body, in bytes. Default 4096: nobody uses them, and each byte costs us and carries nothing. */
  readonly maxChunkExtensionBytes: number;
  /** Trailer section in bytes. Default 8192: trailers carry a status or a checksum. Beyond: 431. */
  readonly maxTrailerBytes: number;
  /** Trailer lines. Default 32, for the same reason. */
  readonly maxTrailers: number;
  /** Interim (1xx) responses before one final response. Default 8: 103 Early Hints comes once or twice; a flood is an attack. */
  readonly maxInformational: number;
  /**
   * Methods that are neither in the IANA registry nor in common use. Default false, as Envoy's `allow_custom_methods`:
   * origins read unknown tokens (`get`, `GETX`) differently, which is how a policy on GET is evaded. Refused: 501.
   */
  readonly allowCustomMethods: boolean;
  /**
   * Characters of a request target. `whatwg` (default): RFC 3986 plus what URL serialisers of browsers and HTTP
   * libraries leave bare: `[ ] |` in the path, `[ ] | { } ^ \ `` ` `` and a lone `%` in the query. `rfc3986`: nothing else
   * than the grammar. Controls, blanks, `#`, `"`, `<`, `>` and octets above 127 are refused by both.
   */
  readonly targetChars: 'whatwg' | 'rfc3986';
}

export const DEFAULT_LIMITS: Http1Limits = Object.freeze({
  maxHeadBytes: 60 * 1024,
  maxHeaders: 100,
  maxUriBytes: 8192,
  maxChunkExtensionBytes: 4096,
  maxTrailerBytes: 8192,
  maxTrailers: 32,
  maxInformational: 8,
  allowCustomMethods: false,
  targetChars: 'whatwg',
});
