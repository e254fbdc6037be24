import type { ErrorCode } from './error-table.ts';
import type { MutableHeaders } from './headers.ts';
import type { Slot } from './slot.ts';
import type { STOP } from './verdict.ts';

/** The connection on which a stream or raw bytes arrived. Valid as long as the stream or connection. */
export interface ConnectionInfo {
  /** IP address of the peer, or that which a header of the PROXY protocol says in its place; `''` for a Unix socket. */
  readonly remoteAddress: string;
  /** IP address that connected, as the kernel says, whatever a header of the PROXY protocol says; `''` for a Unix socket. */
  readonly directAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** Name of the listener that accepted it. */
  readonly listener: string;
  readonly direction: 'inbound' | 'outbound' | 'unspecified';
  /** Whether the peer spoke TLS to this proxy. */
  readonly tls: boolean;
  /** The peer's SPIFFE id, proven by mutual TLS before a byte of the request was believed; `undefined` otherwise. */
  readonly peerIdentity: string | undefined;
  /** The peer's certificate, PEM; absent without one, and for who does not come over TLS. Written out when it is first asked for. */
  readonly peerCertificate?: string | undefined;
  /** TLS server name asked for, lower case. */
  readonly serverName: string | undefined;
  /** Protocol chosen by ALPN. */
  readonly alpn: string | undefined;
}

/** The request as it will be sent on. */
export interface RequestHead {
  /** Case-sensitive method token (RFC 9110 §9.1). Assigning validates it. */
  method: string;
  /** Path without query, exactly as policy judges and the origin receives it; starts with `/`, or `*` for OPTIONS. */
  path: string;
  /** Query without `?`; `undefined` when there is none, `''` for a bare `?`. */
  query: string | undefined;
  /** The one host that decides: lower case, without userinfo or trailing dot, port kept when it was given. */
  authority: string;
  readonly scheme: 'http' | 'https';
  /** Protocol the caller speaks. */
  readonly protocol: 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2';
  readonly headers: MutableHeaders;
  /** Whether a body was announced, empty or not; without one no `requestData` hook is called. */
  readonly hasBody: boolean;
  /** Length of the body that was announced, in bytes; `undefined` when it is not known, or there is none. */
  readonly bodyLength: number | undefined;
  /** Trailers, from the end of the body on: in `requestData` with `end`, in `requestTrailers`; an empty table before. */
  readonly trailers: MutableHeaders;
}

/** The response as it will be sent to the caller. Reading it before there is one throws. */
export interface ResponseHead {
  /** 200–599: interim responses (1xx) are not shown to filters. */
  status: number;
  readonly headers: MutableHeaders;
  /** Length of the body that was announced, in bytes; for HEAD what GET would have; `undefined` when it is not known. */
  readonly bodyLength: number | undefined;
  /**
   * Trailers, from the end of the body on: in `responseData` with `end`, in `responseTrailers`, in `complete`; an empty table
   * before. A hook that puts them elsewhere, e.g. into the body by {@link HttpStream.emit}, removes them here.
   */
  readonly trailers: MutableHeaders;
  /** `upstream` when an endpoint answered, `local` when Tulle did (a reply, a timeout, no route). */
  readonly origin: 'upstream' | 'local';
}

/** The matched route. */
export interface RouteInfo {
  /** Name from the configuration. */
  readonly name: string;
  /** Cluster chosen (after the weighted split); `undefined` for redirects and direct responses. */
  readonly cluster: string | undefined;
  /** What the route's configuration says to filters that look for it, by name; absent for nothing. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Template of the matched path, e.g. `/orders/` — low cardinality, fit for a metric label. */
  readonly pattern: string;
}

/** How an attempt ended, or so far went. */
export interface AttemptInfo {
  /** 1 for the first. */
  readonly number: number;
  /** `host:port` of the chosen endpoint; `''` when none could be chosen. */
  readonly endpoint: string;
  /** The endpoint's proven SPIFFE id, when mutual TLS is on and done. */
  readonly endpointIdentity: string | undefined;
  /** Response status, 0 when the attempt failed before one. */
  readonly status: number;
  /**
   * gRPC status that a call was refused with before it was answered (in the response head, "trailers-only"); -1 otherwise.
   */
  readonly grpcStatus: number;
  /** Error code when the attempt failed, else `undefined`. */
  readonly failure: string | undefined;
  /** Whether the attempt is provably unsent (decision D5): then any request may be sent again. */
  readonly unsent: boolean;
  /**
   * Whether the request may be sent again: unsent, or idempotent by RFC 9110 §9.2.2, or a gRPC call that was refused by a
   * status where the configuration retries such ({@link HttpFilterDefinition.retriesGrpc}); and the body is still at hand.
   */
  readonly repeatable: boolean;
  /** Milliseconds since the attempt began. */
  readonly elapsedMs: number;
  /**
   * Delay before the next attempt in milliseconds, assigned by the filter that returns RETRY.
   * Default: 25 ms doubling to 250 ms, full jitter (Envoy's numbers).
   */
  retryDelayMs: number;
}

/**
 * One HTTP request with its response, lent to a hook. **Borrowed:** the object is pooled, so keep it nowhere after
 * the last hook returned (or its promise settled); any access after `complete` throws, in production too (D2).
 */
export interface HttpStream {
  readonly connection: ConnectionInfo;
  /**
   * IP address of the caller: that which `x-forwarded-for` names where the listener believes it (Envoy `use_remote_address`,
   * `xff_num_trusted_hops`), else that of the connection; `''` for a Unix socket.
   */
  readonly clientAddress: string;
  readonly request: RequestHead;
  readonly response: ResponseHead;
  /** `undefined` in `before-route` filters, and for requests that no route matched. */
  readonly route: RouteInfo | undefined;
  /** The attempt under way or just ended; throws in hooks of request scope other than `complete`. */
  readonly attempt: AttemptInfo;
  /** `x-request-id`, made here when the caller sent none. */
  readonly requestId: string;
  /**
   * Answers the caller now; the upstream is not asked, or no longer listened to.
   *
   * `return stream.reply(403, 'TULLE_AUTHZ_DENIED')` — it returns {@link STOP} so that the line reads as one.
   * @param status 200–599
   * @param code from the error table or your own `TULLE_<AREA>_<WHAT>`-shaped one; goes to record, metric and log
   * @param body text (UTF-8) or bytes; default: an empty body for 2xx, else a short text naming the code
   * @param headers flat `[name, value, name, value]`
   * @param details overrides the row's details string, e.g. `rbac_access_denied_matched_policy[web-only]`
   * @throws TulleError when the response has already begun
   */
  reply(
    status: number,
    code: string,
    body?: string | Uint8Array,
    headers?: readonly string[],
    details?: string,
  ): typeof STOP;
  /**
   * Matches the route again, after method, path, authority or headers were changed. Filters that have run are not
   * run again; the later ones follow the new route's table. Only from `requestHeaders`; later it throws.
   */
  rematch(): void;
  /**
   * Replaces the bytes of the current data hook (body need `transform` or `{ buffer }`). May be called several times.
   * The bytes are copied or written before it returns. No bytes at all replace a collected body by an empty one.
   */
  emit(bytes: Uint8Array): void;
  /**
   * In `responseHeaders`, before it returns: the body of this response passes this filter untouched. Its data hook is not called, and
   * unless another filter transforms the body, length and validators stay.
   */
  passResponseBody(): void;
  /**
   * In `requestHeaders`, before it returns: the body of this request passes this filter untouched. Its data hook is not called,
   * and unless another filter transforms the body, its length stays.
   */
  passRequestBody(): void;
  /**
   * In `responseHeaders`, before it returns: the body of this response is not collected, although the need says so. Its pieces come
   * to the data hook one by one, as with `'transform'`.
   */
  streamResponseBody(): void;
  /** In `requestHeaders`, before it returns: the same for the body of this request. */
  streamRequestBody(): void;
  /**
   * Gives the stream up, at any time: before the response has begun the caller gets the answer of the error's row, behind that a
   * response that is seen to be broken, as {@link HttpStream.reply} cannot be called any more. It returns {@link STOP}.
   * @param details overrides the row's details string @param status likewise its status
   */
  abort(code: ErrorCode, details?: string, status?: number): typeof STOP;
  /** Writes (code, value) into the stream's decision notes, which explain and the recorder decode (D10). Two integers. */
  note(code: number, value: number): void;
  /**
   * Texts of what is known of the stream by now, in the words of access logs.
   * @param render of `@tulle/record-format`: gets a `StreamRecord` of `@tulle/telemetry`, borrowed until it returns
   */
  describe(render: (record: never) => string): string;
  get<T>(slot: Slot<T>): T | undefined;
  set<T>(slot: Slot<T>, value: T): void;
}
