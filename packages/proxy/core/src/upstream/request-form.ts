import { BODY_CHUNKED, BODY_NONE, type BodyKind } from '@tulle/http1';
import { transformsRequest } from '../chain/body-steps.ts';
import { targetUnchanged } from '../chain/walk.ts';
import type { Stream } from '../stream/stream.ts';

/** Path and query that the endpoint is asked for; of CONNECT the authority. */
export function requestTarget(stream: Stream): string {
  if (stream.isConnect) return stream.authority;
  if (targetUnchanged(stream)) return stream.requestHead.path;
  return stream.query === undefined ? stream.path : `${stream.path}?${stream.query}`;
}

/** How the end of its body is told: what filters change has no length beforehand. */
export function requestKind(stream: Stream): BodyKind {
  const { requestBodyKind } = stream;
  return requestBodyKind !== BODY_NONE && transformsRequest(stream) ? BODY_CHUNKED : requestBodyKind;
}
