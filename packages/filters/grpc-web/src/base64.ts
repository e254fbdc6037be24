const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * Decodes base64 that comes in pieces. Padding may stand within it: text forms of gRPC-Web are pieces of base64 one after
 * the other, each padded for itself.
 */
export class Base64Decoder {
  /** Characters of a group of four that is not whole yet. */
  #rest = '';

  /** @returns `undefined` for what is no base64 */
  push(bytes: Uint8Array): Buffer | undefined {
    const text =
      this.#rest + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
    const whole = text.length - (text.length % 4);
    this.#rest = text.slice(whole);
    return decode(text.slice(0, whole));
  }

  /** Whether the text ended where a group did. */
  get complete(): boolean {
    return this.#rest === '';
  }

  reset(): void {
    this.#rest = '';
  }
}

function decode(text: string): Buffer | undefined {
  if (!text.includes('=')) return BASE64.test(text) ? Buffer.from(text, 'base64') : undefined;
  const parts: Buffer[] = [];
  for (let start = 0; start < text.length;) {
    const padding = text.indexOf('=', start);
    // A group ends with its padding.
    const end = padding < 0 ? text.length : padding + 4 - (padding % 4);
    const part = text.slice(start, end);
    if (!BASE64.test(part)) return undefined;
    parts.push(Buffer.from(part, 'base64'));
    start = end;
  }
  return Buffer.concat(parts);
}
