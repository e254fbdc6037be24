import { ByteWriter } from '@tulle/fields';
import type { FrameOutput } from '../src/index.ts';

/** The output of a session that keeps what leaves until somebody carries it to the other side. */
export class MemoryOutput implements FrameOutput {
  bytes = 0;
  readonly #writer: ByteWriter = new ByteWriter();
  #sent: Buffer[] = [];
  #sentBytes = 0;

  writer(): ByteWriter {
    return this.#writer;
  }

  /** Counts as the queue of a socket that nobody reads. */
  get queuedBytes(): number {
    return this.#writer.length + this.#sentBytes;
  }

  piece(chunk: Buffer, start: number, end: number, owned: boolean): boolean {
    if (!owned || end - start <= 64) {
      this.#writer.bytes(chunk, start, end);
      return false;
    }
    this.flush();
    this.bytes += end - start;
    this.#push(chunk.subarray(start, end));
    return true;
  }

  #push(bytes: Buffer): void {
    this.#sent.push(bytes);
    this.#sentBytes += bytes.length;
  }

  flush(): void {
    const writer = this.#writer;
    if (writer.length === 0) return;
    this.bytes += writer.length;
    this.#push(writer.detach());
  }

  /** Everything that left so far. */
  take(): Buffer {
    this.flush();
    const all = Buffer.concat(this.#sent);
    this.#sent = [];
    this.#sentBytes = 0;
    return all;
  }
}
