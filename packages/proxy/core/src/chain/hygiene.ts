import type { FieldTable } from '@tulle/fields';
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
const REQUEST_ID = /^[\x21-\x7e]+$/;

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
  const given = headers.get('x-request-id');
  if (given !== undefined && given.length <= MAX_REQUEST_ID_LENGTH && REQUEST_ID.test(given)) {
    stream.requestId = given;
    headers.put('x-request-id', given);
  } else {
    stream.requestId = stream.engine.requestId();
    headers.put('x-request-id', stream.requestId);
  }
  if (stream.requestHead.minorVersion === 0) headers.drop('expect');
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
