import type { FieldTable } from '@tulle/fields';
import { isIpAddress } from '@tulle/match';
import type { CompiledDetection } from '../compile/compiled.ts';
import { appendField } from './append-field.ts';

/** The list of `x-forwarded-for`, over all its lines. */
export function addressesOf(headers: FieldTable): string[] {
  if (!headers.has('x-forwarded-for')) return [];
  return headers
    .getAll('x-forwarded-for')
    .flatMap((line) => line.split(','))
    .map((one) => one.trim())
    .filter((one) => one !== '');
}

/** `''` where there is none, or what stands there is no address. */
export function fromEnd(list: readonly string[], skipped: number): string {
  const one = list[list.length - 1 - skipped] ?? '';
  return isIpAddress(one) ? one : '';
}

/** An address of a caller, and whether networks of it make the request internal. */
interface Found {
  readonly address: string;
  readonly mayBeInternal: boolean;
}

/** Looks for the caller's address in one place after the other (Envoy `OriginalIPDetection`). @param peer of the connection */
export function detectCaller(
  headers: FieldTable,
  peer: string,
  places: readonly CompiledDetection[],
): Found | undefined {
  for (const place of places) {
    const found = place.kind === 'header' ? inField(headers, place) : inForwardedFor(headers, peer, place);
    if (place.kind === 'forwarded-for' && place.append && peer !== '')
      appendField(headers, 'x-forwarded-for', peer);
    if (found !== undefined) return found;
  }
  return undefined;
}

function inField(
  headers: FieldTable,
  { name, internal }: Extract<CompiledDetection, { readonly kind: 'header' }>,
): Found | undefined {
  const address = headers.get(name) ?? '';
  return isIpAddress(address) ? { address, mayBeInternal: internal } : undefined;
}

function inForwardedFor(
  headers: FieldTable,
  peer: string,
  { trustedHops, trusted }: Extract<CompiledDetection, { readonly kind: 'forwarded-for' }>,
): Found | undefined {
  if (trusted !== undefined && !trusted.has(peer)) return undefined;
  const said = addressesOf(headers);
  const mayBeInternal = said.length === 1;
  let address = '';
  if (trusted === undefined) address = fromEnd(said, trustedHops);
  else
    for (let i = said.length - 1; i >= 0; i--) {
      const one = said[i] as string;
      // Behind what is no address nobody is believed.
      if (!isIpAddress(one)) return undefined;
      address = one;
      if (!trusted.has(one)) break;
    }
  return address === '' ? undefined : { address, mayBeInternal };
}
