import { FIELD_VALUE } from '@tulle/fields';
import {
  CODE,
  CODE_BITS,
  CODES_OF_LENGTH,
  EOS,
  FIRST_CODE,
  FIRST_SYMBOL,
  LONGEST_CODE_BITS,
  SYMBOL_ORDER,
} from './huffman-code.ts';

/** Bits looked at in one step: one code of up to 12 bits, or two that fit together. 16 KiB of table. */
const STEP_BITS = 12;
const STEP_MASK: number = (1 << STEP_BITS) - 1;

/*
 * An entry: bits 0–7 first symbol, 8–15 second, 16–19 bits of the first, 20–23 bits of both (or of the first alone),
 * 24 whether there are two, 25 whether one of them may not stand in a field value. 0: the code is longer.
 */
const TWO: number = 1 << 24;
const NO_VALUE: number = 1 << 25;
const STEPS: Int32Array = steps();

function steps(): Int32Array {
  const table = new Int32Array(1 << STEP_BITS);
  for (let first = 0; first < EOS; first++) {
    const bits = CODE_BITS[first] as number;
    if (bits > STEP_BITS) continue;
    const from = (CODE[first] as number) << (STEP_BITS - bits);
    const alone = first | (bits << 16) | (bits << 20) | noValue(first);
    table.fill(alone, from, from + (1 << (STEP_BITS - bits)));
    for (let second = 0; second < EOS; second++) {
      const both = bits + (CODE_BITS[second] as number);
      if (both > STEP_BITS) continue;
      const at = from | ((CODE[second] as number) << (STEP_BITS - both));
      const entry =
        first | (second << 8) | (bits << 16) | (both << 20) | TWO | noValue(first) | noValue(second);
      table.fill(entry, at, at + (1 << (STEP_BITS - both)));
    }
  }
  return table;
}

function noValue(symbol: number): number {
  return FIELD_VALUE[symbol] === 1 ? 0 : NO_VALUE;
}

/** Most octets that `bytes` octets of Huffman code can hold: the shortest code has 5 bits. */
export function mostDecodedBytes(bytes: number): number {
  return ((bytes * 8) / 5) | 0;
}

/** What {@link decodeHuffman} returns for octets that are no Huffman string. */
export const NOT_HUFFMAN = -1;

/**
 * Decodes `bytes[start, end)` to `out[at, …)`, which must have room for {@link mostDecodedBytes}.
 * @returns `at` plus the octets written; `-2 - that` when one of them may not stand in a field value; {@link NOT_HUFFMAN}
 */
export function decodeHuffman(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  at: number,
): number {
  let next = start;
  /** The `held` lowest bits are still to be decoded. */
  let word = 0;
  let held = 0;
  let flags = 0;
  for (;;) {
    if (held < STEP_BITS) {
      while (held <= 24 && next < end) {
        word = (word << 8) | (bytes[next++] as number);
        held += 8;
      }
      if (held < STEP_BITS) break;
    }
    const step = STEPS[(word >>> (held - STEP_BITS)) & STEP_MASK] as number;
    if (step !== 0) {
      out[at++] = step;
      if ((step & TWO) !== 0) out[at++] = step >>> 8;
      held -= (step >>> 20) & 15;
      flags |= step;
      continue;
    }
    while (held <= 24 && next < end) {
      word = (word << 8) | (bytes[next++] as number);
      held += 8;
    }
    // 25 to 32 bits unless the string ends: where a code is longer, the top of the next octet completes it
    const more = next < end && held < 32 ? 32 - held : 0;
    const top =
      (held === 32 ? word : word << (32 - held)) | (more === 0 ? 0 : (bytes[next] as number) >>> (8 - more));
    const symbol = longCode(top, held + more);
    if (symbol >= EOS) return NOT_HUFFMAN;
    out[at++] = symbol;
    held -= CODE_BITS[symbol] as number;
    if (held < 0) {
      word = bytes[next++] as number;
      held += 8;
    }
    flags |= noValue(symbol);
  }
  // fewer than 12 bits: single codes, then at most 7 ones of padding, which no code of that length is
  for (;;) {
    const ones = (1 << held) - 1;
    if (held < 8 && (word & ones) === ones) return (flags & NO_VALUE) === 0 ? at : -2 - at;
    const step = STEPS[(word << (STEP_BITS - held)) & STEP_MASK] as number;
    const bits = (step >>> 16) & 15;
    if (step === 0 || bits > held) return NOT_HUFFMAN;
    out[at++] = step;
    held -= bits;
    flags |= noValue(step & 255);
  }
}

/** Symbol of a code of more than 12 bits in the `held` highest bits of `top`; EOS when there is none. */
function longCode(top: number, held: number): number {
  for (let bits = STEP_BITS + 1; bits <= LONGEST_CODE_BITS && bits <= held; bits++) {
    const place = (top >>> (32 - bits)) - (FIRST_CODE[bits] as number);
    if (place < (CODES_OF_LENGTH[bits] as number))
      return SYMBOL_ORDER[(FIRST_SYMBOL[bits] as number) + place] as number;
  }
  return EOS;
}
