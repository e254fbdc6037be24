import { BODY_NONE } from '@tulle/http1';
import type { Stream } from '../stream/stream.ts';
import { believesMarker } from './unsent-marker.ts';

/** RFC 9110 §9.2.2 */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/** Whether repeating a request of this method has the effect of sending it once (decision D5). */
export function isIdempotent(method: string): boolean {
  return method === 'GET' || IDEMPOTENT.has(method);
}

/** Whether the request may be sent again after an attempt that is, or is not, provably unsent (D5). */
export function isRepeatable(stream: Stream, unsent: boolean): boolean {
  return (unsent || isIdempotent(stream.method)) && bodyAtHand(stream);
}

/**
 * Whether a request may turn out to be repeatable although it went out, so that its body is worth keeping: it is
 * idempotent, or its endpoint can tell that it was not sent on and a filter may ask for a retry then.
 */
export function mayBeSentTwice(stream: Stream): boolean {
  return isIdempotent(stream.method) || (stream.table.attemptEnd !== null && believesMarker(stream));
}

/** Whether every byte of the body so far is still there to be sent again. */
export function bodyAtHand(stream: Stream): boolean {
  return stream.requestBodyKind === BODY_NONE || stream.replay.complete;
}
