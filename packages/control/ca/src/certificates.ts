import { createPublicKey, randomBytes, webcrypto } from 'node:crypto';
import type * as X509 from '@peculiar/x509';
import { certificatesOfPem, publicKeyPin, readCertificate, toPem } from '@tulle/spiffe';

/** Loaded on first use: a sidecar imports this package for its client and never signs, so it does not pay for the library. */
let library: Promise<typeof X509> | undefined;

async function x509(): Promise<typeof X509> {
  // The library needs the metadata polyfill to be there before it loads.
  library ??= import('reflect-metadata').then(() => import('@peculiar/x509'));
  return library;
}

const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** A key and certificate that sign others. */
export interface Authority {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/** Where in the tree a CA certificate stands. */
interface AuthorityRequest {
  readonly trustDomain: string;
  readonly commonName: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly pathLength: number;
  /** Absent: signed by itself. */
  readonly parent?: Authority;
}

/** 127 random bits, positive: RFC 5280 §4.1.2.2 wants unique ones, the CA/Browser rules at least 64 random bits. */
function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString('hex');
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const body = pem.replace(/-----[^-]+-----|\s+/g, '');
  return webcrypto.subtle.importKey('pkcs8', Buffer.from(body, 'base64'), ecdsa, false, ['sign']);
}

/** Makes a root or an intermediate: EC P-256, allowed to sign, with the trust domain's own SPIFFE ID (X.509-SVID §4.1). */
export async function makeAuthority(request: AuthorityRequest): Promise<Authority> {
  const {
    X509CertificateGenerator,
    X509Certificate,
    BasicConstraintsExtension,
    KeyUsagesExtension,
    KeyUsageFlags,
    ...rest
  } = await x509();
  const keys = await webcrypto.subtle.generateKey(ecdsa, true, ['sign', 'verify']);
  const subject = `O=Tulle, CN=${request.commonName}`;
  const parent =
    request.parent === undefined ? undefined : new X509Certificate(request.parent.certificatePem);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject,
    issuer: parent === undefined ? subject : parent.subject,
    notBefore: new Date(request.notBeforeMs),
    notAfter: new Date(request.notAfterMs),
    publicKey: keys.publicKey,
    signingKey:
      request.parent === undefined ? keys.privateKey : await importKey(request.parent.privateKeyPem),
    signingAlgorithm: ecdsa,
    extensions: [
      new BasicConstraintsExtension(true, request.pathLength, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      new rest.SubjectAlternativeNameExtension([{ type: 'url', value: `spiffe://${request.trustDomain}` }]),
      await rest.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await rest.AuthorityKeyIdentifierExtension.create(
        parent === undefined ? keys.publicKey : parent.publicKey,
      ),
    ],
  });
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return {
    certificatePem: toPem('CERTIFICATE', Buffer.from(certificate.rawData)),
    privateKeyPem: toPem('PRIVATE KEY', Buffer.from(pkcs8)),
  };
}

/**
 * The key of `successor` certified by `root`, under the successor's name: with it a chain below the successor reaches
 * `root` too (RFC 5280 §3.2, a self-issued certificate's kin). Undefined where `root` may not stand above two CAs.
 */
export async function crossSign(
  root: Authority,
  successor: Authority,
  request: { readonly trustDomain: string; readonly notBeforeMs: number; readonly notAfterMs: number },
): Promise<string | undefined> {
  const lib = await x509();
  const { pathLength } = readCertificate(derOf(root.certificatePem));
  if (pathLength !== undefined && pathLength < 2) return undefined;
  const [parent, subject] = [root, successor].map((one) => new lib.X509Certificate(one.certificatePem));
  if (parent === undefined || subject === undefined) throw new Error('two certificates are needed');
  const certificate = await lib.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: subject.subject,
    issuer: parent.subject,
    notBefore: new Date(request.notBeforeMs),
    notAfter: new Date(request.notAfterMs),
    publicKey: subject.publicKey,
    signingKey: await importKey(root.privateKeyPem),
    signingAlgorithm: ecdsa,
    extensions: [
      new lib.BasicConstraintsExtension(true, 1, true),
      new lib.KeyUsagesExtension(lib.KeyUsageFlags.keyCertSign | lib.KeyUsageFlags.cRLSign, true),
      new lib.SubjectAlternativeNameExtension([{ type: 'url', value: `spiffe://${request.trustDomain}` }]),
      await lib.SubjectKeyIdentifierExtension.create(subject.publicKey),
      await lib.AuthorityKeyIdentifierExtension.create(parent.publicKey),
    ],
  });
  return toPem('CERTIFICATE', Buffer.from(certificate.rawData));
}

function derOf(pem: string): Buffer {
  const [der] = certificatesOfPem(pem);
  if (der === undefined) throw new Error('no certificate in this PEM');
  return der;
}

export interface LeafRequest {
  readonly spiffeId: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** Signs certificates of workloads with one issuer's key, which it holds ready. */
export interface LeafSigner {
  /** DER of the leaf: an empty subject, the SPIFFE ID, digitalSignature, server and client authentication. */
  sign(request: LeafRequest): Promise<Buffer>;
}

export async function leafSigner(issuer: Authority): Promise<LeafSigner> {
  const lib = await x509();
  const parent = new lib.X509Certificate(issuer.certificatePem);
  const signingKey = await importKey(issuer.privateKeyPem);
  const authorityKey = await lib.AuthorityKeyIdentifierExtension.create(parent.publicKey);
  return {
    async sign(request) {
      const publicKey = new lib.PublicKey(
        createPublicKey({ key: request.spki, format: 'der', type: 'spki' }).export({
          format: 'der',
          type: 'spki',
        }),
      );
      const certificate = await lib.X509CertificateGenerator.create({
        serialNumber: newSerial(),
        subject: '',
        issuer: parent.subject,
        notBefore: new Date(request.notBeforeMs),
        notAfter: new Date(request.notAfterMs),
        publicKey,
        signingKey,
        signingAlgorithm: ecdsa,
        extensions: [
          new lib.BasicConstraintsExtension(false, undefined, true),
          new lib.KeyUsagesExtension(lib.KeyUsageFlags.digitalSignature, true),
          new lib.ExtendedKeyUsageExtension([
            lib.ExtendedKeyUsage.serverAuth,
            lib.ExtendedKeyUsage.clientAuth,
          ]),
          // Critical because the subject is empty (RFC 5280 §4.2.1.6).
          new lib.SubjectAlternativeNameExtension([{ type: 'url', value: request.spiffeId }], true),
          await lib.SubjectKeyIdentifierExtension.create(publicKey),
          authorityKey,
        ],
      });
      return Buffer.from(certificate.rawData);
    },
  };
}

/** Short stable name of an authority: the first 16 hex digits of its public key's SHA-256. */
export function authorityId(certificatePem: string): string {
  return Buffer.from(publicKeyPin(certificatePem), 'base64url').toString('hex').slice(0, 16);
}

/** When a PEM certificate begins and ends, and its serial. */
export function validityOf(certificateDer: Buffer): {
  notBeforeMs: number;
  notAfterMs: number;
  serial: string;
} {
  const { notBeforeMs, notAfterMs, serial } = readCertificate(certificateDer);
  return { notBeforeMs, notAfterMs, serial };
}
