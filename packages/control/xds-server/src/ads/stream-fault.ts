import { status } from '@grpc/grpc-js';

/** A client that breaks the protocol or a bound: the stream ends with this status, others go on. */
export class StreamFault extends Error {
  override readonly name = 'StreamFault';
  readonly code: status;

  constructor(code: status, message: string) {
    super(message);
    this.code = code;
  }
}
