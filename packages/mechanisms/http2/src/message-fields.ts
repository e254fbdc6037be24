import { FieldTable, knownNameId } from '@tulle/fields';
import {
  FIELD_CONNECTION,
  FIELD_CONTENT_LENGTH,
  FIELD_KEEP_ALIVE,
  FIELD_PROXY_CONNECTION,
  FIELD_TE,
  FIELD_TRANSFER_ENCODING,
  FIELD_UPGRADE,
} from '@tulle/fields';
import type { Http2Rule } from './faults.ts';
import type { HpackFieldSink, InvalidFieldRule } from './hpack/sink.ts';
import { LINE_OVERHEAD_BYTES } from './section-bytes.ts';

const FIELD_COOKIE: number = knownNameId('cookie');
/** Known names above this one need no look. */
const LAST_SPECIAL: number = FIELD_COOKIE;

/** The table of those whose fields are only looked at. */
const NOWHERE: FieldTable = new FieldTable();

/**
 * Reads the fields of one block into a table and judges them (RFC 9113 §8.2, §8.3). The first rule that makes the
 * message malformed wins over rules that are answered by a status, which leave the rest of the block unstored.
 */
export abstract class MessageFields implements HpackFieldSink {
  protected table: FieldTable = NOWHERE;
  /** What makes the message malformed. */
  protected rule: Http2Rule | undefined = undefined;
  /** What a request is answered for. */
  protected answered: Http2Rule | undefined = undefined;
  /** Content-Length, -1 without one. */
  length = -1;
  protected sizeBytes = 0;
  /** A field line came: no pseudo-header may follow. */
  protected hasLines = false;
  #cookie: string | undefined = undefined;
  #cookieNever = false;
  protected maxBytes: number;
  protected maxLines: number;

  constructor(maxBytes: number, maxLines: number) {
    this.maxBytes = maxBytes;
    this.maxLines = maxLines;
  }

  protected begin(table: FieldTable): void {
    this.table = table;
    this.rule = undefined;
    this.answered = undefined;
    this.length = -1;
    this.sizeBytes = 0;
    this.hasLines = false;
  }

  onField(id: number, name: string, value: string, neverIndexed: boolean): void {
    this.sizeBytes += name.length + value.length + LINE_OVERHEAD_BYTES;
    if (this.sizeBytes > this.maxBytes) return this.answer(this.sizeRule());
    if (id < 0) {
      if (this.hasLines) this.malformed('pseudo-late');
      else this.pseudo(id, value);
      return;
    }
    this.hasLines = true;
    if (this.answered !== undefined) return;
    if (this.table.length >= this.maxLines) return this.answer(this.linesRule());
    if (id !== 0 && id <= LAST_SPECIAL && !this.#special(id, value, neverIndexed)) return;
    this.table.pushValue(id, name, value, neverIndexed);
  }

  onInvalidField(_name: string, _value: string, rule: InvalidFieldRule): void {
    this.malformed(rule);
  }

  /** @returns whether the line goes into the table */
  #special(id: number, value: string, neverIndexed: boolean): boolean {
    switch (id) {
      case FIELD_CONTENT_LENGTH: {
        if (this.length >= 0) {
          this.malformed('length-repeated');
          return false;
        }
        this.length = readLength(value);
        if (this.length < 0) this.malformed('length');
        return true;
      }
      case FIELD_CONNECTION:
      case FIELD_KEEP_ALIVE:
      case FIELD_PROXY_CONNECTION:
      case FIELD_TRANSFER_ENCODING:
      case FIELD_UPGRADE:
        this.malformed('connection-field');
        return false;
      case FIELD_TE:
        if (value.toLowerCase() !== 'trailers') this.malformed('te');
        return true;
      case FIELD_COOKIE:
        // RFC 9113 §8.2.3: one line again, for HTTP/1 and for policies that read one
        this.#cookie = this.#cookie === undefined ? value : `${this.#cookie}; ${value}`;
        if (neverIndexed) this.#cookieNever = true;
        return false;
      default:
        return this.roleField(id, value);
    }
  }

  /** A line whose name only the role knows. @returns whether it goes into the table */
  protected roleField(_id: number, _value: string): boolean {
    return true;
  }

  protected abstract pseudo(id: number, value: string): void;
  protected abstract sizeRule(): Http2Rule;
  protected abstract linesRule(): Http2Rule;

  protected malformed(rule: Http2Rule): void {
    this.rule ??= rule;
  }

  protected answer(rule: Http2Rule): void {
    this.answered ??= rule;
  }

  /** Puts the joined cookie in, behind the others. */
  protected finishLines(): void {
    if (this.#cookie === undefined) return;
    if (this.answered === undefined)
      this.table.pushValue(FIELD_COOKIE, 'cookie', this.#cookie, this.#cookieNever);
    this.#cookie = undefined;
    this.#cookieNever = false;
  }

  protected end(): void {
    this.table = NOWHERE;
  }
}

/** Decimal digits only (RFC 9110 §8.6). @returns -1 for anything else and above 2^53-1 */
function readLength(value: string): number {
  const size = value.length;
  if (size === 0 || size > 16) return -1;
  let length = 0;
  for (let i = 0; i < size; i++) {
    const digit = value.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return -1;
    length = length * 10 + digit;
  }
  return length <= Number.MAX_SAFE_INTEGER ? length : -1;
}

/** Takes the fields of a block that nobody wants: its table must go on all the same (RFC 9113 §4.3). */
export const IGNORED_FIELDS: HpackFieldSink = {
  onField(): void {},
  onInvalidField(): void {},
};
