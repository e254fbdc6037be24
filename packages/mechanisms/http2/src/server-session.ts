import type { EncodeFault } from '@tulle/http1';
import type { FieldTable } from '@tulle/fields';
import { Http2Session } from './session.ts';
import type { Http2Stream } from './stream.ts';

/** The side that answers requests. */
export class ServerSession<U> extends Http2Session<U> {
  start(): void {}

  /** Writes an interim response, 100–199 but not 101. Nothing once the final head is written. */
  writeInterim(
    _stream: Http2Stream<U>,
    _status: number,
    _fields: FieldTable | undefined,
  ): EncodeFault | undefined {
    return undefined;
  }

  /**
   * Writes the final head. Framing, one-hop lines and Host of the table are left out.
   * @param contentLength -1 for none; also the length to announce to HEAD and with 304
   * @param endStream no body and no trailers follow
   * @returns undefined, or why nothing was written
   */
  writeHead(
    _stream: Http2Stream<U>,
    _status: number,
    _fields: FieldTable,
    _contentLength: number,
    _endStream: boolean,
  ): EncodeFault | undefined {
    return undefined;
  }
}
