import type { RequestHead } from './stream.ts';

/**
 * What a request says where HTTP/2 has a pseudo-header (RFC 9113 §8.3.1), `host` included: conditions written for Envoy name them like
 * fields. @param name lower case @returns `undefined` for another name: ask the fields
 */
export function pseudoHeader(request: RequestHead, name: string): string | undefined {
  switch (name) {
    case ':method':
      return request.method;
    case ':path':
      return request.query === undefined ? request.path : `${request.path}?${request.query}`;
    case ':authority':
    case 'host':
      return request.authority;
    case ':scheme':
      return request.scheme;
    default:
      return undefined;
  }
}

/**
 * Changes what {@link pseudoHeader} reads, but for the scheme, which is the connection's. `:path` has the query in it.
 * @param name lower case @returns false for another name, or a value that is no method, path or host; nothing is changed then
 */
export function setPseudoHeader(request: RequestHead, name: string, value: string): boolean {
  const { path } = request;
  try {
    switch (name) {
      case ':path': {
        const question = value.indexOf('?');
        request.path = question < 0 ? value : value.slice(0, question);
        request.query = question < 0 ? undefined : value.slice(question + 1);
        return true;
      }
      case ':method':
        request.method = value;
        return true;
      case ':authority':
      case 'host':
        request.authority = value;
        return true;
      default:
        return false;
    }
  } catch {
    // The path was taken before its query was not.
    request.path = path;
    return false;
  }
}
