import type { FieldTable } from '@tulle/fields';
import type { Http1Fault } from './faults.ts';
import type { RequestHead, ResponseHead } from './heads.ts';

/**
 * What a decoder tells, in order: head, data…, trailers?, complete; or fault at any point, and then nothing more.
 * Called from inside `execute`. A method may call `pause()` of the decoder; `execute` then returns after it.
 */
export interface MessageSink {
  /** Bytes of the body, borrowed until the method returns (decision D1): slices of the chunk given to `execute`. Never empty. */
  onData(chunk: Buffer, start: number, end: number): void;
  /** A non-empty trailer section, checked. The table is the decoder's: valid until the next message begins. */
  onTrailers(trailers: FieldTable): void;
  /** The message is whole. `execute` returns right after it, so the bytes of a next message stay unread. */
  onComplete(): void;
  /**
   * The message broke a rule; the decoder takes no more. Nothing of this message that was not told yet will be.
   * @param offset bytes from the start of the head (rules of the head) or of the body as transmitted (the others)
   */
  onFault(fault: Http1Fault, offset: number): void;
}

export interface RequestSink extends MessageSink {
  onHead(head: RequestHead): void;
}

export interface ResponseSink extends MessageSink {
  onHead(head: ResponseHead): void;
  /** A 1xx response other than 101. The head is reused by the final one: copy what you keep. */
  onInformational(head: ResponseHead): void;
}
