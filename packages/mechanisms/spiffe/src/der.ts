/**
 * The part of DER (X.690) that certificates and signing requests need: definite, minimal lengths and low tag numbers.
 * Anything else is refused, so two readers of one certificate cannot see two things.
 */

/** Universal and context tags by the names RFC 5280 uses. */
export const tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  /** `[n]` constructed. */
  context: (n: number): number => 0xa0 | n,
  /** `[n]` primitive (IMPLICIT of a simple type). */
  contextPrimitive: (n: number): number => 0x80 | n,
} as const;

/** Thrown when bytes are not DER of the expected shape. The message names the place. */
export class DerError extends Error {
  readonly code = 'TULLE_SPIFFE_BAD_DER';
  constructor(message: string) {
    super(message);
    this.name = 'DerError';
  }
}

/** One element: `bytes` is the whole of it, `content` what stands behind tag and length. Both are views, not copies. */
export interface DerElement {
  readonly tag: number;
  readonly bytes: Buffer;
  readonly content: Buffer;
}

/** Most elements taken from one constructed element; a certificate has a dozen. Bounds work on hostile input. */
const maxChildren = 256;

function readAt(bytes: Buffer, offset: number): { element: DerElement; next: number } {
  const identifier = bytes[offset];
  const first = bytes[offset + 1];
  if (identifier === undefined || first === undefined) throw new DerError('truncated element');
  if ((identifier & 0x1f) === 0x1f) throw new DerError('high tag numbers are not used in certificates');
  let start = offset + 2;
  let length = first;
  if (first >= 0x80) {
    const count = first & 0x7f;
    if (count === 0 || count > 3) throw new DerError('indefinite or oversized length');
    length = 0;
    for (let i = 0; i < count; i++) {
      const byte = bytes[start + i];
      if (byte === undefined) throw new DerError('truncated length');
      length = length * 256 + byte;
    }
    if (length < 0x80 || length < 2 ** (8 * (count - 1))) throw new DerError('length is not minimal');
    start += count;
  }
  const end = start + length;
  if (end > bytes.length) throw new DerError('element runs past the end');
  return {
    element: { tag: identifier, bytes: bytes.subarray(offset, end), content: bytes.subarray(start, end) },
    next: end,
  };
}

/** Reads the one element that fills `bytes`; trailing bytes are an error. */
export function readDer(bytes: Buffer, expected?: number): DerElement {
  const { element, next } = readAt(bytes, 0);
  if (next !== bytes.length) throw new DerError('bytes left after the element');
  if (expected !== undefined && element.tag !== expected)
    throw new DerError(`tag ${element.tag} where ${expected} belongs`);
  return element;
}

/** Reads all elements inside a constructed element's content. */
export function readChildren(content: Buffer): DerElement[] {
  const children: DerElement[] = [];
  let offset = 0;
  while (offset < content.length) {
    if (children.length === maxChildren) throw new DerError(`more than ${maxChildren} elements in one`);
    const { element, next } = readAt(content, offset);
    children.push(element);
    offset = next;
  }
  return children;
}

/** A cursor over the elements of a SEQUENCE, for shapes with optional parts. */
export interface DerCursor {
  /** The next element, which must have the tag. */
  take(expected: number, what: string): DerElement;
  /** The next element if it has the tag. */
  takeIf(expected: number): DerElement | undefined;
  /** Throws when elements are left. */
  end(what: string): void;
}

export function cursor(content: Buffer): DerCursor {
  const elements = readChildren(content);
  let at = 0;
  return {
    take(expected, what) {
      const element = elements[at];
      if (element === undefined || element.tag !== expected)
        throw new DerError(`${what} is missing or of the wrong type`);
      at++;
      return element;
    },
    takeIf(expected) {
      const element = elements[at];
      if (element === undefined || element.tag !== expected) return undefined;
      at++;
      return element;
    },
    end(what) {
      if (at !== elements.length) throw new DerError(`unexpected element in ${what}`);
    },
  };
}

/** Dotted form of an OBJECT IDENTIFIER's content. */
export function readOid(content: Buffer): string {
  const parts: number[] = [];
  let value = 0;
  let fresh = true;
  for (const byte of content) {
    if (fresh && byte === 0x80) throw new DerError('object identifier is not minimal');
    value = value * 128 + (byte & 0x7f);
    if (value > Number.MAX_SAFE_INTEGER / 128) throw new DerError('object identifier part too large');
    fresh = byte < 0x80;
    if (fresh) {
      parts.push(value);
      value = 0;
    }
  }
  const head = parts[0];
  if (head === undefined || !fresh) throw new DerError('object identifier is empty or truncated');
  const root = Math.min(2, Math.floor(head / 40));
  return [root, head - root * 40, ...parts.slice(1)].join('.');
}

export function readBoolean(content: Buffer): boolean {
  if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff))
    throw new DerError('boolean is neither 0x00 nor 0xff');
  return content[0] === 0xff;
}

/** A small non-negative INTEGER, such as a path length. */
export function readSmallInteger(content: Buffer): number {
  if (content.length === 0 || content.length > 4) throw new DerError('integer out of range');
  if (content.length > 1 && content[0] === 0 && (content[1] ?? 0) < 0x80)
    throw new DerError('integer is not minimal');
  const value = content.readIntBE(0, content.length);
  if (value < 0) throw new DerError('integer is negative');
  return value;
}

/** A BIT STRING's first 16 bits, most significant first (bit 0 is 0x8000), as key usages are numbered. */
export function readBits(content: Buffer): number {
  const unused = content[0];
  if (unused === undefined || unused > 7 || content.length > 3 || (content.length === 1 && unused > 0))
    throw new DerError('bad bit string');
  const bits = ((content[1] ?? 0) << 8) | (content[2] ?? 0);
  const padding = content.length > 1 ? (content[content.length - 1] ?? 0) & ((1 << unused) - 1) : 0;
  if (padding !== 0) throw new DerError('bit string has padding bits set');
  return bits;
}

/** Milliseconds since the epoch of a UTCTime or GeneralizedTime in the only form RFC 5280 §4.1.2.5 allows. */
export function readTime(element: DerElement): number {
  const text = element.content.toString('latin1');
  const utc = element.tag === tag.utcTime;
  if (!utc && element.tag !== tag.generalizedTime) throw new DerError('time is of the wrong type');
  const match = (
    utc ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/ : /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/
  ).exec(text);
  if (match === null) throw new DerError('time is not in the form RFC 5280 requires');
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  const fullYear = utc ? (year < 50 ? 2000 + year : 1900 + year) : year;
  const ms = Date.UTC(fullYear, month - 1, day, hour, minute, second);
  const back = new Date(ms);
  if (
    back.getUTCMonth() !== month - 1 ||
    back.getUTCDate() !== day ||
    hour > 23 ||
    minute > 59 ||
    second > 59
  )
    throw new DerError('time is not a date');
  return ms;
}

/** One element of the given tag around the parts, with the shortest length form. */
export function writeDer(elementTag: number, ...parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head =
    length < 0x80
      ? Buffer.from([elementTag, length])
      : length < 0x100
        ? Buffer.from([elementTag, 0x81, length])
        : length < 0x10000
          ? Buffer.from([elementTag, 0x82, length >> 8, length & 0xff])
          : Buffer.from([elementTag, 0x83, length >> 16, (length >> 8) & 0xff, length & 0xff]);
  return Buffer.concat([head, ...parts]);
}

/** An OBJECT IDENTIFIER from its dotted form. */
export function writeOid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes: number[] = [];
  for (const part of [first * 40 + second, ...rest]) {
    const digits = [part % 128];
    for (let left = Math.floor(part / 128); left > 0; left = Math.floor(left / 128))
      digits.unshift(0x80 | (left % 128));
    bytes.push(...digits);
  }
  return writeDer(tag.oid, Buffer.from(bytes));
}
