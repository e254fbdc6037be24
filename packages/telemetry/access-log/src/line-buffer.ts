import { jsonNumber, jsonText } from '@tulle/record-format';
import { isInternalName } from '@tulle/telemetry';

const NULL: Uint8Array = Buffer.from('null', 'latin1');
const QUOTE = 34;

/** 1 for what stands in a JSON string as it is: printable ASCII without quote and backslash. */
const PLAIN: Uint8Array = plainOctets();

function plainOctets(): Uint8Array {
  const table = new Uint8Array(128).fill(1, 32, 127);
  table[QUOTE] = 0;
  table[92] = 0;
  return table;
}

/**
 * JSON text as UTF-8 bytes in one buffer that is used again and again: no string is put together for a line, and the
 * bytes go to the system as they stand. That is worth the care: as strings, lines cost more than all else that a proxy
 * does with a request.
 */
export class LineBuffer {
  /** The storage; replaced when it grows. */
  bytes: Buffer;
  /** Bytes written so far. Assign a smaller value to take bytes back. */
  length = 0;
  readonly #maxFieldChars: number;
  readonly #usualBytes: number;
  #second = Number.NaN;
  readonly #secondText: Buffer = Buffer.alloc('2026-01-31T23:59:59.'.length);

  /**
   * @param maxFieldChars longer text values are cut and end in `…`
   * @param usualBytes what is expected to stand in it at most; doubling stops there for the first time
   */
  constructor(maxFieldChars: number, usualBytes: number) {
    this.#maxFieldChars = maxFieldChars;
    this.#usualBytes = usualBytes;
    this.bytes = Buffer.allocUnsafeSlow(Math.min(FIRST_BYTES, usualBytes));
  }

  /** Makes room for `bytes` more. */
  reserve(bytes: number): void {
    if (this.length + bytes > this.bytes.length) this.#grow(this.length + bytes);
  }

  #grow(need: number): void {
    const doubled = this.bytes.length * 2;
    const next = Buffer.allocUnsafeSlow(
      Math.max(need, need <= this.#usualBytes ? Math.min(doubled, this.#usualBytes) : doubled),
    );
    this.bytes.copy(next, 0, 0, this.length);
    this.bytes = next;
  }

  /** Bytes that are JSON already. */
  raw(bytes: Uint8Array): void {
    if (this.length + bytes.length > this.bytes.length) this.#grow(this.length + bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Text as it is, in UTF-8. */
  utf8(text: string): void {
    this.reserve(text.length * 3); // a UTF-16 unit has three bytes at most
    this.length += this.bytes.write(text, this.length, 'utf8');
  }

  /** A text value; `null` for none. What a caller sent cannot end the string, see `jsonText`. */
  text(value: string | undefined): void {
    if (value === undefined || value === '') return this.raw(NULL);
    const size = value.length;
    if (size > this.#maxFieldChars) return this.raw(Buffer.from(jsonText(value, this.#maxFieldChars)));
    this.reserve(size + 2);
    const { bytes } = this;
    let at = this.length;
    bytes[at++] = QUOTE;
    for (let i = 0; i < size; i++) {
      const code = value.charCodeAt(i);
      // Seldom: then the whole value is escaped, over what was copied of it.
      if (code > 127 || PLAIN[code] === 0) return this.raw(Buffer.from(jsonText(value, this.#maxFieldChars)));
      bytes[at++] = code;
    }
    bytes[at++] = QUOTE;
    this.length = at;
  }

  /** Two values and one character between them as one text value. */
  joined(first: string, between: string, second: string): void {
    if (first === '' || second === '' || first.length + second.length >= this.#maxFieldChars)
      return this.text(first + between + second);
    this.text(first);
    const start = this.length - 1; // over the quote that ends the first, and later over that which begins the second
    this.length = start;
    this.text(second);
    this.bytes[start] = between.charCodeAt(0);
  }

  /** `"host:port"`, the host in brackets where it has colons; `null` without a host. */
  address(host: string, port: number): void {
    if (host === '') return this.raw(NULL);
    if (isInternalName(host)) return this.text(host);
    this.text(host.includes(':') ? `[${host}]` : host);
    this.length--; // the quote, to go on behind it
    this.reserve(7);
    this.bytes[this.length++] = 58;
    this.integer(port);
    this.bytes[this.length++] = QUOTE;
  }

  /** A whole number >= 0 as it is; others as JSON writes them. */
  integer(value: number): void {
    // Below 2^31, so that all that follows is done in 32-bit integers.
    if (!(value >= 0 && value < 0x7fff_ffff) || !Number.isInteger(value)) {
      this.#written(Number.isFinite(value) ? String(value) : 'null');
      return;
    }
    this.reserve(10);
    const digits = value < 10 ? 1 : value < 100 ? 2 : value < 1000 ? 3 : digitsOf(value);
    this.length += digits;
    this.#digits(value, digits, this.length);
  }

  /** Milliseconds with at most three decimals. */
  milliseconds(value: number): void {
    const micros = Math.round(value * 1000);
    if (!(micros >= 0 && micros < 0x7fff_ffff)) {
      this.#written(jsonNumber(value));
      return;
    }
    const whole = (micros / 1000) | 0;
    const rest = micros - whole * 1000;
    this.integer(whole);
    if (rest === 0) return;
    const digits = rest % 10 !== 0 ? 3 : rest % 100 !== 0 ? 2 : 1;
    this.reserve(4);
    this.bytes[this.length] = 46;
    this.length += digits + 1;
    this.#digits(
      digits === 3 ? rest : digits === 2 ? (rest / 10) | 0 : (rest / 100) | 0,
      digits,
      this.length,
    );
  }

  /** `2026-01-31T23:59:59.123Z` without quotes; the part up to the second is kept between calls. */
  time(epochMs: number): void {
    const whole = Math.floor(epochMs);
    const second = Math.floor(whole / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#secondText.write(new Date(second * 1000).toISOString(), 'latin1');
    }
    this.raw(this.#secondText);
    this.reserve(4);
    this.length += 3;
    this.#digits(whole - second * 1000, 3, this.length);
    this.bytes[this.length++] = 90;
  }

  /** Writes `digits` digits of `value`, zeros in front, so that they end before `end`. */
  #digits(value: number, digits: number, end: number): void {
    const { bytes } = this;
    let left = value | 0;
    for (let at = end - 1; at >= end - digits; at--) {
      const tenth = (left / 10) | 0;
      bytes[at] = 48 + left - tenth * 10;
      left = tenth;
    }
  }

  #written(text: string): void {
    this.raw(Buffer.from(text, 'latin1'));
  }

  /** Gives the storage away and goes on in `next`, or in a new one. */
  exchange(next: Buffer | undefined): Buffer {
    const { bytes } = this;
    this.bytes = next ?? Buffer.allocUnsafeSlow(Math.min(FIRST_BYTES, this.#usualBytes));
    this.length = 0;
    return bytes;
  }
}

/** First size: a dozen lines. */
const FIRST_BYTES = 16_384;

function digitsOf(value: number): number {
  let digits = 4;
  for (let bound = 10_000; value >= bound && digits < 10; bound *= 10) digits++;
  return digits;
}
