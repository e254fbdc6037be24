import { BODY_CHUNKED, BODY_LENGTH, BODY_NONE, standardReason, type ResponseHead } from '@tulle/http1';
import type { Http2Rule } from './faults.ts';
import { PSEUDO_STATUS } from './hpack/pseudo.ts';
import { MessageFields } from './message-fields.ts';
import type { Http2Options } from './options.ts';

/** Reads response heads (RFC 9113 §8.3.2). */
export class ResponseFields extends MessageFields {
  #status = -1;

  constructor(options: Http2Options) {
    super(options.maxHeadBytes, options.maxHeaders);
  }

  /** Before the block is decoded. Resets the head. */
  start(head: ResponseHead): void {
    head.reset();
    this.begin(head.fields);
    this.#status = -1;
  }

  protected pseudo(id: number, value: string): void {
    if (id !== PSEUDO_STATUS) this.malformed('pseudo-unknown');
    else if (this.#status >= 0) this.malformed('pseudo-repeated');
    else this.#status = value === '200' ? 200 : readStatus(value);
  }

  protected sizeRule(): Http2Rule {
    return 'head-size';
  }

  protected linesRule(): Http2Rule {
    return 'head-lines';
  }

  /**
   * After the block: fills the head. @param bodiless the request was HEAD @param connect it was CONNECT
   * @returns what makes the response malformed or too large
   */
  finish(head: ResponseHead, endStream: boolean, bodiless: boolean, connect: boolean): Http2Rule | undefined {
    this.finishLines();
    const rule = this.rule ?? this.answered ?? this.#finish(head, endStream, bodiless, connect);
    this.end();
    return rule;
  }

  #finish(
    head: ResponseHead,
    endStream: boolean,
    bodiless: boolean,
    connect: boolean,
  ): Http2Rule | undefined {
    const status = this.#status;
    if (status < 0) return 'pseudo-missing';
    if (status === 0 || status === 101) return 'status';
    head.status = status;
    head.reason = standardReason(status);
    if (status < 200) return endStream ? 'informational-end' : undefined;
    if (connect && status < 300) {
      head.tunnel = true;
      return undefined;
    }
    head.contentLength = this.length;
    if (status === 204) {
      if (this.length > 0) return 'body-unexpected';
      head.contentLength = -1;
      return undefined;
    }
    if (bodiless || status === 304) return undefined;
    if (endStream && this.length > 0) return 'length-differs';
    head.bodyKind = this.length >= 0 ? BODY_LENGTH : endStream ? BODY_NONE : BODY_CHUNKED;
    return undefined;
  }
}

/** @returns 0 when it is not three digits from 100 to 599 */
function readStatus(value: string): number {
  if (value.length !== 3) return 0;
  let status = 0;
  for (let i = 0; i < 3; i++) {
    const digit = value.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return 0;
    status = status * 10 + digit;
  }
  return status >= 100 && status <= 599 ? status : 0;
}
