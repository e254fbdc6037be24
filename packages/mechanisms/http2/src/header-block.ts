/** Gathers the fragments of a header block that did not come in one frame (RFC 9113 §4.3). */
export class HeaderBlock {
  /** The stream whose block is open, 0 when none is. */
  id = 0;
  /** END_STREAM of the HEADERS frame. */
  endStream = false;
  /** The HEADERS frame made the stream depend on itself. */
  selfDependent = false;
  continuations = 0;
  length = 0;
  bytes: Buffer = NOTHING;

  begin(id: number, endStream: boolean, selfDependent: boolean): void {
    this.id = id;
    this.endStream = endStream;
    this.selfDependent = selfDependent;
    this.continuations = 0;
    this.length = 0;
  }

  append(source: Buffer, start: number, end: number): void {
    const need = this.length + end - start;
    if (need > this.bytes.length) {
      const next = Buffer.allocUnsafeSlow(Math.max(need, this.bytes.length * 2, 1024));
      this.bytes.copy(next, 0, 0, this.length);
      this.bytes = next;
    }
    source.copy(this.bytes, this.length, start, end);
    this.length = need;
  }

  /** Lets the bytes go. */
  close(): void {
    this.id = 0;
    this.length = 0;
    this.bytes = NOTHING;
  }
}

const NOTHING: Buffer = Buffer.alloc(0);
