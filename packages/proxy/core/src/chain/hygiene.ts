import { FIELD_X_REQUEST_ID, type FieldTable } from '@tulle/fields';
import type { ConnectionInfo } from '@tulle/filter';
import { claimsIdentity } from '@tulle/model';
import {
  HYGIENE_CLAIMS_KEPT,
  HYGIENE_CLAIMS_REMOVED,
  HYGIENE_ID_MADE,
  HYGIENE_PEER_TRUSTED,
} from '../stream/sites.ts';
import type { Stream } from '../stream/stream.ts';

/** Longest x-request-id that is believed; longer or odd ones are replaced. */
const MAX_REQUEST_ID_LENGTH = 128;

/**
 * The fields that belong to the proxy: claims about the caller are removed and set from the connection, unless the
 * listener keeps them (model `identityHeaders`) or believes this peer (`trustedForwarders`); every request has one `x-request-id`.
 * @returns what was done, as a sum of `HYGIENE_…`
 */
export function addRequestFields(stream: Stream, connection: ConnectionInfo): number {
  let done = 0;
  const { headers } = stream;
  const { stripIdentityHeaders, trustedForwarders } = stream.chain.settings;
  const { peerIdentity } = connection;
  if (trustedForwarders !== undefined && peerIdentity !== undefined && trustedForwarders.has(peerIdentity)) {
    addHop(headers, connection, peerIdentity);
    done = HYGIENE_PEER_TRUSTED;
  } else if (stripIdentityHeaders) {
    if (dropIdentityFields(headers)) done = HYGIENE_CLAIMS_REMOVED;
    if (connection.remoteAddress !== '') headers.add('x-forwarded-for', connection.remoteAddress);
    headers.add('x-forwarded-proto', connection.tls ? 'https' : 'http');
    // A SPIFFE id has no quote, comma, semicolon or blank, so it cannot forge an element.
    if (peerIdentity !== undefined) headers.add('x-forwarded-client-cert', `URI=${peerIdentity}`);
  } else done = HYGIENE_CLAIMS_KEPT;
  const at = headers.indexOfId(FIELD_X_REQUEST_ID);
  const given = at < 0 ? '' : headers.value(at);
  const believed = isRequestId(given);
  const id = (stream.requestId = believed ? given : stream.engine.requestId());
  // One line that is believed stays as it came, so that the encoder copies it along with its neighbours.
  if (!believed || headers.indexOfId(FIELD_X_REQUEST_ID, at + 1) >= 0) headers.put('x-request-id', id);
  if (stream.requestHead.minorVersion === 0) headers.drop('expect');
  return believed ? done : done | HYGIENE_ID_MADE;
}

/** Visible ASCII of a bearable length. */
function isRequestId(value: string): boolean {
  const size = value.length;
  if (size === 0 || size > MAX_REQUEST_ID_LENGTH) return false;
  for (let i = 0; i < size; i++) {
    const code = value.charCodeAt(i);
    if (code < 0x21 || code > 0x7e) return false;
  }
  return true;
}

const F = 0x66;
const T = 0x74;
const X = 0x78;

/** Removes every claim of identity from a head or from trailers. @returns whether there was one */
export function dropIdentityFields(fields: FieldTable): boolean {
  let found = false;
  for (let i = fields.length - 1; i >= 0; i--) {
    const name = fields.name(i);
    const first = name.charCodeAt(0);
    if (first !== X && first !== F && first !== T) continue;
    if (!claimsIdentity(name)) continue;
    found = true;
    fields.drop(name);
    i = Math.min(i, fields.length);
  }
  return found;
}

/** A peer whose claims hold tells where the request came from; it becomes one of the hops itself. */
function addHop(headers: FieldTable, connection: ConnectionInfo, peer: string): void {
  append(headers, 'x-forwarded-for', connection.remoteAddress, ', ');
  if (!headers.has('x-forwarded-proto')) headers.add('x-forwarded-proto', connection.tls ? 'https' : 'http');
  append(headers, 'x-forwarded-client-cert', `URI=${peer}`, ',');
}

function append(headers: FieldTable, name: string, value: string, separator: string): void {
  if (value === '') return;
  const lines = headers.getAll(name);
  // Several lines are a list as they stand; they are never joined.
  if (lines.length === 1) headers.put(name, `${lines[0] as string}${separator}${value}`);
  else headers.add(name, value);
}
