import type { Stream } from '../stream/stream.ts';

/**
 * The marker by which one proxy of the mesh tells the one before it that a request never left it towards its endpoint
 * (decision D5). It lets that one repeat a request which is not idempotent. Stripped where requests come in, as every
 * `x-tulle-*` field, and where a response is delivered; believed only of a peer that proved its identity and is known
 * to be a proxy of the mesh.
 */
const UNSENT_FIELD = 'x-tulle-unsent';

/** Marks a local reply, for a caller that proved who it is: only a proxy of the mesh does, and nobody else is told. */
export function markUnsent(stream: Stream): void {
  const { connection } = stream.downstream;
  if (stream.sent || connection.peerIdentity === undefined) return;
  stream.localFields.put(UNSENT_FIELD, '1');
}

/** Whether what the endpoint says of a request can be believed: it is a sidecar, and has proven which. */
export function believesMarker(stream: Stream): boolean {
  const { endpoint, attempt } = stream;
  return attempt.identity !== undefined && endpoint?.endpoint.mode === 'sidecar';
}

/** Takes the marker off a response. @returns whether it says, believably, that the request was not sent on */
export function takeMarker(stream: Stream): boolean {
  const fields = stream.responseFields;
  return fields.has(UNSENT_FIELD) && fields.drop(UNSENT_FIELD) > 0 && believesMarker(stream);
}
