import { FIELD_VALUE } from '@tulle/fields';
import { RESPONSE_FAULTS, type Http1Rule } from './faults.ts';
import { readProtocols } from './framing-fields.ts';
import { BODY_CHUNKED, BODY_CLOSE, BODY_LENGTH, BODY_NONE } from './head-flags.ts';
import { ResponseHead, type MessageHead } from './heads.ts';
import type { Http1Limits } from './limits.ts';
import { MessageDecoder, MORE } from './message-decoder.ts';
import type { ResponseSink } from './sinks.ts';
import { standardReason } from './status-reasons.ts';

const HTTP_1_DOT = [72, 84, 84, 80, 47, 49, 46] as const;

/**
 * Reads responses from one upstream connection. Each must be announced with {@link ResponseDecoder.expect}, because
 * the end of a response depends on its request; bytes that nobody waits for are a fault, and that connection is never
 * used again.
 */
export class ResponseDecoder extends MessageDecoder {
  /** The head that the next response fills; exchange it while the decoder is idle to give each stream its own. */
  head: ResponseHead;
  readonly #sink: ResponseSink;
  #current: ResponseHead;
  #method = '';
  #upgrade: string | undefined = undefined;
  #informational = 0;
  #reasonStart = 0;
  #reasonEnd = 0;

  protected readonly skipsEmptyLine: boolean = false;
  protected readonly awaitsMessage: boolean = true;
  protected readonly startLineLimit: number;
  protected readonly startLineRule: Http1Rule = 'head-size';

  constructor(
    sink: ResponseSink,
    limits: Partial<Http1Limits> = {},
    head: ResponseHead = new ResponseHead(),
  ) {
    super(sink, RESPONSE_FAULTS, limits, head.fields, true);
    this.#sink = sink;
    this.head = head;
    this.#current = head;
    this.startLineLimit = this.limits.maxHeadBytes;
  }

  /**
   * Announces the response to a request that is being sent.
   * @param method of that request: HEAD and CONNECT change where the response ends
   * @param upgrade value of the Upgrade that was sent with it; without one, 101 is a fault
   */
  expect(method: string, upgrade?: string): void {
    if (this.phase !== 'idle')
      throw new Error(
        `A response is still being read (${this.phase}); one request at a time waits on a connection.`,
      );
    this.#method = method;
    this.#upgrade = upgrade;
    this.#informational = 0;
    this.toStart();
  }

  protected takeHead(): MessageHead {
    const head = this.head;
    head.reset();
    this.#current = head;
    return head;
  }

  protected readStartLine(bytes: Buffer, pos: number, end: number): number {
    for (let i = 0; i < 7; i++) {
      if (pos + i >= end) return MORE;
      if (bytes[pos + i] !== HTTP_1_DOT[i])
        return this.fail(i === 5 ? 'version-unsupported' : 'status-line', pos + i);
    }
    let at = pos + 7;
    if (at >= end) return MORE;
    const minor = (bytes[at] as number) - 48;
    if (minor !== 0 && minor !== 1) return this.fail('version-unsupported', at);
    if (++at >= end) return MORE;
    if (bytes[at] !== 32) return this.fail('status-line', at);
    let status = 0;
    for (const last = at + 3; at < last;) {
      if (++at >= end) return MORE;
      const digit = (bytes[at] as number) - 48;
      if (digit < 0 || digit > 9) return this.fail('status-line', at);
      status = status * 10 + digit;
    }
    if (status < 100 || status > 599) return this.fail('status', at);
    if (++at >= end) return MORE;
    const head = this.#current;
    head.minorVersion = minor;
    head.status = status;
    // The blank before an absent reason is often left out; no other reading is possible, and the line is written anew.
    if (bytes[at] === 32) at++;
    else if (bytes[at] !== 13) return this.fail('status-line', at);
    const reasonStart = at;
    while (at < end && FIELD_VALUE[bytes[at] as number] === 1) at++;
    if (at >= end) return MORE;
    if (bytes[at] !== 13) return this.fail(bytes[at] === 10 ? 'line-end' : 'status-line', at);
    if (at + 1 >= end) return MORE;
    if (bytes[at + 1] !== 10) return this.fail('line-end', at + 1);
    this.#reasonStart = reasonStart;
    this.#reasonEnd = at;
    return at + 2;
  }

  protected readRoleField(): undefined {
    return undefined;
  }

  protected finishHead(): Http1Rule | undefined {
    const head = this.#current;
    const status = head.status;
    head.reason = this.#readReason(head);
    if (this.framing.chunked && this.framing.length >= 0) return 'length-and-coding';
    if (this.framing.chunked && head.minorVersion === 0) return 'coding-version';
    head.keepAlive =
      head.minorVersion === 1 ? !this.framing.close : this.framing.keepAlive && !this.framing.close;
    if (status < 200) return this.#finishInformational(head);
    head.contentLength = this.framing.length;
    if (this.#method === 'CONNECT' && status < 300) {
      if (this.framing.chunked || this.framing.length >= 0) return 'body-forbidden';
      return this.#tunnel(head);
    }
    if (status === 204) {
      // Content-Length: 0 is a common mistake that leaves no doubt; anything else announces bytes
      if (this.framing.chunked || this.framing.length > 0) return 'body-forbidden';
      head.contentLength = -1;
    } else if (this.#method !== 'HEAD' && status !== 304) {
      head.bodyKind = this.framing.chunked
        ? BODY_CHUNKED
        : this.framing.length >= 0
          ? BODY_LENGTH
          : BODY_CLOSE;
      if (head.bodyKind === BODY_CLOSE) head.keepAlive = false;
    } else head.bodyKind = BODY_NONE;
    this.toBody(head);
    this.#sink.onHead(head);
    return undefined;
  }

  #finishInformational(head: ResponseHead): Http1Rule | undefined {
    if (this.framing.chunked || this.framing.length >= 0) return 'body-forbidden';
    if (head.status === 101) {
      if (this.#upgrade === undefined || !this.framing.upgrade || this.framing.upgradeLine < 0)
        return 'response-switch';
      const upgrade = head.fields.value(this.framing.upgradeLine);
      const asked = readProtocols(this.#upgrade);
      const chosen = readProtocols(upgrade);
      if (
        asked === undefined ||
        chosen === undefined ||
        !chosen.every((protocol) => asked.includes(protocol))
      )
        return 'response-switch';
      head.upgrade = upgrade;
      return this.#tunnel(head);
    }
    if (++this.#informational > this.limits.maxInformational) return 'response-informational';
    this.toStart();
    this.#sink.onInformational(head);
    return undefined;
  }

  #tunnel(head: ResponseHead): undefined {
    head.tunnel = true;
    head.keepAlive = false;
    this.toTunnel();
    this.#sink.onHead(head);
    return undefined;
  }

  #readReason(head: ResponseHead): string {
    const standard = standardReason(head.status);
    const size = this.#reasonEnd - this.#reasonStart;
    if (size === standard.length) {
      const block = head.fields.block;
      let i = 0;
      while (i < size && block[this.#reasonStart + i] === standard.charCodeAt(i)) i++;
      if (i === size) return standard;
    }
    return head.fields.blockText(this.#reasonStart, this.#reasonEnd);
  }
}
