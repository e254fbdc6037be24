/** Frames of HTTP/2 as they are wanted, right or wrong (RFC 9113 §4.1), as latin1. */

export const TYPE = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const END_STREAM = 0x1;
export const ACK = 0x1;
export const END_HEADERS = 0x4;
export const PADDED = 0x8;

export const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

const octets = (value: number, count: number): string =>
  String.fromCharCode(...Array.from({ length: count }, (_, i) => (value >>> (8 * (count - 1 - i))) & 0xff));

/** @param length of the payload, where the frame is to lie about it */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload = '',
  length: number = payload.length,
): string {
  return octets(length, 3) + octets(type, 1) + octets(flags, 1) + octets(stream, 4) + payload;
}

export const uint32 = (value: number): string => octets(value, 4);
export const uint16 = (value: number): string => octets(value, 2);

/** An integer with a prefix of seven bits (RFC 7541 §5.1). */
function integer(value: number): string {
  if (value < 127) return octets(value, 1);
  let text = octets(127, 1);
  let rest = value - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) text += octets((rest % 128) + 128, 1);
  return text + octets(rest, 1);
}

/** Fields as literals without indexing (RFC 7541 §6.2.2), as they are written. */
export function block(fields: readonly (readonly [name: string, value: string])[]): string {
  return fields
    .map(([name, value]) => `\u0000${integer(name.length)}${name}${integer(value.length)}${value}`)
    .join('');
}

/** One frame that came. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** Cuts whole frames off. @returns them, and how many octets they have */
export function readFrames(bytes: Buffer): { readonly frames: readonly Frame[]; readonly length: number } {
  const frames: Frame[] = [];
  let at = 0;
  while (bytes.length - at >= 9) {
    const end = at + 9 + bytes.readUIntBE(at, 3);
    if (bytes.length < end) break;
    frames.push({
      type: bytes.readUInt8(at + 3),
      flags: bytes.readUInt8(at + 4),
      stream: bytes.readUInt32BE(at + 5) & 0x7fff_ffff,
      payload: bytes.subarray(at + 9, end),
    });
    at = end;
  }
  return { frames, length: at };
}

/** Statuses of the static table by index (RFC 7541, appendix A). */
const INDEXED: readonly string[] = ['200', '204', '206', '304', '400', '404', '500'];

/**
 * The status of a response's block, which comes first; of a peer that was told to keep no table of its own.
 * @throws Error where the block does not begin with a status
 */
export function statusOf(payload: Buffer, flags: number): string {
  let at = (flags & PADDED) === 0 ? 0 : 1;
  let first = payload[at++] ?? 0;
  // Sizes of the table.
  while ((first & 0xe0) === 0x20) first = payload[at++] ?? 0;
  if (first >= 0x88 && first <= 0x8e) return INDEXED[first - 0x88] as string;
  if (![0x08, 0x18, 0x48].includes(first)) throw new Error(`no status in ${payload.toString('hex')}`);
  const length = payload[at++] ?? 0;
  const text = payload.subarray(at, at + (length & 0x7f));
  return length < 0x80 ? text.toString('latin1') : digits(text);
}

/** Digits in Huffman's code (RFC 7541, appendix B): 0 to 2 have five bits, the others six. */
function digits(code: Buffer): string {
  const bits = [...code].map((octet) => octet.toString(2).padStart(8, '0')).join('');
  let text = '';
  for (let at = 0; at + 5 <= bits.length;) {
    const five = Number.parseInt(bits.slice(at, at + 5), 2);
    const six = Number.parseInt(bits.slice(at, at + 6), 2);
    if (five <= 2) {
      text += String(five);
      at += 5;
    } else if (six >= 0x19 && six <= 0x1f) {
      text += String(six - 0x19 + 3);
      at += 6;
    } else break;
  }
  return text;
}
