import { knownNameId } from '@tulle/fields';
import { BODY_NONE } from '@tulle/http1';
import type { Stream } from '../stream/stream.ts';
import { believesMarker } from './unsent-marker.ts';

/** RFC 9110 §9.2.2 */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/** draft-ietf-httpapi-idempotency-key-header */
const KEY_ID = knownNameId('idempotency-key');

/**
 * Whether repeating a request has the effect of sending it once (decision D5): by its method, or by its one
 * `Idempotency-Key` where the route says that the service behind knows such keys.
 */
export function isIdempotent(stream: Stream): boolean {
  const { method } = stream;
  return method === 'GET' || IDEMPOTENT.has(method) || hasTrustedKey(stream);
}

function hasTrustedKey({ route, headers }: Stream): boolean {
  const action = route?.action;
  if (action?.kind !== 'forward' || !action.trustIdempotencyKey) return false;
  const index = headers.indexOfId(KEY_ID);
  // Of two keys it cannot be told which one the service goes by.
  return index !== -1 && headers.value(index) !== '' && headers.indexOfId(KEY_ID, index + 1) === -1;
}

/**
 * Whether the service refused a gRPC call by a status alone, and the operator named statuses after which calls are made
 * again, whatever they do: that is their word for it (D5), of the calls that such a status refused.
 */
function isRefusedCall({ grpc, attempt, table }: Stream): boolean {
  return grpc && attempt.grpcStatus > 0 && table.retriesGrpc;
}

/** Whether sending the request again is safe after an attempt that is, or is not, provably unsent (D5). */
export function isSafeAgain(stream: Stream, unsent: boolean): boolean {
  return unsent || isIdempotent(stream) || isRefusedCall(stream);
}

/** Likewise, and its body is there. */
export function isRepeatable(stream: Stream, unsent: boolean): boolean {
  return isSafeAgain(stream, unsent) && bodyAtHand(stream);
}

/**
 * Whether a request may turn out to be repeatable although it went out, so that its body is worth keeping: it is
 * idempotent, or a gRPC call that may be refused, or its endpoint can tell that it was not looked at (HTTP/2), or that it
 * was not sent on and a filter may ask for a retry then, or its answer may lead it elsewhere.
 */
export function mayBeSentTwice(stream: Stream): boolean {
  const { table, upstream } = stream;
  return (
    isIdempotent(stream) ||
    (upstream !== undefined && upstream.provesUnsent) ||
    (stream.grpc && table.retriesGrpc) ||
    (table.attemptEnd !== null && believesMarker(stream)) ||
    mayBeLedOn(stream)
  );
}

/** Whether an answer may lead it elsewhere: the operator's word that it may go there, and its endpoint's that it is to. */
function mayBeLedOn({ route }: Stream): boolean {
  return route?.action.kind === 'forward' && route.action.internalRedirect !== null;
}

/** Whether every byte of the body so far is still there to be sent again. */
export function bodyAtHand(stream: Stream): boolean {
  return stream.requestBodyKind === BODY_NONE || stream.keptReplay?.complete !== false;
}
