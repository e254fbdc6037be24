import { FieldTable } from '@tulle/fields';

/** No body, and none announced: a GET, a 204, the answer to HEAD. */
export const BODY_NONE = 0;
/** `contentLength` bytes follow (0 is possible: the length was announced). */
export const BODY_LENGTH = 1;
/** Chunked transfer coding (RFC 9112 §7.1). */
export const BODY_CHUNKED = 2;
/** Responses only: until the connection closes (RFC 9112 §6.3 rule 8). */
export const BODY_CLOSE = 3;
/** How the end of a message is found (RFC 9112 §6.3). */
export type BodyKind = typeof BODY_NONE | typeof BODY_LENGTH | typeof BODY_CHUNKED | typeof BODY_CLOSE;

/** `/path?query`: what clients send to origins and gateways. */
export const TARGET_ORIGIN = 0;
/** `http://host/path`: what clients send to proxies. */
export const TARGET_ABSOLUTE = 1;
/** `host:port`: CONNECT only. */
export const TARGET_AUTHORITY = 2;
/** `*`: OPTIONS only. */
export const TARGET_ASTERISK = 3;
/** Form of a request target (RFC 9112 §3.2). */
export type TargetForm =
  | typeof TARGET_ORIGIN
  | typeof TARGET_ABSOLUTE
  | typeof TARGET_AUTHORITY
  | typeof TARGET_ASTERISK;

/** Shared by heads that list none, as those of HTTP/2: never written. */
export const NO_NAMES: string[] = [];

/** What both heads have. Reused: valid until the decoder reads the next message or the owner resets it. */
export class MessageHead {
  /** Every line as it arrived, framing and hop-by-hop lines included (encoders skip those). */
  readonly fields: FieldTable = new FieldTable();
  /** 1 for HTTP/1.1, 0 for HTTP/1.0. */
  minorVersion: 0 | 1 = 1;
  bodyKind: BodyKind = BODY_NONE;
  /** Value of Content-Length, -1 without one. With BODY_NONE (HEAD, 304) it is the length that a GET would have had. */
  contentLength = -1;
  /** Whether the sender lets the connection be used again (RFC 9112 §9.3). Always false with BODY_CLOSE. */
  keepAlive = true;
  /** Value of Upgrade when Connection lists `upgrade` and the version is 1.1 (RFC 9110 §7.8), else undefined. */
  upgrade: string | undefined = undefined;
  /** Lower-case names that Connection lists, without `close`, `keep-alive` and `upgrade`; see `stripHopByHop`. */
  connectionNames: string[] = NO_NAMES;

  reset(): void {
    this.fields.reset();
    this.minorVersion = 1;
    this.bodyKind = BODY_NONE;
    this.contentLength = -1;
    this.keepAlive = true;
    this.upgrade = undefined;
    if (this.connectionNames.length > 0) this.connectionNames.length = 0;
  }
}

/** A request head, checked. */
export class RequestHead extends MessageHead {
  method = '';
  /** The target exactly as received. */
  target = '';
  targetForm: TargetForm = TARGET_ORIGIN;
  /**
   * Path and query as the origin is asked for them: `/…`, or `*`. Of an absolute target, its path and query
   * (`/` when empty; `*` for OPTIONS without path, RFC 9112 §3.2.4). Empty for CONNECT.
   */
  path = '';
  /** Index of `?` in `path`, or the length of `path` when there is no query. */
  queryIndex = 0;
  /** Host and port as received (absolute and authority form: from the target, where Host agrees); '' only for HTTP/1.0 without Host. */
  authority = '';
  /** Scheme of an absolute target, else ''. */
  scheme: '' | 'http' | 'https' = '';
  /** `Expect: 100-continue` from an HTTP/1.1 client (RFC 9110 §10.1.1). Other expectations were refused. */
  expectContinue = false;

  override reset(): void {
    super.reset();
    this.method = '';
    this.target = '';
    this.targetForm = TARGET_ORIGIN;
    this.path = '';
    this.queryIndex = 0;
    this.authority = '';
    this.scheme = '';
    this.expectContinue = false;
  }
}

/** A response head, checked against the request that it answers. */
export class ResponseHead extends MessageHead {
  /** 100–599 */
  status = 0;
  /** Reason phrase; the shared standard string when it is the standard one. */
  reason = '';
  /** The connection is now a tunnel: 101 after an upgrade was asked for, or 2xx to CONNECT. Bytes that follow are opaque. */
  tunnel = false;

  override reset(): void {
    super.reset();
    this.status = 0;
    this.reason = '';
    this.tunnel = false;
  }
}
