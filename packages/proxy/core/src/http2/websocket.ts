import type { Stream } from '../stream/stream.ts';

/** RFC 6455 §1.3 */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/**
 * WebSocket over HTTP/2 has no proof of having read the key (RFC 8441 §5): a caller of HTTP/1.1 gets the one that its
 * endpoint would have given, had it been asked in HTTP/1.1.
 */
export function acceptWebsocket(stream: Stream): void {
  const { fields } = stream.responseHead;
  const key = stream.headers.get('sec-websocket-key');
  if (key === undefined || fields.has('sec-websocket-accept')) return;
  fields.add('sec-websocket-accept', stream.engine.sha1(key + GUID).toString('base64'));
}
