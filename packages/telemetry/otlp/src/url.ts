/** Query parameters that sign a URL (semantic conventions, `url.query`). */
const SIGNATURES = /(^|&)(AWSAccessKeyId|Signature|sig|X-Goog-Signature)=[^&]*/g;

/** A query as it may be shown: signatures replaced. */
export function redactQuery(query: string): string {
  return query.replace(SIGNATURES, '$1$2=REDACTED');
}

/** Host and port of an authority or address: `h`, `h:1`, `[::1]:1`. Port -1 where there is none. */
export function splitHostPort(text: string): { readonly host: string; readonly port: number } {
  const colon = text.lastIndexOf(':');
  const bracket = text.lastIndexOf(']');
  if (colon < 0 || colon < bracket) return { host: unbracketed(text), port: -1 };
  const digits = text.slice(colon + 1);
  // Two colons without brackets: an IPv6 address without port.
  if (!/^\d{1,5}$/.test(digits) || (bracket < 0 && text.indexOf(':') !== colon))
    return { host: text, port: -1 };
  return { host: unbracketed(text.slice(0, colon)), port: Number(digits) };
}

const unbracketed = (host: string): string =>
  host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;

/** `host:port`, IPv6 in brackets. */
export const hostPort = (host: string, port: number): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
