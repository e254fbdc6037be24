const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** A `Sec-WebSocket-Key`: 16 random octets in base64 (RFC 6455 §4.1). Proves nothing; says that it is no page of a cache. */
export function websocketKey(random: () => number): string {
  let key = '';
  for (let i = 0; i < 21; i++) key += BASE64[Math.floor(random() * 64)] as string;
  // Of the last digit two bits belong to the octets.
  return `${key}${BASE64[Math.floor(random() * 4) * 16] as string}==`;
}
