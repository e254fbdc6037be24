import type { MutableHeaders } from '@tulle/filter';
import type { JwtClaimToHeader, JwtProvider } from '@tulle/model';
import { claimOf } from './claims.ts';

type Claims = Readonly<Record<string, unknown>>;

/** Names of the headers that a provider sets, lower case. */
export function claimHeaderNames({ claimsToHeaders = [], payloadHeader }: JwtProvider): readonly string[] {
  return [
    ...claimsToHeaders.map(({ header }) => header.toLowerCase()),
    ...(payloadHeader === undefined ? [] : [payloadHeader.toLowerCase()]),
  ];
}

/** Services behind CGI or WSGI read `x_user` as `x-user`: whoever writes either claims the same. */
export function hyphened(name: string): string {
  return name.includes('_') ? name.replaceAll('_', '-') : name;
}

/** Removes clients' own lines of headers that carry claims, also with `_` for `-`. @param owned {@link hyphened} */
export function removeOwned(headers: MutableHeaders, owned: ReadonlySet<string>): void {
  if (owned.size === 0) return;
  for (let index = headers.length - 1; index >= 0; index -= 1) {
    const name = headers.name(index);
    // Removing takes every line of the name, so lines behind may be fewer now.
    if (owned.has(hyphened(name))) index = Math.min(index, headers.length - headers.remove(name));
  }
}

/**
 * The headers that carry claims, flat. A text goes as UTF-8 octets, numbers and truth values as JSON writes them, a list as one
 * line for each of these. Objects, and texts that no header can carry (controls, blanks at the ends), are left out: a changed
 * value would be another claim.
 */
export function claimHeaders(provider: JwtProvider, claims: Claims, payload: string): readonly string[] {
  const flat: string[] = [];
  for (const { claim, header } of provider.claimsToHeaders ?? []) {
    for (const value of valuesOf(claims, claim)) flat.push(header.toLowerCase(), value);
  }
  if (provider.payloadHeader !== undefined) {
    const padding = provider.payloadHeaderPadded === true ? '='.repeat((4 - (payload.length % 4)) % 4) : '';
    flat.push(provider.payloadHeader.toLowerCase(), payload + padding);
  }
  return Object.freeze(flat);
}

function valuesOf(claims: Claims, path: JwtClaimToHeader['claim']): string[] {
  let value: unknown = claims;
  for (const name of typeof path === 'string' ? [path] : path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
    value = claimOf(value as Claims, name);
  }
  return (Array.isArray(value) ? value : [value]).flatMap((one: unknown) => {
    const text = textOf(one);
    return text === undefined ? [] : [text];
  });
}

// eslint-disable-next-line no-control-regex
const UNFIT = /[\u0000-\u001f\u007f]|^ | $/;

function textOf(value: unknown): string | undefined {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value !== 'string' || UNFIT.test(value)) return undefined;
  return Buffer.from(value, 'utf8').toString('latin1');
}
