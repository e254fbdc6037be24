import { readFileSync } from 'node:fs';
import type { ConnectionOptions, PeerCertificate } from 'node:tls';
import { credentials, type ChannelCredentials } from '@grpc/grpc-js';
import type { GrpcSource } from '@tulle/envoy-bootstrap';
import {
  type Address,
  type CertificateSource,
  isUnixAddress,
  type TrustSource,
  type UpstreamTls,
} from '@tulle/model';
import { plainKey } from '@tulle/proxy';
import type { Channel, HttpServer, ServerAddress } from '@tulle/xds-client';

/** A server that a source names by address alone (`google_grpc`): plain text. */
export function plainServer(target: string): ServerAddress {
  return { targets: [target], channel: () => ({ credentials: credentials.createInsecure() }) };
}

/** A server as the xDS client takes it. */
export function serverAt(source: GrpcSource): ServerAddress {
  return {
    targets: targetsOf(source),
    channel: () => channelTo(source),
    http: (place) => httpTo(source, place),
  };
}

/** Endpoints as gRPC names them. */
export function targetsOf({ addresses }: GrpcSource): string[] {
  return addresses.map(targetOf);
}

function targetOf(address: Address): string {
  if (isUnixAddress(address)) return `unix:${address.path}`;
  return address.host.includes(':')
    ? `ipv6:[${address.host}]:${address.port}`
    : `${address.host}:${address.port}`;
}

/**
 * Credentials for the next connection to a management server, by the TLS context of its cluster. Files are read anew each time, so a
 * certificate that was replaced is shown from the next connection on.
 * @throws Error when a file cannot be read
 */
export function channelTo({ tls, cluster }: GrpcSource): Channel {
  return {
    credentials: tls === undefined ? credentials.createInsecure() : secure(tls),
    options: {
      'grpc.default_authority': cluster, // Envoy: `envoy_grpc.authority` defaults to the cluster's name
      ...(tls?.serverName !== undefined && { 'grpc.ssl_target_name_override': tls.serverName }),
    },
  };
}

/** The same over HTTP/1.1. @throws Error when a file cannot be read */
function httpTo({ addresses, tls, cluster }: GrpcSource, place: number): HttpServer {
  const address = addresses[place % addresses.length] as Address;
  return {
    address: isUnixAddress(address) ? { path: address.path } : address,
    authority: cluster,
    ...(tls && { tls: connectionTo(tls) }),
  };
}

function connectionTo({ certificate, trust, allowedIds, serverName }: UpstreamTls): ConnectionOptions {
  const own = certificate === undefined ? undefined : pemOf(certificate);
  const roots = rootsOf(trust);
  return {
    ...(roots !== null && { ca: roots }),
    ...(own && { key: own.key, cert: own.chain }),
    ...(serverName !== undefined && { servername: serverName }),
    checkServerIdentity: (_, peer) => (allowedIds === undefined ? undefined : checkIds(peer, allowedIds)),
  };
}

function secure({ certificate, trust, allowedIds }: UpstreamTls): ChannelCredentials {
  const own = certificate === undefined ? undefined : pemOf(certificate);
  return credentials.createSsl(rootsOf(trust), own?.key ?? null, own?.chain ?? null, {
    // Envoy verifies names only where the validation context says which.
    checkServerIdentity: (_, peer) => (allowedIds === undefined ? undefined : checkIds(peer, allowedIds)),
  });
}

function pemOf(source: CertificateSource): { readonly chain: Buffer; readonly key: Buffer } {
  switch (source.kind) {
    case 'files':
      return {
        chain: readFileSync(source.certificateFile),
        key: Buffer.from(plainKey(readFileSync(source.keyFile, 'utf8'), source.keyPassword, source.keyFile)),
      };
    case 'inline':
      return {
        chain: Buffer.from(source.certificatePem),
        key: Buffer.from(plainKey(source.keyPem, source.keyPassword, 'the private key')),
      };
    default:
      throw new Error(`the cluster of a management server cannot show a certificate of kind ${source.kind}`);
  }
}

function rootsOf(source: TrustSource): Buffer | null {
  switch (source.kind) {
    case 'files':
      return readFileSync(source.caFile);
    case 'inline':
      return Buffer.from(source.caPem);
    case 'system':
      return null;
    default:
      throw new Error(
        `the cluster of a management server cannot be verified by roots of kind ${source.kind}`,
      );
  }
}

function checkIds(peer: PeerCertificate, allowed: readonly string[]): Error | undefined {
  const ids = (peer.subjectaltname ?? '')
    .split(', ')
    .filter((name) => name.startsWith('URI:'))
    .map((name) => name.slice('URI:'.length));
  const accepted = ids.some((id) =>
    allowed.some((one) => (one.endsWith('/*') ? id.startsWith(one.slice(0, -1)) : id === one)),
  );
  return accepted
    ? undefined
    : new Error(
        `the management server proves ${ids.join(', ') || 'no URI'}, and must be ${allowed.join(' or ')}`,
      );
}
