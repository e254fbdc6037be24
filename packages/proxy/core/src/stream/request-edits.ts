import { TulleError } from '@tulle/filter';
import { isValidMethod } from '@tulle/http1';
import { explainPathRefusal, normalizeHost, normalizePath } from '@tulle/match';
import type { Stream } from './stream.ts';

/** What filters may assign to a request; each value is checked where it is assigned. */

export function setMethod(stream: Stream, value: string): void {
  if (!isValidMethod(value) || value === 'CONNECT')
    throw invalid('method', value, 'give a method token other than CONNECT (RFC 9110 §9.1)');
  stream.method = value;
}

export function setPath(stream: Stream, value: string): void {
  const path = normalizePath(value);
  if (path === '' || (path !== '*' && path.charCodeAt(0) !== 47)) {
    throw invalid('path', value, explainPathRefusal(value) || 'a path begins with /');
  }
  if (/[?#\s]/.test(path))
    throw invalid(
      'path',
      value,
      'the query is assigned to request.query; blanks and # must be percent-encoded',
    );
  stream.path = path;
}

export function setQuery(stream: Stream, value: string | undefined): void {
  if (value !== undefined && !isQuery(value))
    throw invalid('query', value, 'percent-encode blanks, controls, quotes, < > # and octets above 127');
  stream.query = value;
}

/** Whether a text can stand behind the `?` of a target. */
export function isQuery(value: string): boolean {
  return /^[!$-;=?-_a-z{|}~`]*$/.test(value);
}

export function setAuthority(stream: Stream, value: string): void {
  const authority = normalizeHost(value);
  if (authority === '') throw invalid('authority', value, 'give host or host:port');
  stream.authority = authority;
}

function invalid(field: string, value: string, right: string): TulleError {
  return new TulleError(
    'TULLE_HEADER_INVALID',
    `request.${field} = ${JSON.stringify(String(value).slice(0, 100))}: ${right}.`,
  );
}
