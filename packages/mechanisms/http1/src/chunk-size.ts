import { FIELD_VALUE, TOKEN_LOWER } from '@tulle/fields';
import type { Http1Rule } from './faults.ts';

const DIGITS = 0;
const LINE_FEED = 1;
const EXT_NAME = 2;
const EXT_VALUE_FIRST = 3;
const EXT_TOKEN = 4;
const EXT_QUOTED = 5;
const EXT_ESCAPE = 6;
const EXT_AFTER_QUOTED = 7;

/** 16 digits hold every size up to 2^64; a sender that pads further has nothing good in mind. */
const MAX_DIGITS = 16;

/**
 * Reads `size [; extensions] CR LF` (RFC 9112 §7.1, §7.1.1) from any split of the bytes. Extensions are checked and
 * dropped. The "bad whitespace" that §7.1.1 lets recipients accept is refused: senders must not write it, and
 * recipients read it differently.
 */
export class ChunkSizeReader {
  size = 0;
  /** Bytes of extensions in this body so far. */
  extensionBytes = 0;
  fault: Http1Rule = 'chunk-size';
  faultAt = 0;
  #state = DIGITS;
  #digits = 0;
  #nameBytes = 0;

  begin(): void {
    this.size = 0;
    this.#state = DIGITS;
    this.#digits = 0;
  }

  /** @returns the position after the line, -1 when it goes on in the next chunk, -2 with `fault` set */
  read(bytes: Uint8Array, pos: number, end: number, maxExtensionBytes: number): number {
    for (; pos < end; pos++) {
      const octet = bytes[pos] as number;
      switch (this.#state) {
        case DIGITS: {
          const digit = HEX[octet] as number;
          if (digit < 16) {
            if (++this.#digits > MAX_DIGITS) return this.#fail('chunk-size', pos);
            this.size = this.size * 16 + digit;
            if (this.size > Number.MAX_SAFE_INTEGER) return this.#fail('chunk-size-overflow', pos);
            continue;
          }
          if (this.#digits === 0) return this.#fail('chunk-size', pos);
          if (octet === 13) this.#state = LINE_FEED;
          else if (octet === 59) this.#beginExtension();
          else return this.#fail(octet === 10 ? 'line-end' : 'chunk-size', pos);
          break;
        }
        case LINE_FEED:
          return octet === 10 ? pos + 1 : this.#fail('line-end', pos);
        case EXT_NAME:
          if (TOKEN_LOWER[octet] !== 0) this.#nameBytes++;
          else if (this.#nameBytes === 0) return this.#fail('chunk-extension', pos);
          else if (octet === 61) this.#state = EXT_VALUE_FIRST;
          else if (!this.#endExtension(octet)) return this.#fail('chunk-extension', pos);
          break;
        case EXT_VALUE_FIRST:
          if (octet === 34) this.#state = EXT_QUOTED;
          else if (TOKEN_LOWER[octet] !== 0) this.#state = EXT_TOKEN;
          else return this.#fail('chunk-extension', pos);
          break;
        case EXT_TOKEN:
          if (TOKEN_LOWER[octet] === 0 && !this.#endExtension(octet))
            return this.#fail('chunk-extension', pos);
          break;
        case EXT_QUOTED:
          if (octet === 34) this.#state = EXT_AFTER_QUOTED;
          else if (octet === 92) this.#state = EXT_ESCAPE;
          else if (FIELD_VALUE[octet] === 0) return this.#fail('chunk-extension', pos);
          break;
        case EXT_ESCAPE:
          if (FIELD_VALUE[octet] === 0) return this.#fail('chunk-extension', pos);
          this.#state = EXT_QUOTED;
          break;
        default:
          if (!this.#endExtension(octet)) return this.#fail('chunk-extension', pos);
      }
      if (this.#state >= EXT_NAME && ++this.extensionBytes > maxExtensionBytes)
        return this.#fail('chunk-extension-size', pos);
    }
    return -1;
  }

  #beginExtension(): void {
    this.#state = EXT_NAME;
    this.#nameBytes = 0;
  }

  #endExtension(octet: number): boolean {
    if (octet === 13) this.#state = LINE_FEED;
    else if (octet === 59) this.#beginExtension();
    else return false;
    return true;
  }

  #fail(rule: Http1Rule, at: number): number {
    this.fault = rule;
    this.faultAt = at;
    return -2;
  }
}

/** Value of each hex digit, 16 for every other octet. */
const HEX: Uint8Array = hexTable();

function hexTable(): Uint8Array {
  const table = new Uint8Array(256).fill(16);
  for (let digit = 0; digit < 10; digit++) table[48 + digit] = digit;
  for (let digit = 0; digit < 6; digit++) {
    table[65 + digit] = 10 + digit;
    table[97 + digit] = 10 + digit;
  }
  return table;
}
