import type { FieldTable } from '@tulle/fields';
import type { FrameOutput, Http2Events } from './events.ts';
import { DEFAULT_OPTIONS, type Http2Options } from './options.ts';
import type { Http2Stream } from './stream.ts';

/**
 * One HTTP/2 connection without sockets: bytes in by `receive`, events out, frames into the output. What both roles
 * have; see {@link ServerSession} and {@link ClientSession}.
 *
 * The owner keeps the clock: it ends the connection when SETTINGS are not acknowledged (`fail('settings-timeout')`), PINGs not
 * answered, streams idle. Nothing here throws for what the peer sends.
 */
export abstract class Http2Session<U> {
  readonly options: Http2Options;
  protected readonly events: Http2Events<U>;
  protected readonly output: FrameOutput;

  constructor(events: Http2Events<U>, output: FrameOutput, options: Partial<Http2Options> = {}) {
    this.events = events;
    this.output = output;
    this.options = { ...DEFAULT_OPTIONS, ...options };
  }

  /** Streams that have not ended, of either side. */
  get openStreams(): number {
    return 0;
  }

  /** After `onFault` or `abort`: nothing is read or written any more. */
  get failed(): boolean {
    return false;
  }

  /** Writes the preface (client), SETTINGS and the connection's window. Once, before all else. */
  abstract start(): void;

  /**
   * Takes `chunk[start, end)`, all of it, wherever the peer's frames begin and end. Never throws for what it holds.
   * @param nowMs a clock that does not go back, for the flood budgets
   */
  receive(_chunk: Buffer, _start: number, _end: number, _nowMs: number): void {}

  /** The peer half-closed: streams whose side of the peer is open get `onReset`, the others may still be answered. */
  peerEnded(): void {}

  /** The connection is gone: every stream gets `onReset(stream, code, 'connection')`. Writes nothing. */
  abort(_code?: number): void {}

  /** Ends the connection for a reason of the owner's: GOAWAY with its code, `onFault`, then as `abort`. */
  fail(_rule: 'settings-timeout'): void {}

  /**
   * Sends a piece of body, or queues what windows and output do not take.
   * @param owned whether `chunk` may be kept @param endStream this is the last piece, as `writeEnd(stream, undefined)` after it
   * @returns whether `chunk` is kept: then nobody may overwrite it (decision D1)
   */
  writeData(
    _stream: Http2Stream<U>,
    _chunk: Buffer,
    _start: number,
    _end: number,
    _owned: boolean,
    _endStream = false,
  ): boolean {
    return false;
  }

  /**
   * Ends our side: END_STREAM on the last DATA frame while that is still in the writer, else on an empty one, or on the
   * trailers. Fields that may not be trailers are left out. `trailers` is copied when it has to wait.
   */
  writeEnd(_stream: Http2Stream<U>, _trailers: FieldTable | undefined): void {}

  /** `bytes` of `onData` were passed on: the stream's window opens again. */
  consume(_stream: Http2Stream<U>, _bytes: number): void {}

  /** Ends the stream: RST_STREAM, unless both sides had ended. No event follows. */
  reset(_stream: Http2Stream<U>, _code: number): void {}

  /** The output has room again: goes on with what is queued, a frame of each stream in turn. */
  pump(): void {}

  /**
   * Announces the end. `graceful`: last id 2^31-1, what the peer opened meanwhile is still served; `finishGoaway` says
   * the true last id a round trip later (RFC 9113 §6.8). Else at once. New streams after that are refused.
   */
  goaway(_code: number, _graceful: boolean): void {}

  /** Second GOAWAY, with the id of the last stream that was taken. Nothing when it was sent already. */
  finishGoaway(): void {}

  /** Sends PING. @param token 0..2^32-1, comes back by `onPong` */
  ping(_token: number): void {}
}
