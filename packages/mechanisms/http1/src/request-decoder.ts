import { FIELD_EXPECT, FIELD_HOST, latin1Slice, TOKEN_LOWER } from '@tulle/fields';
import { REQUEST_FAULTS, type Http1Rule } from './faults.ts';
import { isToken, readProtocols } from './framing-fields.ts';
import {
  BODY_CHUNKED,
  BODY_LENGTH,
  BODY_NONE,
  TARGET_ABSOLUTE,
  TARGET_ASTERISK,
  TARGET_AUTHORITY,
  TARGET_ORIGIN,
  type TargetForm,
} from './head-flags.ts';
import { RequestHead, type MessageHead } from './heads.ts';
import type { Http1Limits } from './limits.ts';
import { MessageDecoder, MORE } from './message-decoder.ts';
import {
  countEscapeDigits,
  findMethod,
  isValidAuthority,
  TARGET_BARE,
  TARGET_BARE_QUERY,
  TARGET_CLASS,
  TARGET_PERCENT,
  TARGET_PLAIN,
  TARGET_QUERY,
} from './request-parts.ts';
import { readAbsoluteTarget, sameAuthority } from './absolute-target.ts';
import type { RequestSink } from './sinks.ts';

/** Longest method token looked at; the longest registered one has 17 characters. */
const MAX_METHOD_BYTES = 32;
/** Room in the request line beside the target: method, version, blanks, CR LF. */
const REQUEST_LINE_EXTRA_BYTES = MAX_METHOD_BYTES + 12;

const HTTP_1 = [72, 84, 84, 80, 47] as const;

/**
 * Reads requests from one connection, in order. Bytes of a pipelined request stay with the caller until it calls
 * `execute` again.
 */
export class RequestDecoder extends MessageDecoder {
  /**
   * The head that the next request fills. Leave it, or exchange it between requests (also inside `onHead`) to give each
   * stream a head of its own.
   */
  head: RequestHead;
  readonly #sink: RequestSink;
  #current: RequestHead;
  readonly #strictTarget: boolean;
  #targetStart = 0;
  #targetEnd = 0;
  #queryAt = -1;
  #hostLine = -1;
  #hasExpect = false;

  protected readonly skipsEmptyLine: boolean = true;
  protected readonly awaitsMessage: boolean = false;
  protected readonly startLineLimit: number;
  protected readonly startLineRule: Http1Rule = 'uri-length';

  constructor(sink: RequestSink, limits: Partial<Http1Limits> = {}, head: RequestHead = new RequestHead()) {
    super(sink, REQUEST_FAULTS, limits, head.fields, false);
    this.#sink = sink;
    this.head = head;
    this.#current = head;
    this.#strictTarget = this.limits.targetChars === 'rfc3986';
    this.startLineLimit = this.limits.maxUriBytes + REQUEST_LINE_EXTRA_BYTES;
  }

  protected takeHead(): MessageHead {
    const head = this.head;
    head.reset();
    this.#current = head;
    this.#queryAt = -1;
    this.#hostLine = -1;
    this.#hasExpect = false;
    return head;
  }

  protected readStartLine(bytes: Buffer, pos: number, end: number): number {
    const head = this.#current;
    let at = pos;
    if (
      at + 3 < end &&
      bytes[at] === 71 &&
      bytes[at + 1] === 69 &&
      bytes[at + 2] === 84 &&
      bytes[at + 3] === 32
    ) {
      head.method = 'GET';
      at += 4;
    } else {
      at = this.#readMethod(bytes, pos, end);
      if (at < 0) return at;
    }
    const targetStart = at;
    const strict = this.#strictTarget;
    const form: TargetForm =
      head.method === 'CONNECT'
        ? TARGET_AUTHORITY
        : bytes[at] === 47
          ? TARGET_ORIGIN
          : bytes[at] === 42
            ? TARGET_ASTERISK
            : TARGET_ABSOLUTE;
    let queryAt = -1;
    for (; at < end; at++) {
      const kind = TARGET_CLASS[bytes[at] as number] as number;
      if (kind === TARGET_PLAIN) continue;
      if (kind === TARGET_QUERY) {
        if (queryAt < 0) queryAt = at;
        continue;
      }
      if (kind === TARGET_PERCENT) {
        if (queryAt >= 0 && !strict) continue;
        const digits = countEscapeDigits(bytes, at, end);
        if (digits === 2) continue;
        return at + 1 + digits >= end ? MORE : this.fail('target-escape', at);
      }
      // the brackets of an IPv6 host in an absolute target are no part of the path: what is there is checked later
      if (
        (kind === TARGET_BARE && (!strict || form !== TARGET_ORIGIN)) ||
        (kind === TARGET_BARE_QUERY && queryAt >= 0 && !strict)
      )
        continue;
      break;
    }
    if (at - targetStart > this.limits.maxUriBytes) return this.fail('uri-length', at);
    if (at >= end) return MORE;
    const stop = bytes[at] as number;
    if (stop !== 32) {
      return this.fail(
        stop === 35 ? 'target-fragment' : stop === 10 ? 'line-end' : stop === 13 ? 'request-line' : 'target',
        at,
      );
    }
    if (at === targetStart) return this.fail('request-line', at);
    head.targetForm = form;
    this.#targetStart = targetStart;
    this.#targetEnd = at;
    this.#queryAt = queryAt < 0 ? -1 : queryAt - targetStart;
    return this.#readVersion(bytes, at + 1, end);
  }

  /** @returns the position after the blank behind the method */
  #readMethod(bytes: Buffer, pos: number, end: number): number {
    let at = pos;
    while (at < end && TOKEN_LOWER[bytes[at] as number] !== 0) at++;
    if (at - pos > MAX_METHOD_BYTES) return this.fail('method-unknown', at);
    if (at >= end) return MORE;
    if (bytes[at] !== 32)
      return this.fail(bytes[at] === 10 ? 'line-end' : bytes[at] === 13 ? 'request-line' : 'method', at);
    if (at === pos) return this.fail('request-line', at);
    const method = findMethod(bytes, pos, at);
    if (method !== undefined) {
      this.#current.method = method;
      return at + 1;
    }
    if (bytes[pos] === 80 && at - pos === 3 && bytes[pos + 1] === 82 && bytes[pos + 2] === 73)
      return this.#readPreface(bytes, pos, end);
    if (!this.limits.allowCustomMethods) return this.fail('method-unknown', pos);
    this.#current.method = latin1Slice(bytes, pos, at);
    return at + 1;
  }

  /** `PRI * HTTP/2.0` CR LF: the client assumes HTTP/2 (RFC 9113 §3.4). */
  #readPreface(bytes: Buffer, pos: number, end: number): number {
    const preface = 'PRI * HTTP/2.0\r\n';
    for (let i = 0; i < preface.length; i++) {
      if (pos + i >= end) return MORE;
      if (bytes[pos + i] !== preface.charCodeAt(i)) return this.fail('method-unknown', pos);
    }
    return this.fail('http2-preface', pos);
  }

  #readVersion(bytes: Buffer, pos: number, end: number): number {
    for (let i = 0; i < 5; i++) {
      if (pos + i >= end) return MORE;
      if (bytes[pos + i] !== HTTP_1[i])
        return this.fail(bytes[pos + i] === 32 ? 'request-line' : 'version', pos + i);
    }
    const at = pos + 5;
    if (at + 3 > end) return hasLineFeed(bytes, at, end) ? this.fail('version', at) : MORE;
    const major = (bytes[at] as number) - 48;
    const minor = (bytes[at + 2] as number) - 48;
    if (bytes[at + 1] !== 46 || major < 0 || major > 9 || minor < 0 || minor > 9)
      return this.fail('version', at);
    if (at + 3 >= end) return MORE;
    if (bytes[at + 3] !== 13) return this.fail(bytes[at + 3] === 10 ? 'line-end' : 'version', at + 3);
    if (at + 4 >= end) return MORE;
    if (bytes[at + 4] !== 10) return this.fail('line-end', at + 4);
    if (major !== 1 || minor > 1) return this.fail('version-unsupported', at);
    this.#current.minorVersion = minor as 0 | 1;
    return at + 5;
  }

  protected readRoleField(id: number, bytes: Buffer, start: number, end: number): Http1Rule | undefined {
    if (id === FIELD_HOST) {
      if (this.#hostLine >= 0) return 'host-repeated';
      this.#hostLine = this.table.length;
    } else if (id === FIELD_EXPECT) {
      if (this.#hasExpect || !isToken(bytes, start, end, '100-continue')) return 'expect';
      this.#hasExpect = true;
    }
    return undefined;
  }

  protected finishHead(): Http1Rule | undefined {
    const head = this.#current;
    const rule = this.#finishTarget(head) ?? this.#finishFraming(head);
    if (rule !== undefined) return rule;
    this.toBody(head);
    this.#sink.onHead(head);
    return undefined;
  }

  #finishTarget(head: RequestHead): Http1Rule | undefined {
    const target = head.fields.blockText(this.#targetStart, this.#targetEnd);
    head.target = target;
    const host = this.#hostLine < 0 ? '' : head.fields.value(this.#hostLine);
    if (this.#hostLine >= 0) {
      if (!isValidAuthority(host)) return 'host';
    } else if (head.minorVersion === 1) return 'host-missing';
    head.authority = host;
    switch (head.targetForm) {
      case TARGET_ORIGIN:
        head.path = target;
        head.queryIndex = this.#queryAt < 0 ? target.length : this.#queryAt;
        return undefined;
      case TARGET_ASTERISK:
        if (target !== '*' || head.method !== 'OPTIONS') return 'target';
        head.path = target;
        head.queryIndex = 1;
        return undefined;
      case TARGET_AUTHORITY:
        if (!isValidAuthority(target) || !/:\d+$/.test(target)) return 'target-authority';
        if (host !== '' && !sameAuthority(host, target, '')) return 'host-disagrees';
        head.authority = target;
        return undefined;
      default: {
        const rule = readAbsoluteTarget(head, this.#strictTarget);
        if (rule !== undefined) return rule;
        return host === '' || sameAuthority(host, head.authority, head.scheme) ? undefined : 'host-disagrees';
      }
    }
  }

  #finishFraming(head: RequestHead): Http1Rule | undefined {
    if (this.framing.chunked) {
      if (this.framing.length >= 0) return 'length-and-coding';
      if (head.minorVersion === 0) return 'coding-version';
      head.bodyKind = BODY_CHUNKED;
    } else if (this.framing.length >= 0) {
      head.bodyKind = BODY_LENGTH;
      head.contentLength = this.framing.length;
    }
    if (
      head.bodyKind !== BODY_NONE &&
      (head.method === 'CONNECT' || (head.method === 'TRACE' && head.contentLength !== 0))
    )
      return 'body-forbidden';
    if (head.minorVersion === 0) {
      head.keepAlive = this.framing.keepAlive && !this.framing.close;
      // RFC 9110 §10.1.1, §7.8: both are ignored in HTTP/1.0, and must not be sent on as if a 1.1 client had asked
      if (this.#hasExpect) head.fields.drop('expect');
      return undefined;
    }
    head.keepAlive = !this.framing.close;
    head.expectContinue = this.#hasExpect;
    if (this.framing.upgrade && this.framing.upgradeLine >= 0) {
      const upgrade = head.fields.value(this.framing.upgradeLine);
      if (readProtocols(upgrade) === undefined) return 'upgrade';
      head.upgrade = upgrade;
    }
    return undefined;
  }
}

function hasLineFeed(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] === 10) return true;
  return false;
}
