import type { EncodeFault, ResponseHead } from '@tulle/http1';
import type { FieldTable } from '@tulle/fields';
import { Http2Session } from './session.ts';
import { Http2Stream } from './stream.ts';

/** The side that sends requests. */
export class ClientSession<U> extends Http2Session<U> {
  start(): void {}

  /** Whether a stream can be opened now: below `maxConcurrentStreams`, no GOAWAY, ids left. Also before the peer's SETTINGS came. */
  get canOpen(): boolean {
    return false;
  }

  /** Whether no stream will ever be opened again: GOAWAY came or was sent, ids are used up, the connection failed. */
  get closing(): boolean {
    return false;
  }

  /** The peer's limit, capped by ours; 100 at most until its SETTINGS came. */
  get maxConcurrentStreams(): number {
    return 0;
  }

  /** The peer takes extended CONNECT (RFC 8441 §3). */
  get peerConnectProtocol(): boolean {
    return false;
  }

  /** Opens a stream. Write its head at once, in the order of opening. @throws Error when `canOpen` is false: ask first */
  open(user: U, responseHead: ResponseHead): Http2Stream<U> {
    const stream = new Http2Stream<U>();
    stream.user = user;
    stream.head = responseHead;
    return stream;
  }

  /**
   * Writes the request head. Framing, one-hop lines and Host of the table are left out, but `te: trailers` stays.
   * @param scheme 'http' or 'https' @param authority becomes :authority, whatever the table says
   * @param path path and query, `*` for OPTIONS; ignored for a CONNECT without `protocol`
   * @param contentLength -1 for none @param protocol `:protocol` of an extended CONNECT
   * @returns undefined, or why nothing was written: then the stream is over, without an event
   */
  writeRequestHead(
    _stream: Http2Stream<U>,
    _method: string,
    _scheme: string,
    _authority: string,
    _path: string,
    _fields: FieldTable,
    _contentLength: number,
    _endStream: boolean,
    _protocol?: string,
  ): EncodeFault | undefined {
    return undefined;
  }
}
