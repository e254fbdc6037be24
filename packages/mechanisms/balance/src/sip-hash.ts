/** Key of {@link sipHash}: 128 bits, as four words. */
export type SipKey = readonly [number, number, number, number];

/** @param hex 32 hex digits. @returns `undefined` for anything else */
export function sipKey(hex: string): SipKey | undefined {
  if (!/^[0-9a-f]{32}$/.test(hex)) return undefined;
  const word = (at: number): number => {
    let value = 0;
    for (let i = 3; i >= 0; i--)
      value = (value << 8) | Number.parseInt(hex.slice((at + i) * 2, (at + i) * 2 + 2), 16);
    return value;
  };
  return [word(0), word(4), word(8), word(12)];
}

/**
 * SipHash-2-4 of a text taken as one octet a character (latin1, as field values are): a hash that nobody makes, nor undoes by
 * trying, who lacks the key (Aumasson and Bernstein, 2012).
 * @returns 16 hex digits: the octets of the result in their order
 */
export function sipHash(key: SipKey, text: string): string {
  const [k0, k1, k2, k3] = key;
  // Four numbers of 64 bits, low and high word of each.
  const v = new Int32Array([
    k0 ^ 0x70736575,
    k1 ^ 0x736f6d65,
    k2 ^ 0x6e646f6d,
    k3 ^ 0x646f7261,
    k0 ^ 0x6e657261,
    k1 ^ 0x6c796765,
    k2 ^ 0x79746573,
    k3 ^ 0x74656462,
  ]);
  const { length } = text;
  const whole = length & ~7;
  for (let at = 0; at < whole; at += 8) mix(v, word(text, at, length), word(text, at + 4, length));
  mix(v, word(text, whole, length), word(text, whole + 4, length) | (length << 24));
  v[4] = (v[4] as number) ^ 0xff;
  for (let i = 0; i < 4; i++) round(v);
  return octets(xor(v, 0)) + octets(xor(v, 1));
}

function xor(v: Int32Array, word: 0 | 1): number {
  return (v[word] as number) ^ (v[2 + word] as number) ^ (v[4 + word] as number) ^ (v[6 + word] as number);
}

function mix(v: Int32Array, low: number, high: number): void {
  v[6] = (v[6] as number) ^ low;
  v[7] = (v[7] as number) ^ high;
  round(v);
  round(v);
  v[0] = (v[0] as number) ^ low;
  v[1] = (v[1] as number) ^ high;
}

function round(v: Int32Array): void {
  add(v, 0, 2);
  rotate(v, 2, 13);
  blend(v, 2, 0);
  swap(v, 0);
  add(v, 4, 6);
  rotate(v, 6, 16);
  blend(v, 6, 4);
  add(v, 0, 6);
  rotate(v, 6, 21);
  blend(v, 6, 0);
  add(v, 4, 2);
  rotate(v, 2, 17);
  blend(v, 2, 4);
  swap(v, 4);
}

function add(v: Int32Array, to: number, from: number): void {
  const low = ((v[to] as number) >>> 0) + ((v[from] as number) >>> 0);
  v[to] = low | 0;
  v[to + 1] = ((v[to + 1] as number) + (v[from + 1] as number) + (low > 0xffffffff ? 1 : 0)) | 0;
}

function rotate(v: Int32Array, at: number, bits: number): void {
  const [low, high] = [v[at] as number, v[at + 1] as number];
  v[at] = (low << bits) | (high >>> (32 - bits));
  v[at + 1] = (high << bits) | (low >>> (32 - bits));
}

function blend(v: Int32Array, to: number, from: number): void {
  v[to] = (v[to] as number) ^ (v[from] as number);
  v[to + 1] = (v[to + 1] as number) ^ (v[from + 1] as number);
}

function swap(v: Int32Array, at: number): void {
  [v[at], v[at + 1]] = [v[at + 1] as number, v[at] as number];
}

/** Four octets of the text, those behind its end 0. */
function word(text: string, at: number, length: number): number {
  let value = 0;
  for (let i = 3; i >= 0; i--) value = (value << 8) | (at + i < length ? text.charCodeAt(at + i) & 0xff : 0);
  return value;
}

function octets(word: number): string {
  let text = '';
  for (let i = 0; i < 4; i++) text += ((word >>> (8 * i)) & 0xff).toString(16).padStart(2, '0');
  return text;
}
