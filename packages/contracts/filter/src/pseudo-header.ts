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
