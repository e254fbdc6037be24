import { CLIENT_PREFACE } from '@tulle/http2';

export const HTTP1 = 1;
export const HTTP2 = 2;
/** Neither: whatever it is, it is passed on as it is. */
export const BYTES = 3;
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

/** A first line that is longer tells nothing. */
export const MAX_LINE_BYTES = 8_192;

/** The minor version that a first line of HTTP/1 says; `undefined`: it is none. */
export type FirstLine = '0' | '1' | undefined | typeof PREFACE_MORE;

/**
 * Whether bytes begin with the first line of a request of HTTP/1 (RFC 9112 §3). @returns PREFACE_MORE while they may yet do:
 * what no request begins with is not waited for
 */
export function readFirstLine(bytes: Buffer, start: number, end: number): FirstLine {
  const found = bytes.indexOf(0x0a, start);
  const whole = found >= 0 && found < end;
  const line = bytes.toString('latin1', start, whole ? found : Math.min(end, start + MAX_LINE_BYTES));
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}(?: [\x21-\x7e\x80-\xff]*(?: [HTP/1.0]*\r?)?)?$/.test(line))
    return undefined;
  if (!whole) return end - start >= MAX_LINE_BYTES ? undefined : PREFACE_MORE;
  return / HTTP\/1\.([01])\r?$/.exec(line)?.[1] as FirstLine;
}

/** What a caller speaks that may speak anything, by its first bytes: HTTP where it surely is that, else {@link BYTES}. */
export function readStart(
  bytes: Buffer,
  start: number,
  end: number,
): typeof HTTP1 | typeof HTTP2 | typeof BYTES | typeof PREFACE_MORE {
  const preface = readPreface(bytes, start, end);
  if (preface !== HTTP1) return preface;
  const line = readFirstLine(bytes, start, end);
  if (line === PREFACE_MORE) return PREFACE_MORE;
  return line === undefined ? BYTES : HTTP1;
}
