import type { RequestHead, ResponseHead } from '@tulle/http1';
import type { ByteWriter, FieldTable } from '@tulle/fields';
import type { Http2Fault } from './faults.ts';
import type { Http2Stream } from './stream.ts';

/** The outgoing half of the connection. Frames gather in `writer` and leave in one write at the end of the turn. */
export interface FrameOutput {
  /** Where frames are written. Ask anew after every other call into the output. */
  writer(): ByteWriter;
  /**
   * Takes a piece of body, behind what the writer has. @param owned whether `chunk` may be kept
   * @returns whether it is kept: then nobody may overwrite it (decision D1)
   */
  piece(chunk: Buffer, start: number, end: number, owned: boolean, tail?: Buffer): boolean;
  /** Bytes that wait in the writer or in the socket. */
  readonly queuedBytes: number;
  /**
   * Bytes that left the writer or came by `piece` so far, so that `bytes + writer().length` is the place in the
   * connection's byte stream. That is how END_STREAM still finds its way into a DATA frame that has not left yet.
   */
  readonly bytes: number;
}

/**
 * Why a stream ended out of order. `peer`: RST_STREAM came. `protocol`: the peer broke a rule on this stream, and was
 * sent RST_STREAM. `goaway`: the peer's GOAWAY says that it did not and will not look at it. `connection`: the
 * connection failed or ended.
 */
export type ResetCause = 'peer' | 'protocol' | 'goaway' | 'connection';

/**
 * What a session tells its owner. All of it comes from inside a call into the session (`receive`, `pump`, `peerEnded`,
 * `abort`, `writeEnd`, …), and every method may call the session again.
 *
 * **The end of the peer's side** comes exactly once, in one of three: `onHead(…, true)`, `onData(…, true)` or `onEnd`.
 *
 * **The end of a stream** comes exactly once, in one of three: `onClosed` (both sides ended in order), `onReset`, or
 * your own call of `reset`. After it the object belongs to the session, which uses it again: keep no reference.
 *
 * **Provably unsent** (decision D5), so that the request may be sent again whatever its method: `onReset` with code
 * REFUSED_STREAM and cause `peer` or `goaway`.
 */
export interface Http2Events<U> {
  /**
   * Server: a request begins, and its block is whole. Say where its head goes (the session resets and fills it), and set
   * `stream.user`. Undefined refuses the stream (REFUSED_STREAM: the caller may send it again elsewhere); no other event
   * follows then.
   */
  requestHead(stream: Http2Stream<U>): RequestHead | undefined;
  /**
   * Server: the request head is filled and valid. `method`, `path`, `queryIndex`, `authority`, `scheme`, `expectContinue`
   * and `contentLength` as of HTTP/1; `bodyKind` is BODY_NONE with `endStream`, BODY_LENGTH with Content-Length, else
   * BODY_CHUNKED (length unknown; both may end with trailers). `fields` has a `host` line with the authority, as of HTTP/1, and one `cookie` line
   * (RFC 9113 §8.2.3: crumbs are joined). An extended CONNECT has `stream.protocol` (RFC 8441).
   *
   * Client: the final response head is filled. After HEAD, 204 and 304 `bodyKind` is BODY_NONE even where the end comes
   * later, with an empty DATA frame.
   */
  onHead(stream: Http2Stream<U>, endStream: boolean): void;
  /**
   * Server: a request that can be answered and not be processed: 400, 414, 417, 431 or 501 (`fault.status`). The head
   * may be incomplete. Answer by `writeHead` and, when `endStream` is false, `reset(stream, H2_NO_ERROR)` behind the answer's
   * end (RFC 9113 §8.1); body that still comes is not told.
   */
  onHeadFault(stream: Http2Stream<U>, fault: Http2Fault, endStream: boolean): void;
  /** Client: a 1xx, in the response head. It is reused by the final one. Never 101. */
  onInformational(stream: Http2Stream<U>): void;
  /**
   * A piece of body, never empty: a slice of the chunk given to `receive`, borrowed until the method returns (decision D1). Tell
   * by `consume` what was passed on.
   */
  onData(stream: Http2Stream<U>, chunk: Buffer, start: number, end: number, endStream: boolean): void;
  /**
   * The peer's side ended without content in its last frame. @param trailers checked, without fields that may not be
   * trailers (RFC 9110 §6.5.1); the session's, valid until the method returns
   */
  onEnd(stream: Http2Stream<U>, trailers: FieldTable | undefined): void;
  /** The stream ended out of order. @param code RFC 9113 §7; see {@link ResetCause} */
  onReset(stream: Http2Stream<U>, code: number, cause: ResetCause): void;
  /** Both sides ended in order, and our last frame is in the output. */
  onClosed(stream: Http2Stream<U>): void;
  /** `stream.writable` is true again, after it was false. */
  onDrain(stream: Http2Stream<U>): void;
  /**
   * The peer's first SETTINGS came, or later ones that changed `maxConcurrentStreams` or `peerConnectProtocol`; or, at a client,
   * `canOpen` is true again after it was false only because the origin did not read.
   */
  onSettings(): void;
  /** The peer acknowledged our SETTINGS: the owner's SETTINGS timer ends (RFC 9113 §6.5.3). */
  onSettingsAck(): void;
  /** Client: streams above `lastStreamId` got `onReset` before this. No stream can be opened any more. @param debug at most 256 chars */
  onGoaway(lastStreamId: number, code: number, debug: string): void;
  /** Answer to `ping(token)`. */
  onPong(token: number): void;
  /**
   * The peer broke a rule on one stream: for records and metrics. It was sent RST_STREAM, or (rules that are answered) gets
   * its status by `onHeadFault`. `onReset` follows where the owner knows the stream.
   */
  onStreamFault(streamId: number, fault: Http2Fault): void;
  /** The connection is over: GOAWAY is written; flush and close. Every open stream gets `onReset` (cause `connection`) after it. */
  onFault(fault: Http2Fault): void;
}

/** The head that a stream fills: the server's request or the client's response. */
export type StreamHead = RequestHead | ResponseHead;
