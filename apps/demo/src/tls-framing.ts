/**
 * Checks that a byte stream consists of TLS records and nothing else (RFC 8446 §5.1): content type 20–23, legacy
 * version 0x0301 or 0x0303, length at most 2^14 + 256. Written for the demo's claim, independent of any TLS library.
 */
export class TlsFraming {
  #header = Buffer.alloc(5);
  #have = 0;
  #left = 0;
  #records = 0;
  #broken = false;

  /** @returns what is wrong with these bytes; `undefined` while all is well, and after the first fault */
  push(piece: Uint8Array): string | undefined {
    if (this.#broken) return undefined;
    let at = 0;
    while (at < piece.length) {
      if (this.#left > 0) {
        const step = Math.min(this.#left, piece.length - at);
        this.#left -= step;
        at += step;
        continue;
      }
      this.#header[this.#have++] = piece[at++] as number;
      if (this.#have < 5) continue;
      this.#have = 0;
      const fault = this.#judge();
      if (fault !== undefined) {
        this.#broken = true;
        return fault;
      }
      this.#records++;
    }
    return undefined;
  }

  /** Records begun since the last call. */
  takeRecords(): number {
    const records = this.#records;
    this.#records = 0;
    return records;
  }

  #judge(): string | undefined {
    const type = this.#header[0] as number;
    const version = this.#header.readUInt16BE(1);
    const length = this.#header.readUInt16BE(3);
    if (type < 20 || type > 23)
      return `content type ${type} is no TLS record (bytes ${this.#header.toString('hex')})`;
    if (version !== 0x0301 && version !== 0x0303) return `version 0x${version.toString(16)} is no TLS record`;
    if (length === 0 || length > 16_384 + 256) return `record length ${length} is out of range`;
    this.#left = length;
    return undefined;
  }
}
