import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { webcrypto } from 'node:crypto';
import type { IdentitySnapshot, TrustBundle } from '@tulle/model';
import { readCertificate } from '../src/certificate.ts';

// Certificates of every sort, good and bad, made by another library than the code under test.

export { x509 };

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const minute = 60_000;

export interface Forged {
  readonly pem: string;
  readonly der: Buffer;
  readonly keys: webcrypto.CryptoKeyPair;
  readonly certificate: x509.X509Certificate;
}

export interface ForgeOptions {
  readonly subject?: string;
  readonly issuer?: Forged;
  readonly uris?: readonly string[];
  readonly dns?: readonly string[];
  readonly ca?: boolean;
  readonly pathLength?: number;
  /** `null`: no key usage extension. */
  readonly usage?: number | null;
  readonly extendedUsage?: readonly string[];
  readonly notBeforeMs?: number;
  readonly notAfterMs?: number;
  readonly serial?: string;
  readonly extra?: readonly x509.Extension[];
  readonly hash?: 'SHA-1' | 'SHA-256';
  readonly rsaBits?: number;
  /** Default: a fresh pair. */
  readonly keys?: webcrypto.CryptoKeyPair;
}

let serials = 0x1000;

export async function forge(options: ForgeOptions): Promise<Forged> {
  const own =
    options.rsaBits === undefined
      ? algorithm
      : {
          name: 'RSASSA-PKCS1-v1_5',
          hash: 'SHA-256',
          publicExponent: new Uint8Array([1, 0, 1]),
          modulusLength: options.rsaBits,
        };
  const keys = options.keys ?? (await webcrypto.subtle.generateKey(own, true, ['sign', 'verify']));
  const ca = options.ca ?? false;
  const extensions: x509.Extension[] = [new x509.BasicConstraintsExtension(ca, options.pathLength, true)];
  const usage =
    options.usage === undefined
      ? ca
        ? x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign
        : x509.KeyUsageFlags.digitalSignature
      : options.usage;
  if (usage !== null) extensions.push(new x509.KeyUsagesExtension(usage, true));
  if (options.extendedUsage !== undefined)
    extensions.push(new x509.ExtendedKeyUsageExtension([...options.extendedUsage]));
  const names = [
    ...(options.uris ?? []).map((value) => ({ type: 'url' as const, value })),
    ...(options.dns ?? []).map((value) => ({ type: 'dns' as const, value })),
  ];
  if (names.length > 0) extensions.push(new x509.SubjectAlternativeNameExtension(names));
  extensions.push(...(options.extra ?? []));
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: options.serial ?? (serials++).toString(16),
    subject: options.subject ?? '',
    issuer: options.issuer?.certificate.subject ?? options.subject ?? '',
    notBefore: new Date(options.notBeforeMs ?? Date.now() - minute),
    notAfter: new Date(options.notAfterMs ?? Date.now() + 60 * minute),
    publicKey: keys.publicKey,
    signingKey: (options.issuer?.keys ?? keys).privateKey,
    signingAlgorithm: { ...algorithm, hash: options.hash ?? 'SHA-256' },
    extensions,
  });
  return {
    pem: certificate.toString('pem') + '\n',
    der: Buffer.from(certificate.rawData),
    keys,
    certificate,
  };
}

export const forgeRoot = (subject = 'CN=root', more: ForgeOptions = {}): Promise<Forged> =>
  forge({ subject, ca: true, ...more });
export const forgeIssuer = (root: Forged, more: ForgeOptions = {}): Promise<Forged> =>
  forge({ subject: 'CN=issuer', issuer: root, ca: true, pathLength: 0, ...more });
export const forgeLeaf = (issuer: Forged, uri: string, more: ForgeOptions = {}): Promise<Forged> =>
  forge({
    issuer,
    uris: [uri],
    extendedUsage: [x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth],
    ...more,
  });

export const bundle = (
  trustDomain: string,
  generation: number,
  ...roots: readonly Forged[]
): TrustBundle => ({
  trustDomain,
  rootsPem: roots.map((root) => root.pem),
  generation,
});

export async function snapshot(
  chain: readonly [Forged, ...Forged[]],
  bundles: readonly TrustBundle[],
): Promise<IdentitySnapshot> {
  const facts = readCertificate(chain[0].der);
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', chain[0].keys.privateKey);
  return {
    svid: {
      spiffeId: facts.uriSans[0] ?? '',
      certificateChainPem: chain.map((c) => c.pem).join(''),
      privateKeyPem: `-----BEGIN PRIVATE KEY-----\n${Buffer.from(pkcs8).toString('base64')}\n-----END PRIVATE KEY-----\n`,
      notBeforeMs: facts.notBeforeMs,
      notAfterMs: facts.notAfterMs,
      serial: facts.serial,
    },
    bundles,
  };
}

/** A mesh in two lines: a root, an issuer, and a maker of leaves. */
export async function forgeMesh(trustDomain = 'example.org'): Promise<{
  root: Forged;
  issuer: Forged;
  bundle: TrustBundle;
  identity(uri: string, more?: ForgeOptions): Promise<IdentitySnapshot>;
}> {
  const root = await forgeRoot(`CN=${trustDomain} root`);
  const issuer = await forgeIssuer(root);
  const trust = bundle(trustDomain, 1, root);
  return {
    root,
    issuer,
    bundle: trust,
    identity: async (uri, more) => snapshot([await forgeLeaf(issuer, uri, more), issuer], [trust]),
  };
}
