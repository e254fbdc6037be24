import { FIELD_EXPECT, FIELD_HOST, KNOWN_NAMES } from '@tulle/fields';
import {
  BODY_CHUNKED,
  BODY_LENGTH,
  BODY_NONE,
  isValidAuthority,
  isValidMethod,
  isValidTarget,
  KNOWN_METHODS,
  sameAuthority,
  TARGET_ASTERISK,
  TARGET_AUTHORITY,
  TARGET_ORIGIN,
  type RequestHead,
} from '@tulle/http1';
import type { Http2Rule } from './faults.ts';
import {
  PSEUDO_AUTHORITY,
  PSEUDO_METHOD,
  PSEUDO_PATH,
  PSEUDO_PROTOCOL,
  PSEUDO_SCHEME,
} from './hpack/pseudo.ts';
import { MessageFields } from './message-fields.ts';
import type { Http2Options } from './options.ts';

const METHODS: ReadonlySet<string> = new Set(KNOWN_METHODS);
const HOST = KNOWN_NAMES[FIELD_HOST] as string;

/** Reads request heads (RFC 9113 §8.3.1, §8.5; RFC 8441 §4). */
export class RequestFields extends MessageFields {
  /** `:protocol`, undefined without one. */
  protocol: string | undefined = undefined;
  readonly #maxUriBytes: number;
  readonly #customMethods: boolean;
  readonly #strictTarget: boolean;
  readonly #connectProtocol: boolean;
  #method: string | undefined = undefined;
  #scheme: string | undefined = undefined;
  #authority: string | undefined = undefined;
  #path: string | undefined = undefined;
  #host: string | undefined = undefined;
  #hasExpect = false;
  /** The last ones that were found valid: by the next request of that client they are the same strings. */
  #validAuthority: string | undefined = undefined;
  #validPath: string | undefined = undefined;

  constructor(options: Http2Options) {
    super(options.maxHeadBytes, options.maxHeaders);
    this.#maxUriBytes = options.maxUriBytes;
    this.#customMethods = options.allowCustomMethods;
    this.#strictTarget = options.targetChars === 'rfc3986';
    this.#connectProtocol = options.connectProtocol;
  }

  /** Before the block is decoded. Resets the head. */
  start(head: RequestHead): void {
    head.reset();
    this.begin(head.fields);
    this.protocol = undefined;
    this.#method = undefined;
    this.#scheme = undefined;
    this.#authority = undefined;
    this.#path = undefined;
    this.#host = undefined;
    this.#hasExpect = false;
  }

  protected pseudo(id: number, value: string): void {
    switch (id) {
      case PSEUDO_METHOD:
        if (this.#method !== undefined) this.malformed('pseudo-repeated');
        this.#method = value;
        break;
      case PSEUDO_PATH:
        if (this.#path !== undefined) this.malformed('pseudo-repeated');
        this.#path = value;
        break;
      case PSEUDO_SCHEME:
        if (this.#scheme !== undefined) this.malformed('pseudo-repeated');
        this.#scheme = value;
        break;
      case PSEUDO_AUTHORITY:
        if (this.#authority !== undefined) this.malformed('pseudo-repeated');
        this.#authority = value;
        break;
      case PSEUDO_PROTOCOL:
        if (this.protocol !== undefined) this.malformed('pseudo-repeated');
        this.protocol = value;
        break;
      default:
        this.malformed('pseudo-unknown');
    }
  }

  protected override roleField(id: number, value: string): boolean {
    if (id === FIELD_HOST) {
      if (this.#host !== undefined) this.malformed('host-repeated');
      this.#host = value;
      return false; // put in by finish, when it is known to agree with :authority
    }
    if (id === FIELD_EXPECT) {
      if (this.#hasExpect || value.toLowerCase() !== '100-continue') this.answer('expect');
      this.#hasExpect = true;
    }
    return true;
  }

  protected sizeRule(): Http2Rule {
    return 'head-size';
  }

  protected linesRule(): Http2Rule {
    return 'head-lines';
  }

  /**
   * After the block: fills the head.
   * @returns a rule that makes the request malformed; see {@link answered} for one that is answered
   */
  finish(head: RequestHead, endStream: boolean): Http2Rule | undefined {
    this.finishLines();
    const rule = this.rule ?? this.#finishPseudo(head) ?? this.#finishFraming(head, endStream);
    this.end();
    return rule;
  }

  /** After `finish`: the rule for which the request gets a status, undefined when it is fine. */
  get answeredRule(): Http2Rule | undefined {
    return this.answered;
  }

  #finishPseudo(head: RequestHead): Http2Rule | undefined {
    const method = this.#method;
    // what was too large may lack its pseudo-headers: they were not looked at any more
    if (this.answered === 'head-size' && method === undefined) return undefined;
    if (method === undefined || method === '') return 'pseudo-missing';
    head.method = method;
    if (!METHODS.has(method)) {
      if (!isValidMethod(method)) return 'method-token';
      if (!this.#customMethods) this.answer('method-unknown');
    }
    const tunnel = method === 'CONNECT' && this.protocol === undefined;
    const path = this.#path;
    const scheme = this.#scheme;
    if (tunnel) {
      if (scheme !== undefined || path !== undefined) return 'pseudo-connect';
    } else {
      if (this.protocol !== undefined && (method !== 'CONNECT' || !this.#connectProtocol))
        return 'pseudo-connect';
      if (this.protocol === '') return 'pseudo-missing';
      if (this.answered !== 'head-size' && (path === undefined || path === '' || !scheme))
        return 'pseudo-missing';
    }
    this.#finishAuthority(head, tunnel);
    if (tunnel) return this.#authority === undefined || this.#authority === '' ? 'pseudo-missing' : undefined;
    if (scheme === 'http' || scheme === 'https') head.scheme = scheme;
    else this.#tryScheme(head, scheme ?? '');
    this.#finishPath(head, path ?? '/');
    return undefined;
  }

  #tryScheme(head: RequestHead, scheme: string): void {
    const lower = scheme.toLowerCase();
    if (lower === 'http' || lower === 'https') head.scheme = lower;
    else this.answer('target-scheme');
  }

  #finishPath(head: RequestHead, path: string): void {
    head.targetForm = path === '*' ? TARGET_ASTERISK : TARGET_ORIGIN;
    head.target = path;
    head.path = path;
    const query = path.indexOf('?');
    head.queryIndex = query < 0 ? path.length : query;
    if (path === this.#validPath) return;
    if (path.length > this.#maxUriBytes) this.answer('uri-length');
    else if (!isValidTarget(head.method === 'CONNECT' ? 'GET' : head.method, path, this.#strictTarget))
      this.answer('target');
    else if (path !== '*') this.#validPath = path;
  }

  /** RFC 9113 §8.3.1: `:authority` wins, and Host has to agree; without it, Host stands in. */
  #finishAuthority(head: RequestHead, tunnel: boolean): void {
    const host = this.#host;
    const authority = this.#authority ?? host;
    if (authority === undefined || authority === '') {
      if (!tunnel) this.answer('host-missing');
      return;
    }
    if (authority !== this.#validAuthority) {
      if (!isValidAuthority(authority)) return this.answer('target-authority');
      this.#validAuthority = authority;
    }
    if (tunnel) {
      if (!/:\d+$/.test(authority)) return this.answer('target-authority');
      head.targetForm = TARGET_AUTHORITY;
      head.target = authority;
    }
    if (host !== undefined && host !== authority) {
      if (!isValidAuthority(host)) return this.answer('host');
      const scheme = this.#scheme === 'https' ? 'https' : this.#scheme === 'http' ? 'http' : '';
      if (!sameAuthority(host, authority, scheme)) return this.answer('host-disagrees');
    }
    head.authority = authority;
    if (this.answered === undefined) this.table.pushValue(FIELD_HOST, HOST, authority);
  }

  #finishFraming(head: RequestHead, endStream: boolean): Http2Rule | undefined {
    head.expectContinue = this.#hasExpect;
    if (endStream && this.length > 0) return 'length-differs';
    if (head.method === 'CONNECT') {
      if (this.length >= 0 && this.protocol === undefined) this.answer('body-forbidden');
      return undefined;
    }
    head.contentLength = this.length;
    head.bodyKind =
      this.length >= 0 ? (endStream ? BODY_NONE : BODY_LENGTH) : endStream ? BODY_NONE : BODY_CHUNKED;
    if (endStream && this.length === 0) head.bodyKind = BODY_LENGTH; // announced, as HTTP/1 has it
    if (head.method === 'TRACE' && head.bodyKind !== BODY_NONE && this.length !== 0)
      this.answer('body-forbidden');
    return undefined;
  }
}
