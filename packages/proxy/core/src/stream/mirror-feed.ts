import type { FieldTable } from '@tulle/fields';
import type { Bytes } from '../bytes.ts';

/** What a stream tells those who send copies of its request elsewhere. None of it fails, waits or throws. */
export interface MirrorFeed {
  /** A piece of the body as it goes on, borrowed. */
  data(chunk: Bytes, start: number, end: number): void;
  /** The request is whole. */
  end(trailers: FieldTable | undefined): void;
  /** The stream is over: what is not whole by now never will be. */
  leave(): void;
}
