import type { RequestHead, ResponseHead } from '@tulle/http1';
import type { SendQueue } from './send-queue.ts';
import { StreamFlags } from './stream-flags.ts';

/** The peer has not sent its head yet (a client waits for the final response). */
export const PEER_HEAD = 0;
/** The head came; content and trailers may. */
export const PEER_BODY = 1;
/** END_STREAM came. */
export const PEER_ENDED = 2;

/** Our head is not written yet. */
export const LOCAL_HEAD = 0;
/** Head written; content and trailers may. */
export const LOCAL_BODY = 1;
/** The owner ended its side; what is queued still leaves. */
export const LOCAL_ENDING = 2;
/** Our END_STREAM is in the output. */
export const LOCAL_ENDED = 3;

/**
 * One stream of a connection. The session makes it, keeps it in a pool and uses it again: after `onClosed`, `onReset` or
 * `reset` it belongs to another request. Owners read what is documented here as theirs and set `user`.
 */
export class Http2Stream<U> extends StreamFlags {
  /** The owner's: whose stream it is. */
  user: U = undefined as U;
  /** RFC 9113 §5.1.1; 0 while it lies in the pool. */
  id = 0;
  /** Server: `:protocol` of an extended CONNECT (RFC 8441 §4), in lower case as it came. Client: what was asked for. */
  protocol: string | undefined = undefined;

  // — the session's —

  /** Server: the request head. Client: the response head. */
  head: RequestHead | ResponseHead | undefined = undefined;
  /** The peer's view of how much we may send; negative after SETTINGS lowered it (RFC 9113 §6.9.2). */
  sendWindow = 0;
  /** How much the peer may still send. */
  receiveWindow = 0;
  /** What the peer may have under way at most: grows while the owner takes what comes. */
  windowBytes = 0;
  /** Passed on by the owner and not yet told by WINDOW_UPDATE. */
  consumed = 0;
  /** Content that must still come, -1 without Content-Length. */
  expected = -1;
  /** Made for the first piece that has to wait. */
  queue: SendQueue<Http2Stream<U>> | undefined = undefined;

  /** Body accepted by `writeData` that is not in the output yet. */
  get queuedBytes(): number {
    return this.queue === undefined ? 0 : this.queue.bytes;
  }

  /** Back to what a new one is. */
  clear(): void {
    this.resetFlags();
    this.user = undefined as U;
    this.id = 0;
    this.protocol = undefined;
    this.head = undefined;
    this.sendWindow = 0;
    this.receiveWindow = 0;
    this.windowBytes = 0;
    this.consumed = 0;
    this.expected = -1;
    this.queue = undefined;
  }
}
