import { FieldTable } from '@tulle/fields';
import { FIRST_OWN_BIT, HeadFlags, type TargetForm } from './head-flags.ts';

/** Of a request: first of two bits each, then one. */
const FORM_AT: number = FIRST_OWN_BIT;
const SCHEME_AT: number = FIRST_OWN_BIT + 2;
const SCHEMES = ['', 'http', 'https'] as const;
const EXPECTS: number = 1 << (FIRST_OWN_BIT + 4);
/** Of a response. */
const TUNNEL: number = 1 << FIRST_OWN_BIT;

/** Shared by heads that list none, as those of HTTP/2: never written. */
export const NO_NAMES: string[] = [];

/** What both heads have. Reused: valid until the decoder reads the next message or the owner resets it. */
export class MessageHead extends HeadFlags {
  /** Every line as it arrived, framing and hop-by-hop lines included (encoders skip those). */
  readonly fields: FieldTable = new FieldTable();
  /** Value of Content-Length, -1 without one. With BODY_NONE (HEAD, 304) it is the length that a GET would have had. */
  contentLength = -1;
  /** Value of Upgrade when Connection lists `upgrade` and the version is 1.1 (RFC 9110 §7.8), else undefined. */
  upgrade: string | undefined = undefined;
  /** Lower-case names that Connection lists, without `close`, `keep-alive` and `upgrade`; see `stripHopByHop`. */
  connectionNames: string[] = NO_NAMES;

  reset(): void {
    this.resetFlags();
    this.fields.reset();
    this.contentLength = -1;
    this.upgrade = undefined;
    if (this.connectionNames.length > 0) this.connectionNames.length = 0;
  }
}

/** A request head, checked. */
export class RequestHead extends MessageHead {
  method = '';
  /** The target exactly as received. */
  target = '';
  /**
   * Path and query as the origin is asked for them: `/…`, or `*`. Of an absolute target, its path and query
   * (`/` when empty; `*` for OPTIONS without path, RFC 9112 §3.2.4). Empty for CONNECT.
   */
  path = '';
  /** Index of `?` in `path`, or the length of `path` when there is no query. */
  queryIndex = 0;
  /** Host and port as received (absolute and authority form: from the target, where Host agrees); '' only for HTTP/1.0 without Host. */
  authority = '';

  get targetForm(): TargetForm {
    return ((this.bits >> FORM_AT) & 3) as TargetForm;
  }

  set targetForm(value: TargetForm) {
    this.bits = (this.bits & ~(3 << FORM_AT)) | (value << FORM_AT);
  }

  /** Scheme of an absolute target, else ''. */
  get scheme(): '' | 'http' | 'https' {
    return SCHEMES[(this.bits >> SCHEME_AT) & 3] as (typeof SCHEMES)[number];
  }

  set scheme(value: '' | 'http' | 'https') {
    this.bits = (this.bits & ~(3 << SCHEME_AT)) | (SCHEMES.indexOf(value) << SCHEME_AT);
  }

  /** `Expect: 100-continue` from an HTTP/1.1 client (RFC 9110 §10.1.1). Other expectations were refused. */
  get expectContinue(): boolean {
    return (this.bits & EXPECTS) !== 0;
  }

  set expectContinue(value: boolean) {
    if (value) this.bits |= EXPECTS;
    else this.bits &= ~EXPECTS;
  }

  override reset(): void {
    super.reset();
    this.method = '';
    this.target = '';
    this.path = '';
    this.queryIndex = 0;
    this.authority = '';
  }
}

/** A response head, checked against the request that it answers. */
export class ResponseHead extends MessageHead {
  /** 100–599 */
  status = 0;
  /** Reason phrase; the shared standard string when it is the standard one. */
  reason = '';

  /** The connection is now a tunnel: 101 after an upgrade was asked for, or 2xx to CONNECT. Bytes that follow are opaque. */
  get tunnel(): boolean {
    return (this.bits & TUNNEL) !== 0;
  }

  set tunnel(value: boolean) {
    if (value) this.bits |= TUNNEL;
    else this.bits &= ~TUNNEL;
  }

  override reset(): void {
    super.reset();
    this.status = 0;
    this.reason = '';
  }
}
