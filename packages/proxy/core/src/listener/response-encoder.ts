import type { FieldTable } from '@tulle/fields';
import {
  BODY_CHUNKED,
  BODY_CLOSE,
  BODY_LENGTH,
  BODY_NONE,
  CONNECTION_CLOSE,
  CONNECTION_KEEP_ALIVE,
  CONNECTION_PERSIST,
  CONNECTION_UPGRADE,
  CONTINUE_RESPONSE,
  stripHopByHop,
  writeChunkHeader,
  writeLastChunk,
  writeResponseHead,
  type BodyKind,
  type OutgoingFraming,
  type ResponseHead,
} from '@tulle/http1';
import type { Engine } from '../engine.ts';
import type { Outbox } from '../outbox.ts';
import type { Stream } from '../stream/stream.ts';

const CRLF: Buffer = Buffer.from('\r\n', 'latin1');

/** Reused for every head: the encoder reads it and keeps nothing. */
const framing: OutgoingFraming = {
  bodyKind: BODY_NONE,
  contentLength: -1,
  connection: CONNECTION_PERSIST,
  upgrade: undefined,
};

/** Whether the response turns the connection into a tunnel. */
export function isSwitch(stream: Stream): boolean {
  return (
    stream.status === 101 ||
    (stream.isConnect && stream.status >= 200 && stream.status < 300 && !stream.responseLocal)
  );
}

/** Whether a caller of HTTP/1 expects a body behind the head (RFC 9112 §6.3 rules 1 and 2). */
function mayHaveBody({ status, requestHead, isConnect }: Stream): boolean {
  if (status === 204 || status === 304 || status < 200) return false;
  return requestHead.method !== 'HEAD' && !(isConnect && status < 300);
}

/** After an early answer: whether the rest of the request is worth reading, so that the connection can go on. */
export function isWorthReading(stream: Stream): boolean {
  if (stream.expectsContinue) return false; // the caller may never send it (RFC 9110 §10.1.1)
  if (stream.requestBodyKind !== BODY_LENGTH) return true;
  return stream.requestLength - stream.bytesReceived <= stream.engine.limits.maxDiscardBytes;
}

/** Writes the responses of one connection as HTTP/1.1, in the framing that its caller understands. */
export class ResponseEncoder {
  /** Framing of the response under way. */
  sentKind: BodyKind = BODY_NONE;
  readonly #engine: Engine;
  readonly #outbox: Outbox;

  constructor(engine: Engine, outbox: Outbox) {
    this.#engine = engine;
    this.#outbox = outbox;
  }

  /**
   * The framing that the caller gets: chunked where the length is not known, for HTTP/1.0 up to the close. HTTP/2 can end a
   * message with its head; in HTTP/1 a response that may have a body says that there is none (RFC 9112 §6.3).
   */
  kindFor(stream: Stream): BodyKind {
    const kind = stream.responseBodyKind;
    if (kind === BODY_NONE && mayHaveBody(stream)) {
      stream.responseLength = 0;
      return BODY_LENGTH;
    }
    if (kind !== BODY_CLOSE && kind !== BODY_CHUNKED) return kind;
    return stream.requestHead.minorVersion === 0 ? BODY_CLOSE : BODY_CHUNKED;
  }

  /** @returns false when it cannot be encoded: nothing was written */
  writeHead(stream: Stream, kind: BodyKind, closing: boolean): boolean {
    const { requestHead, responseFields } = stream;
    framing.bodyKind = kind;
    framing.contentLength = stream.responseLength;
    framing.upgrade = undefined;
    if (stream.status === 101) {
      framing.connection = CONNECTION_UPGRADE;
      framing.upgrade = stream.responseHead.upgrade;
    } else if (isSwitch(stream)) framing.connection = CONNECTION_PERSIST;
    else if (closing) framing.connection = CONNECTION_CLOSE;
    else framing.connection = requestHead.minorVersion === 0 ? CONNECTION_KEEP_ALIVE : CONNECTION_PERSIST;
    if (stream.status !== 101 && !responseFields.has('date'))
      responseFields.add('date', this.#engine.httpDate());
    const out = this.#outbox.writer();
    const fault = writeResponseHead(out, requestHead, stream.status, stream.reason, responseFields, framing);
    if (fault !== undefined) {
      this.#engine.log.error(`response not sent: ${fault.reason}`, {
        requestId: stream.requestId,
        status: stream.status,
      });
      return false;
    }
    this.sentKind = kind;
    return true;
  }

  /** Interim responses are unknown to HTTP/1.0. */
  writeInterim(stream: Stream, head: ResponseHead): void {
    if (stream.requestHead.minorVersion === 0 || stream.responseStarted) return;
    stripHopByHop(head.fields, head.connectionNames);
    framing.bodyKind = BODY_NONE;
    framing.contentLength = -1;
    framing.connection = CONNECTION_PERSIST;
    const out = this.#outbox.writer();
    writeResponseHead(out, stream.requestHead, head.status, head.reason, head.fields, framing);
  }

  writeContinue(stream: Stream): void {
    if (stream.requestHead.minorVersion === 1) this.#outbox.writer().bytes(CONTINUE_RESPONSE);
  }

  /** @returns whether `chunk` is kept (D1) */
  writeData(chunk: Buffer, start: number, end: number, owned: boolean): boolean {
    if (this.sentKind !== BODY_CHUNKED) return this.#outbox.piece(chunk, start, end, owned, undefined);
    writeChunkHeader(this.#outbox.writer(), end - start);
    return this.#outbox.piece(chunk, start, end, owned, CRLF);
  }

  writeEnd(trailers: FieldTable | undefined): void {
    if (this.sentKind === BODY_CHUNKED) writeLastChunk(this.#outbox.writer(), trailers);
  }
}
