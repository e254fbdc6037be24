import type { Stream } from '../stream/stream.ts';

/** RFC 6455 §1.3 */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/**
 * WebSocket over HTTP/2 has no key, and no proof of having read it (RFC 8441 §5): where the one side speaks HTTP/1.1,
 * they are made for it here.
 */
export function keyForWebsocket(stream: Stream): void {
  const { headers, engine } = stream;
  if (headers.has('sec-websocket-key')) return;
  let key = '';
  // 16 octets: 21 digits of six bits, one of two.
  for (let i = 0; i < 21; i++) key += BASE64[(engine.random() * 64) | 0] as string;
  headers.add('sec-websocket-key', `${key}${'AQgw'[(engine.random() * 4) | 0] as string}==`);
}

/** The caller's key is answered as its endpoint would have, had it been asked in HTTP/1.1. */
export function acceptWebsocket(stream: Stream): void {
  const { fields } = stream.responseHead;
  const key = stream.headers.get('sec-websocket-key');
  if (key === undefined || fields.has('sec-websocket-accept')) return;
  fields.add('sec-websocket-accept', stream.engine.sha1(key + GUID).toString('base64'));
}
