import type { ByteWriter } from '@tulle/fields';
import { CODE, CODE_BITS } from './huffman-code.ts';

/** Octets that `text` takes as Huffman code. @param text latin1 */
export function huffmanBytes(text: string): number {
  let bits = 7;
  for (let i = 0; i < text.length; i++) bits += CODE_BITS[text.charCodeAt(i)] as number;
  return bits >>> 3;
}

/** Writes `text` as Huffman code of `bytes` octets, which {@link huffmanBytes} counted. */
export function writeHuffman(out: ByteWriter, text: string, bytes: number): void {
  out.reserve(bytes);
  const buffer = out.buffer;
  let at = out.length;
  /** The `held` lowest bits are still to be written: fewer than 16 between symbols. */
  let word = 0;
  let held = 0;
  for (let i = 0; i < text.length; i++) {
    const octet = text.charCodeAt(i);
    const bits = CODE_BITS[octet] as number;
    const code = CODE[octet] as number;
    if (bits <= 15) {
      word = (word << bits) | code;
      held += bits;
    } else {
      // with up to 15 held, more than 17 do not fit
      const upper = bits - 15;
      word = (word << upper) | (code >>> 15);
      held += upper;
      if (held >= 16) {
        buffer[at++] = word >>> (held - 8);
        buffer[at++] = word >>> (held -= 16);
      }
      word = (word << 15) | (code & 0x7fff);
      held += 15;
    }
    if (held >= 16) {
      buffer[at++] = word >>> (held - 8);
      buffer[at++] = word >>> (held -= 16);
    }
  }
  if (held >= 8) buffer[at++] = word >>> (held -= 8);
  if (held > 0) buffer[at++] = (word << (8 - held)) | (0xff >>> held);
  out.length = at;
}
