import type { Headers } from './headers.ts';

/**
 * A call that a filter makes to somebody else: keys of an issuer, an authorization service. It walks the engine's own
 * way to an endpoint, so balancing, TLS, pools and limits are those of requests, and it runs in memory and virtual time
 * in tests.
 */
export interface FetchRequest {
  /** `http://` or `https://` URL: origin, path and query. No credentials, no fragment. */
  readonly url: string;
  /**
   * Cluster of the proxy's configuration that is asked instead of the URL's own host, e.g. a mesh service over mutual
   * TLS (Envoy `HttpUri.cluster`). Default: the URL's host, resolved here; `https` believes the roots that Node ships.
   */
  readonly cluster?: string;
  /** Default `GET`. */
  readonly method?: string;
  /** Path and query to ask for, sent exactly as given; begins with `/`. Default: the URL's, as a URL parser writes them. */
  readonly target?: string;
  /** Host to ask for (`Host`), with its port where it has one. Default: the URL's. */
  readonly authority?: string;
  /** Flat `[name, value, name, value]`, names lower case. Framing fields belong to the engine. */
  readonly headers?: readonly string[];
  /** Sent with Content-Length; copied before `fetch` returns. */
  readonly body?: Uint8Array;
  /** For everything, names and connection included, until the last byte of the reply. */
  readonly timeoutMs: number;
  /** Larger replies are refused: whoever is asked must not fill this process's memory. */
  readonly maxBodyBytes: number;
}

/** What the other side answered, whole. Yours to keep. */
export interface FetchReply {
  /** 200–599. Redirects are not followed: a 3xx is the reply. */
  readonly status: number;
  readonly headers: Headers;
  /** Fields after the body, e.g. a gRPC call's status (over HTTP/2); an empty table where there are none. */
  readonly trailers: Headers;
  readonly body: Uint8Array;
}
