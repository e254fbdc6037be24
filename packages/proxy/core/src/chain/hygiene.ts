import { FIELD_X_REQUEST_ID, type FieldTable } from '@tulle/fields';
import type { ConnectionInfo } from '@tulle/filter';
import { claimsIdentity } from '@tulle/model';
import {
  HYGIENE_CALLER_UNKNOWN,
  HYGIENE_CLAIMS_KEPT,
  HYGIENE_CLAIMS_REMOVED,
  HYGIENE_ID_MADE,
  HYGIENE_PEER_TRUSTED,
} from '../stream/sites.ts';
import type { Stream } from '../stream/stream.ts';
import { appendField } from './append-field.ts';
import { AT_EDGE, CALLER_UNKNOWN, forwardAsEnvoy } from './forwarding.ts';

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
  const { stripIdentityHeaders, trustedForwarders, forwarding, requestId, via } = stream.chain.settings;
  const { peerIdentity } = connection;
  let outside = true;
  if (forwarding !== undefined) {
    const found = forwardAsEnvoy(stream, connection, forwarding);
    outside = found === AT_EDGE;
    if (found === CALLER_UNKNOWN) done = HYGIENE_CALLER_UNKNOWN;
  } else if (
    trustedForwarders !== undefined &&
    peerIdentity !== undefined &&
    trustedForwarders.has(peerIdentity)
  ) {
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
  const believed = isRequestId(given) && !(requestId.replaceExternal && outside);
  const id = (stream.requestId = believed ? given : stream.engine.requestId());
  if (via !== '') appendField(headers, 'via', `${viaProtocol(stream)} ${via}`);
  if (!believed && !requestId.generate) {
    // Nobody asked for one; records have it all the same.
  }
  // One line that is believed stays as it came, so that the encoder copies it along with its neighbours.
  else if (!believed || headers.indexOfId(FIELD_X_REQUEST_ID, at + 1) >= 0) headers.put('x-request-id', id);
  if (stream.requestHead.minorVersion === 0) headers.drop('expect');
  return believed ? done : done | HYGIENE_ID_MADE;
}

/** RFC 9110 §7.6.3: the version in which the message came. */
function viaProtocol({ http2, requestHead }: Stream): string {
  return http2 ? '2' : requestHead.minorVersion === 0 ? '1.0' : '1.1';
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

/**
 * Fields with `_` in their names, which some origins take for others with `-`. @returns false where the request is refused
 */
export function treatUnderscores(stream: Stream): boolean {
  const { underscores } = stream.chain.settings;
  if (underscores === 'allow') return true;
  const { headers } = stream;
  for (let i = headers.length - 1; i >= 0; i--) {
    const name = headers.name(i);
    if (!name.includes('_')) continue;
    if (underscores === 'refuse') return false;
    headers.drop(name);
    i = Math.min(i, headers.length);
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
  if (connection.remoteAddress !== '') appendField(headers, 'x-forwarded-for', connection.remoteAddress);
  if (!headers.has('x-forwarded-proto')) headers.add('x-forwarded-proto', connection.tls ? 'https' : 'http');
  appendField(headers, 'x-forwarded-client-cert', `URI=${peer}`, ',');
}
