import type { ServerDuplexStream } from '@grpc/grpc-js';

/** A call of which only who makes it matters. */
export type CallerCall = Pick<
  ServerDuplexStream<unknown, unknown>,
  'getPeer' | 'metadata' | 'getAuthContext'
>;
