const PRIME_1 = 0x9e3779b1;
const PRIME_2 = 0x85ebca77;
const PRIME_3 = 0xc2b2ae3d;
const PRIME_4 = 0x27d4eb2f;
const PRIME_5 = 0x165667b1;

/**
 * xxHash, 32 bits, of a text taken as one octet a character (latin1, as field values are): fast without BigInt, evenly
 * spread, and the same in every proxy.
 * @returns from 0 to 2^32 - 1
 */
export function hashText(text: string, seed = 0): number {
  const { length } = text;
  let at = 0;
  let hash: number;
  if (length >= 16) {
    let a = (seed + PRIME_1 + PRIME_2) | 0;
    let b = (seed + PRIME_2) | 0;
    let c = seed | 0;
    let d = (seed - PRIME_1) | 0;
    for (const last = length - 16; at <= last; at += 16) {
      a = round(a, word(text, at));
      b = round(b, word(text, at + 4));
      c = round(c, word(text, at + 8));
      d = round(d, word(text, at + 12));
    }
    hash = (turn(a, 1) + turn(b, 7) + turn(c, 12) + turn(d, 18)) | 0;
  } else hash = (seed + PRIME_5) | 0;
  hash = (hash + length) | 0;
  for (; at + 4 <= length; at += 4)
    hash = Math.imul(turn((hash + Math.imul(word(text, at), PRIME_3)) | 0, 17), PRIME_4);
  for (; at < length; at += 1)
    hash = Math.imul(turn((hash + Math.imul(text.charCodeAt(at) & 0xff, PRIME_5)) | 0, 11), PRIME_1);
  hash = Math.imul(hash ^ (hash >>> 15), PRIME_2);
  hash = Math.imul(hash ^ (hash >>> 13), PRIME_3);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/**
 * Puts a further hash to one (Envoy `HashPolicyImpl`), so that their order counts.
 * @param hash below 0: there is none yet
 */
export function addHash(hash: number, further: number): number {
  return hash < 0 ? further : (turn(hash, 1) ^ further) >>> 0;
}

function round(sum: number, input: number): number {
  return Math.imul(turn((sum + Math.imul(input, PRIME_2)) | 0, 13), PRIME_1);
}

function turn(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function word(text: string, at: number): number {
  return (
    (text.charCodeAt(at) & 0xff) |
    ((text.charCodeAt(at + 1) & 0xff) << 8) |
    ((text.charCodeAt(at + 2) & 0xff) << 16) |
    ((text.charCodeAt(at + 3) & 0xff) << 24)
  );
}
