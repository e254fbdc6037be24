import type { Http1Rule } from './faults.ts';
import type { RequestHead } from './heads.ts';
import { isValidAuthority, isValidTarget } from './request-parts.ts';

/** Splits `scheme://authority/path?query` (RFC 9112 §3.2.2) into the head. Only http and https; no user name; no empty host. */
export function readAbsoluteTarget(head: RequestHead, strict: boolean): Http1Rule | undefined {
  const target = head.target;
  const colon = target.indexOf('://');
  if (colon <= 0) return 'target';
  const scheme = target.slice(0, colon).toLowerCase();
  if (scheme !== 'http' && scheme !== 'https')
    return /^[a-z][a-z0-9+.-]*$/.test(scheme) ? 'target-scheme' : 'target';
  const from = colon + 3;
  let to = from;
  while (to < target.length && target[to] !== '/' && target[to] !== '?') to++;
  const authority = target.slice(from, to);
  if (!isValidAuthority(authority)) return 'target-authority';
  const rest = target.slice(to);
  const path = rest.startsWith('/') ? rest : rest === '' && head.method === 'OPTIONS' ? '*' : `/${rest}`;
  if (!isValidTarget(head.method, path, strict)) return 'target';
  const query = path.indexOf('?');
  head.scheme = scheme;
  head.authority = authority;
  head.path = path;
  head.queryIndex = query < 0 ? path.length : query;
  return undefined;
}

/** Whether two authorities name the same host and port: case, an empty port and the scheme's default port aside. */
export function sameAuthority(one: string, other: string, scheme: '' | 'http' | 'https'): boolean {
  return one === other || canonical(one, scheme) === canonical(other, scheme);
}

function canonical(authority: string, scheme: string): string {
  const colon = authority.lastIndexOf(':');
  const bracket = authority.lastIndexOf(']');
  if (colon <= bracket) return authority.toLowerCase();
  const host = authority.slice(0, colon).toLowerCase();
  const digits = authority.slice(colon + 1);
  if (digits === '') return host;
  const port = Number(digits);
  return (scheme === 'http' && port === 80) || (scheme === 'https' && port === 443)
    ? host
    : `${host}:${port}`;
}
