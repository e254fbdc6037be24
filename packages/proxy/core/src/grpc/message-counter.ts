import type { Bytes } from '../bytes.ts';

/** Of a message: a flag and the length in four octets (grpc/doc/PROTOCOL-HTTP2.md, "Length-Prefixed-Message"). */
const HEAD_BYTES = 5;

/** Counts the messages of one direction of a gRPC call, by their heads; what is in them is passed over. */
export class MessageCounter {
  /** Messages whose head came. */
  messages = 0;
  /** Of the message under way, still to come. */
  #leftBytes = 0;
  /** Octets of a head that came in an earlier piece, and the length as far as they say it. */
  #headBytes = 0;
  #length = 0;

  push(chunk: Bytes, start: number, end: number): void {
    let at = start;
    while (at < end) {
      if (this.#leftBytes > 0) {
        const passed = Math.min(this.#leftBytes, end - at);
        this.#leftBytes -= passed;
        at += passed;
      } else if (this.#headBytes === 0 && end - at >= HEAD_BYTES) {
        this.messages++;
        this.#leftBytes = chunk.readUInt32BE(at + 1);
        at += HEAD_BYTES;
      } else {
        const octet = chunk[at++] as number;
        if (this.#headBytes++ > 0) this.#length = this.#length * 256 + octet;
        if (this.#headBytes < HEAD_BYTES) continue;
        this.messages++;
        this.#leftBytes = this.#length;
        this.#headBytes = 0;
        this.#length = 0;
      }
    }
  }

  reset(): void {
    this.messages = 0;
    this.#leftBytes = 0;
    this.#headBytes = 0;
    this.#length = 0;
  }
}
