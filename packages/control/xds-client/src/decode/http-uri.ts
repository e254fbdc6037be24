/** What is said of a URI that names nobody. */
export const NO_HOST = 'must name a host, with http:// or https:// before it or without';

/** `HttpUri.uri`, which in Envoy needs no scheme: which service is asked, and whether over TLS, its cluster says. */
export function absoluteUri(uri: string): string {
  return uri === '' || /^https?:\/\//.test(uri) || uri.includes('://') ? uri : `http://${uri}`;
}
