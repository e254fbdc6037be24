import type { FieldTable } from '@tulle/fields';

/** Body of one stream that waits for a window or for the output. */
export interface SendQueue {
  trailers: FieldTable | undefined;
}
