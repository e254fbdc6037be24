import 'reflect-metadata';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';

/** Certificates for the mutual TLS scenarios, as files and as PEM. */
export interface Pki {
  readonly caFile: string;
  readonly clientCertFile: string;
  readonly clientKeyFile: string;
  /** Certificate and key in one file, as HAProxy wants them. */
  readonly clientBundleFile: string;
  readonly originCertFile: string;
  readonly originKeyFile: string;
  readonly originBundleFile: string;
  readonly caPem: string;
  readonly originCertPem: string;
  readonly originKeyPem: string;
  readonly clientCertPem: string;
  readonly clientKeyPem: string;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** Makes a root, an origin and a client certificate (P-256, SPIFFE ids) in `directory`. */
export async function makePki(directory: string): Promise<Pki> {
  const validity = { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 86_400_000) };
  const rootKeys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=bench root',
    keys: rootKeys,
    signingAlgorithm: algorithm,
    serialNumber: '01',
    ...validity,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  const leaf = async (name: string, serialNumber: string): Promise<{ cert: string; key: string }> => {
    const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const cert = await x509.X509CertificateGenerator.create({
      subject: `CN=${name}`,
      issuer: root.subject,
      publicKey: keys.publicKey,
      signingKey: rootKeys.privateKey,
      signingAlgorithm: algorithm,
      serialNumber,
      ...validity,
      extensions: [
        new x509.SubjectAlternativeNameExtension([
          { type: 'url', value: `spiffe://bench/ns/default/sa/${name}` },
          { type: 'dns', value: `${name}.bench` },
        ]),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([
          x509.ExtendedKeyUsage.serverAuth,
          x509.ExtendedKeyUsage.clientAuth,
        ]),
      ],
    });
    const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
    return {
      cert: cert.toString('pem'),
      key: `-----BEGIN PRIVATE KEY-----\n${pkcs8.replace(/.{64}/g, '$&\n')}\n-----END PRIVATE KEY-----\n`,
    };
  };
  const origin = await leaf('origin', '02');
  const client = await leaf('client', '03');
  const file = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const caPem = root.toString('pem');
  return {
    caPem,
    originCertPem: origin.cert,
    originKeyPem: origin.key,
    clientCertPem: client.cert,
    clientKeyPem: client.key,
    originCertFile: file('origin.pem', `${origin.cert}\n`),
    originKeyFile: file('origin.key', origin.key),
    originBundleFile: file('origin-bundle.pem', `${origin.cert}\n${origin.key}`),
    caFile: file('ca.pem', `${caPem}\n`),
    clientCertFile: file('client.pem', `${client.cert}\n`),
    clientKeyFile: file('client.key', client.key),
    clientBundleFile: file('client-bundle.pem', `${client.cert}\n${client.key}`),
  };
}
