import { targetUnchanged } from '../chain/walk.ts';
import type { Stream } from '../stream/stream.ts';

/** Path and query that the endpoint is asked for; of CONNECT the authority. */
export function requestTarget(stream: Stream): string {
  if (stream.isConnect) return stream.authority;
  if (targetUnchanged(stream)) return stream.requestHead.path;
  return stream.query === undefined ? stream.path : `${stream.path}?${stream.query}`;
}
