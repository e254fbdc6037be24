import { connect } from 'node:tls';
import type { X509Certificate } from 'node:crypto';
import type { TrustBundle } from '@tulle/model';
import {
  controlPlaneId,
  createPeerVerifier,
  issuersOf,
  publicKeyPin,
  readCertificate,
  toPem,
} from '@tulle/spiffe';
import { ServerRefusedError } from './mesh-channel.ts';

export interface FirstContactOptions {
  readonly host: string;
  readonly port: number;
  readonly trustDomain: string;
  /** SHA-256 of the root's public key, base64url, from the join token. */
  readonly pin: string;
  /** Default 10 000 ms. */
  readonly timeoutMs?: number;
  readonly epochMs?: () => number;
}

/**
 * Learns the mesh's root from the server, believing only a root whose key has the pinned hash and a server that proves
 * by it that it is the control plane. The token itself is not sent here: it goes over a connection that is verified
 * against this root.
 * @throws {ServerRefusedError} when the server does not present the pinned root, or proves something else.
 */
export async function firstContact(options: FirstContactOptions): Promise<TrustBundle> {
  const { host, port, trustDomain, pin } = options;
  const timeoutMs = options.timeoutMs ?? 10_000;
  const presented = await new Promise<X509Certificate[]>((resolve, reject) => {
    const socket = connect({
      host,
      port,
      minVersion: 'TLSv1.3',
      rejectUnauthorized: false,
      servername: '',
      ALPNProtocols: ['h2'],
    });
    const timer = setTimeout(
      () => socket.destroy(new Error(`no TLS handshake with ${host}:${port} within ${timeoutMs} ms`)),
      timeoutMs,
    );
    socket.once('secureConnect', () => {
      const leaf = socket.getPeerX509Certificate();
      // Ended, not cut: a cut handshake would stand in the server's log as a refusal.
      socket.end();
      socket.resume();
      resolve(leaf === undefined ? [] : [leaf, ...issuersOf(leaf)]);
    });
    socket.once('error', reject);
    socket.once('close', () => {
      clearTimeout(timer);
      reject(new Error(`${host}:${port} closed the connection during the TLS handshake`));
    });
  });
  const [leaf, ...others] = presented;
  if (leaf === undefined)
    throw new ServerRefusedError('no-certificate', `${host}:${port} sent no certificate`);
  // The root itself: during a change of roots its key is also in a certificate that the root before it signed.
  const root = others.find(
    (certificate) => certificate.subject === certificate.issuer && pinOf(certificate) === pin,
  );
  if (root === undefined)
    throw new ServerRefusedError(
      'unknown-issuer',
      `${host}:${port} does not present the root that the join token pins; it is another mesh's control plane, somebody in between, or the token is older than the root`,
    );
  const bundle: TrustBundle = { trustDomain, rootsPem: [toPem('CERTIFICATE', root.raw)], generation: 0 };
  const verdict = createPeerVerifier({
    bundles: [bundle],
    ...(options.epochMs === undefined ? {} : { epochMs: options.epochMs }),
  }).verify(leaf, 'server', () => others, [controlPlaneId(trustDomain)]);
  if (!verdict.ok)
    throw new ServerRefusedError(
      verdict.reason,
      `${host}:${port} was not believed: ${verdict.reason}: ${verdict.detail}`,
    );
  return bundle;
}

function pinOf(certificate: X509Certificate): string | undefined {
  try {
    return publicKeyPin(readCertificate(certificate.raw).spki);
  } catch {
    return undefined;
  }
}
