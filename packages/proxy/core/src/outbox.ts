import { ByteWriter } from '@tulle/fields';
import { WRITE_KEPT, type Socket } from './ports.ts';
import { Stack } from './stack.ts';
import type { Turn, TurnTask } from './turn.ts';

/** Pieces up to this size are copied behind what is gathered already: one write costs more than copying them. */
export const COPY_BYTES = 4096;
/** What is gathered leaves when it reaches this, so that a turn with much output does not grow a buffer for ever. */
const GATHER_BYTES = 65_536;
/** Writers kept for reuse; more are left to the garbage collector. */
const MAX_SPARE_WRITERS = 64;

const spareWriters: Stack<ByteWriter> = new Stack<ByteWriter>();

/**
 * The outgoing direction of one connection: gathers heads and small pieces during a turn and writes them at its end
 * in one call; passes large pieces on without copying where their buffer may be kept (decision D1).
 */
export class Outbox implements TurnTask {
  readonly socket: Socket;
  /** Bytes handed over so far. */
  bytes = 0;
  readonly #turn: Turn;
  #writer: ByteWriter | undefined = undefined;
  /** The writer whose bytes the socket still reads; it comes back with {@link drained}. Over TLS that is every one. */
  #lent: ByteWriter | undefined = undefined;
  #scheduled = false;
  #closed = false;
  #ending = false;
  #owesDrain = false;

  constructor(socket: Socket, turn: Turn) {
    this.socket = socket;
    this.#turn = turn;
  }

  /** Where heads and framing are written; leaves at the end of the turn. */
  writer(): ByteWriter {
    if (!this.#scheduled) {
      this.#scheduled = true;
      this.#turn.flushLater(this);
    }
    // Also where only heads come, so that nobody takes them for what the peer has not read.
    if (this.#writer !== undefined && this.#writer.length >= GATHER_BYTES) this.#write();
    return (this.#writer ??= spareWriters.pop() ?? new ByteWriter());
  }

  /**
   * Whether more than `limitBytes` wait here or in the socket. Whoever hears that is told `onDrain` once nothing waits: also
   * where the socket takes all that was gathered at once, and so has nothing to tell by itself.
   */
  exceeds(limitBytes: number): boolean {
    if (this.queuedBytes <= limitBytes) return false;
    this.#owesDrain = true;
    return true;
  }

  /** Bytes that wait here or in the socket. */
  get queuedBytes(): number {
    return (this.#writer === undefined ? 0 : this.#writer.length) + this.socket.queuedBytes;
  }

  /**
   * Takes a piece of body. @param owned whether `chunk` may be kept @param tail written behind it (a chunk's CR LF)
   * @returns whether `chunk` is kept: then the caller must not let it be overwritten
   */
  piece(chunk: Buffer, start: number, end: number, owned: boolean, tail: Buffer | undefined): boolean {
    if (this.#closed) return false;
    const size = end - start;
    if (!owned || size <= COPY_BYTES) {
      const writer = this.writer();
      writer.bytes(chunk, start, end);
      if (tail !== undefined) writer.bytes(tail);
      if (writer.length >= GATHER_BYTES) this.#write();
      return false;
    }
    const slice = start === 0 && end === chunk.length ? chunk : chunk.subarray(start, end);
    const writer = this.#writer;
    const gathered = writer !== undefined && writer.length > 0;
    this.bytes += size + (gathered ? writer.length : 0) + (tail === undefined ? 0 : tail.length);
    if (!gathered && tail === undefined) return this.socket.write(slice) === WRITE_KEPT;
    this.socket.cork();
    if (gathered) this.socket.write(writer.view());
    this.socket.write(slice);
    if (tail !== undefined) this.socket.write(tail);
    this.socket.uncork();
    const kept = this.socket.queuedBytes > 0;
    if (gathered) {
      if (kept) this.#lend(writer);
      else writer.clear();
    }
    return kept;
  }

  /** Writes what is gathered, now. */
  flush(): void {
    this.#write();
  }

  /** Sends what is gathered, then half-closes. */
  end(): void {
    if (this.#closed || this.#ending) return;
    this.#ending = true;
    if (this.#writer !== undefined && this.#writer.length > 0) return; // endOfTurn does it
    this.socket.end();
  }

  /** The connection is gone; what is gathered is dropped. */
  close(): void {
    this.#closed = true;
    this.#giveBack();
  }

  endOfTurn(): void {
    this.#scheduled = false;
    const before = this.#writer !== undefined && this.#writer.length > 0;
    this.#write();
    this.#giveBack();
    if (this.#ending && before && !this.#closed) this.socket.end();
    if (this.#owesDrain) this.#tellDrain();
  }

  #tellDrain(): void {
    this.#owesDrain = false;
    if (!this.#closed && this.socket.queuedBytes === 0) this.socket.events.onDrain();
  }

  #write(): void {
    const writer = this.#writer;
    if (writer === undefined || writer.length === 0) return;
    if (this.#closed) return writer.clear();
    this.bytes += writer.length;
    if (this.socket.write(writer.view()) === WRITE_KEPT) this.#lend(writer);
    else writer.clear();
  }

  /** Nobody may write into the writer's storage until the socket has all of it (decision D1). */
  #lend(writer: ByteWriter): void {
    if (this.#lent !== undefined) {
      writer.detach();
      return;
    }
    this.#lent = writer;
    this.#writer = undefined;
  }

  /** The socket keeps nothing any more. */
  drained(): void {
    const writer = this.#lent;
    if (writer === undefined || this.#closed) return;
    this.#lent = undefined;
    putBack(writer);
  }

  #giveBack(): void {
    const writer = this.#writer;
    if (writer === undefined) return;
    this.#writer = undefined;
    putBack(writer);
  }
}

function putBack(writer: ByteWriter): void {
  writer.clear();
  if (spareWriters.size < MAX_SPARE_WRITERS && writer.buffer.length <= GATHER_BYTES)
    spareWriters.push(writer);
}
