import { ByteWriter } from '@tulle/fields';
import type { Socket } from 'node:net';
import type { FrameOutput } from '../src/index.ts';

/** The output of a session over a `node:net` socket: gathers during a tick, writes once at its end. */
export class SocketOutput implements FrameOutput {
  bytes = 0;
  readonly #socket: Socket;
  readonly #writer: ByteWriter = new ByteWriter();
  #due = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  writer(): ByteWriter {
    if (!this.#due) {
      this.#due = true;
      process.nextTick(() => this.flush());
    }
    return this.#writer;
  }

  get queuedBytes(): number {
    return this.#writer.length + this.#socket.writableLength;
  }

  piece(chunk: Buffer, start: number, end: number, owned: boolean): boolean {
    if (!owned || end - start <= 4096) {
      this.writer().bytes(chunk, start, end);
      return false;
    }
    this.flush();
    this.bytes += end - start;
    this.#socket.write(chunk.subarray(start, end));
    return this.#socket.writableLength > 0;
  }

  flush(): void {
    this.#due = false;
    const writer = this.#writer;
    if (writer.length === 0) return;
    this.bytes += writer.length;
    if (this.#socket.destroyed) writer.clear();
    else this.#socket.write(writer.detach());
  }
}
