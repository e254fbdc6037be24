import { CLIENT_PREFACE } from '@tulle/http2';

export const HTTP1 = 1;
export const HTTP2 = 2;
/** So far it is the beginning of HTTP/2's preface. */
export const PREFACE_MORE = 0;

/**
 * What a caller speaks in plain text, by its first bytes: HTTP/2 begins with a preface that no HTTP/1 request can begin
 * with (RFC 9113 §3.4). The first byte that differs decides, so no request of HTTP/1 but one of a method `P…` waits.
 */
export function readPreface(
  bytes: Buffer,
  start: number,
  end: number,
): typeof HTTP1 | typeof HTTP2 | typeof PREFACE_MORE {
  const size = Math.min(end - start, CLIENT_PREFACE.length);
  for (let i = 0; i < size; i++) if (bytes[start + i] !== CLIENT_PREFACE[i]) return HTTP1;
  return size === CLIENT_PREFACE.length ? HTTP2 : PREFACE_MORE;
}
