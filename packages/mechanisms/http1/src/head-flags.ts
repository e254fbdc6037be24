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

const VERSION_10 = 1;
const CLOSES = 2;
/** First of two bits. */
const KIND_AT = 2;
/** The bits from here on are a request's or a response's own. */
export const FIRST_OWN_BIT = 4;

/**
 * What heads say in few words, in one number: a proxy keeps a request's and a response's head as long as their stream lives,
 * and of idle streams there are many. All zero is what most heads say.
 */
export abstract class HeadFlags {
  protected bits = 0;

  /** Back to what most heads say. */
  protected resetFlags(): void {
    this.bits = 0;
  }

  /** 1 for HTTP/1.1, 0 for HTTP/1.0. */
  get minorVersion(): 0 | 1 {
    return (this.bits & VERSION_10) === 0 ? 1 : 0;
  }

  set minorVersion(value: 0 | 1) {
    if (value === 0) this.bits |= VERSION_10;
    else this.bits &= ~VERSION_10;
  }

  /** Whether the sender lets the connection be used again (RFC 9112 §9.3). Always false with BODY_CLOSE. */
  get keepAlive(): boolean {
    return (this.bits & CLOSES) === 0;
  }

  set keepAlive(value: boolean) {
    if (value) this.bits &= ~CLOSES;
    else this.bits |= CLOSES;
  }

  get bodyKind(): BodyKind {
    return ((this.bits >> KIND_AT) & 3) as BodyKind;
  }

  set bodyKind(value: BodyKind) {
    this.bits = (this.bits & ~(3 << KIND_AT)) | (value << KIND_AT);
  }
}
