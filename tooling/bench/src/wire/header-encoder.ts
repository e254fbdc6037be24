/** A header list; names in lower case, values below 127 octets. */
export type Fields = readonly (readonly [name: string, value: string])[];

/**
 * HPACK (RFC 7541) for lists that are sent over and over on one connection: the first time literally, into the peer's dynamic
 * table, then by index, as real clients do. No Huffman code.
 */
export class HeaderEncoder {
  readonly #places = new Map<string, number>();
  readonly #ready = new Map<Fields, { readonly at: number; readonly block: Buffer }>();
  #inserted = 0;
  #indexing = true;
  #tellSize = false;

  /** The peer has no dynamic table, so nothing is put into one (§4.2 wants that said). */
  withoutTable(): void {
    if (this.#inserted === 0) {
      this.#indexing = false;
      this.#tellSize = true;
    }
  }

  encode(fields: Fields): Buffer {
    const ready = this.#ready.get(fields);
    if (ready !== undefined && ready.at === this.#inserted && !this.#tellSize) return ready.block;
    const parts: Buffer[] = [];
    if (this.#tellSize) parts.push(Buffer.from([0x20]));
    this.#tellSize = false;
    let literal = parts.length > 0;
    for (const [name, value] of fields) {
      const key = `${name}\n${value}`;
      const place = this.#places.get(key);
      if (place !== undefined) {
        parts.push(Buffer.from([0x80 | (62 + this.#inserted - 1 - place)]));
        continue;
      }
      if (key === ':status\n200') {
        parts.push(Buffer.from([0x88]));
        continue;
      }
      parts.push(Buffer.from([this.#indexing ? 0x40 : 0x00]), text(name), text(value));
      if (this.#indexing) {
        this.#places.set(key, this.#inserted++);
        literal = true;
      }
    }
    const block = Buffer.concat(parts);
    if (!literal) this.#ready.set(fields, { at: this.#inserted, block });
    return block;
  }
}

function text(value: string): Buffer {
  return Buffer.concat([Buffer.from([value.length]), Buffer.from(value, 'latin1')]);
}

/** Whether a response's header block begins with `:status 200`, as everybody sends it: static entry 8. */
export function saysOk(block: Buffer, start = 0): boolean {
  let at = start;
  // Dynamic table size updates come first (§4.2); their integers may go on for some octets.
  while (at < block.length && ((block[at] as number) & 0xe0) === 0x20) {
    let more = ((block[at++] as number) & 0x1f) === 0x1f;
    while (more && at < block.length) more = ((block[at++] as number) & 0x80) !== 0;
  }
  return block[at] === 0x88;
}
