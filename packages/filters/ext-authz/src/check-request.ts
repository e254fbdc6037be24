import { create, type JsonObject, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { ConnectionInfo, Headers, HttpStream } from '@tulle/filter';
import type { NameTest } from '@tulle/match';
import { isCarried } from './fields.ts';
import {
  AttributeContext_PeerSchema,
  type AttributeContext_Peer,
} from './gen/envoy/service/auth/v3/attribute_context_pb.js';
import { CheckRequestSchema, type CheckRequest } from './gen/envoy/service/auth/v3/external_auth_pb.js';
import type { CheckInput } from './outcome.ts';

/** The question about a request, as Envoy puts it. @param sent which headers are sent along */
export function checkRequest(
  stream: HttpStream,
  { body, contextExtensions, metadata, tellCertificate, rawHeaders }: CheckInput,
  sent: NameTest,
  nowEpochMs: number,
): CheckRequest {
  const { request, connection, requestId } = stream;
  const path = request.query === undefined ? request.path : `${request.path}?${request.query}`;
  const pseudo = {
    ':method': request.method,
    ':path': path,
    ':authority': request.authority,
    ':scheme': request.scheme,
  };
  return create(CheckRequestSchema, {
    attributes: {
      source: source(connection, tellCertificate),
      destination: peer(connection.localAddress, connection.localPort, undefined),
      request: {
        time: timestampFromMs(nowEpochMs),
        http: {
          id: requestId,
          method: request.method,
          ...(rawHeaders
            ? { headerMap: { headers: linesOf(request.headers, sent, pseudo) } }
            : { headers: { ...headersOf(request.headers, sent), ...pseudo } }),
          path,
          host: request.authority,
          scheme: request.scheme,
          size: body === undefined ? -1n : BigInt(body.length),
          protocol: request.protocol,
          ...bodyOf(body),
        },
      },
      contextExtensions: { ...contextExtensions },
      ...(Object.keys(metadata).length === 0
        ? {}
        : { metadataContext: { filterMetadata: metadata as Record<string, JsonObject> } }),
      ...(connection.serverName === undefined ? {} : { tlsSession: { sni: connection.serverName } }),
    },
  });
}

/** Who calls. @param tellCertificate with its certificate, percent-encoded (Envoy `include_peer_certificate`) */
export function source(
  { remoteAddress, remotePort, peerIdentity, peerCertificate }: ConnectionInfo,
  tellCertificate: boolean,
): AttributeContext_Peer {
  const caller = peer(remoteAddress, remotePort, peerIdentity);
  if (tellCertificate && peerCertificate !== undefined)
    caller.certificate = encodeURIComponent(peerCertificate);
  return caller;
}

/** One end of a connection. */
export function peer(host: string, port: number, identity: string | undefined): AttributeContext_Peer {
  const init: MessageInitShape<typeof AttributeContext_PeerSchema> = {
    ...(host === ''
      ? {}
      : {
          address: {
            address: {
              case: 'socketAddress',
              value: { address: host, portSpecifier: { case: 'portValue', value: port } },
            },
          },
        }),
    ...(identity === undefined ? {} : { principal: identity }),
  };
  return create(AttributeContext_PeerSchema, init);
}

/** One text a name, as Envoy's map has it: lines of a field joined by commas, cookies by semicolons. */
function headersOf(headers: Headers, sent: NameTest): Record<string, string> {
  // Names come from the caller: no prototype.
  const map = Object.create(null) as Record<string, string>;
  headers.forEach((name, value) => {
    if (!sent(name) || !isCarried(name)) return;
    const before = map[name];
    const text = utf8(value);
    map[name] = before === undefined ? text : `${before}${name === 'cookie' ? '; ' : ','}${text}`;
  });
  return { ...map };
}

/** Each line by itself, in the octets that it came in; first what HTTP/2 has as pseudo-fields, where these are sent too (Envoy). */
function linesOf(
  headers: Headers,
  sent: NameTest,
  pseudo: Readonly<Record<string, string>>,
): { key: string; rawValue: Uint8Array }[] {
  const lines = Object.entries(pseudo).flatMap(([key, value]) => (sent(key) ? [lineOf(key, value)] : []));
  headers.forEach((name, value) => {
    if (sent(name) && isCarried(name)) lines.push(lineOf(name, value));
  });
  return lines;
}

function lineOf(key: string, value: string): { key: string; rawValue: Uint8Array } {
  return { key, rawValue: Buffer.from(value, 'latin1') };
}

/** Octets of a field as protobuf's text; what is no UTF-8 cannot be said there and becomes U+FFFD. */
function utf8(value: string): string {
  return Buffer.from(value, 'latin1').toString('utf8');
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** As bytes, where services look whose clients say `pack_as_bytes`, and as text where it is one. */
function bodyOf(body: Uint8Array | undefined): { body?: string; rawBody?: Uint8Array } {
  if (body === undefined) return {};
  const rawBody = Uint8Array.from(body);
  try {
    return { body: strict.decode(body), rawBody };
  } catch {
    return { rawBody };
  }
}
