import type { FieldTable } from '@tulle/fields';
import type { ConnectionInfo } from '@tulle/filter';
import type { ResponseHead } from '@tulle/http1';
import type { Socket } from './ports.ts';
import type { Stream } from './stream/stream.ts';

/**
 * The two sides of a stream as chain and attempts see them, so that neither knows which HTTP version carries it.
 */

/** A hook's promise is pending. */
export const PAUSE_HOOK = 1;
/** The other side takes no more, or is not there yet. */
export const PAUSE_FLOW = 2;
/** Why reading stands still; it goes on when no reason is left. */
export type PauseReason = typeof PAUSE_HOOK | typeof PAUSE_FLOW;

/** The caller's side: writes the response, controls the reading of the request. */
export interface Downstream {
  readonly connection: ConnectionInfo;
  /** An interim (1xx) response of the endpoint. */
  writeInterim(stream: Stream, head: ResponseHead): void;
  /** `100 Continue` said by Tulle, because a filter must read the body before the endpoint is asked. */
  writeContinue(stream: Stream): void;
  /** The head that the stream's response fields describe. @returns false when it could not be encoded: nothing was written */
  writeHead(stream: Stream): boolean;
  /** @returns whether `chunk` is kept (D1) */
  writeData(stream: Stream, chunk: Buffer, start: number, end: number, owned: boolean): boolean;
  writeEnd(stream: Stream, trailers: FieldTable | undefined): void;
  /** Whether the caller can still be answered. */
  readonly open: boolean;
  /** More is queued than the connection's limit: stop reading from the endpoint until `onDownstreamDrain`. */
  readonly full: boolean;
  /** Whether the caller took some of what is queued since this was asked last. */
  takesOn(): boolean;
  /** Stops and goes on reading the request. */
  pauseRequest(stream: Stream, reason: PauseReason): void;
  resumeRequest(stream: Stream, reason: PauseReason): void;
  /** The response cannot be completed: the caller must see a broken message, never a short one that looks whole. */
  abort(stream: Stream): void;
  /** The rest of the request will not be read; the connection ends. */
  abandonRequest(stream: Stream): void;
  /** The response head is a protocol switch: bytes flow both ways from now on. */
  tunnel(stream: Stream, upstream: UpstreamStream): void;
  /** The stream is over, request and response; called once, last. */
  streamDone(stream: Stream): void;
}

/** The endpoint's side of one attempt. */
export interface UpstreamStream {
  /** Proven SPIFFE id of the endpoint. */
  readonly identity: string | undefined;
  /** Whether the connection had served before. */
  readonly reused: boolean;
  /** Whether bytes read from the endpoint now may be kept by {@link keepRead}. */
  readonly ownedReads: boolean;
  keepRead(): void;
  /** Sends the request head. @returns a sentence when it could not be encoded: nothing was sent */
  sendHead(stream: Stream): string | undefined;
  /** @returns whether `chunk` is kept (D1) */
  sendData(chunk: Buffer, start: number, end: number, owned: boolean): boolean;
  sendEnd(trailers: FieldTable | undefined): void;
  /** More is queued than the connection's limit. */
  readonly full: boolean;
  pauseResponse(reason: PauseReason): void;
  resumeResponse(reason: PauseReason): void;
  /** After a protocol switch: the socket goes to a relay, the connection is not HTTP any more. */
  handOver(): Socket;
  /** The relay is over: only now the connection leaves the counts of its pool. */
  tunnelOver(): void;
  /** At the end of that turn: what came behind the head of the switch. */
  takeHeld(): Buffer;
  /** The stream does not listen any more; the connection is drained or closed. */
  abandon(): void;
}
