import { FIELD_X_REQUEST_ID, type FieldTable } from '@tulle/fields';
import type { ConnectionInfo } from '@tulle/filter';
import type { Stream } from '../stream/stream.ts';

/** Fields by which a request claims who sent it or where it came through. */
const IDENTITY_FIELDS: ReadonlySet<string> = new Set([
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-forwarded-client-cert',
  'x-real-ip',
]);

/** Longest x-request-id that is believed; longer or odd ones are replaced. */
const MAX_REQUEST_ID_LENGTH = 128;

/**
 * The fields that belong to the proxy: claims about the caller are removed and set from the connection, unless the
 * listener keeps them (model `identityHeaders`); every request has one `x-request-id`.
 */
export function addRequestFields(stream: Stream, connection: ConnectionInfo): void {
  const { headers } = stream;
  if (stream.chain.settings.stripIdentityHeaders) {
    dropIdentityFields(headers);
    if (connection.remoteAddress !== '') headers.add('x-forwarded-for', connection.remoteAddress);
    headers.add('x-forwarded-proto', connection.tls ? 'https' : 'http');
    // A SPIFFE id has no quote, comma, semicolon or blank, so it cannot forge an element.
    if (connection.peerIdentity !== undefined)
      headers.add('x-forwarded-client-cert', `URI=${connection.peerIdentity}`);
  }
  const at = headers.indexOfId(FIELD_X_REQUEST_ID);
  const given = at < 0 ? '' : headers.value(at);
  const believed = isRequestId(given);
  const id = (stream.requestId = believed ? given : stream.engine.requestId());
  // One line that is believed stays as it came, so that the encoder copies it along with its neighbours.
  if (!believed || headers.indexOfId(FIELD_X_REQUEST_ID, at + 1) >= 0) headers.put('x-request-id', id);
  if (stream.requestHead.minorVersion === 0) headers.drop('expect');
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

function dropIdentityFields(headers: FieldTable): void {
  for (let i = headers.length - 1; i >= 0; i--) {
    const name = headers.name(i);
    const first = name.charCodeAt(0);
    if (first !== 120 && first !== 102) continue; // x…, f…
    if (IDENTITY_FIELDS.has(name) || name.startsWith('x-tulle-')) {
      headers.drop(name);
      i = Math.min(i, headers.length);
    }
  }
}
