import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { CERTIFICATES } from './corpus.ts';

/** The file of secrets that `sds-file` names. */
const SECRETS_FILE = `resources:
  - "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
    name: server_cert
    tls_certificate:
      certificate_chain: { filename: ${CERTIFICATES}/server.pem }
      private_key: { filename: ${CERTIFICATES}/server-key.pem }
`;

/** The file of filters' configs that `filter-discovery` names. */
const FILTERS_FILE = `resources:
  - "@type": type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig
    name: edits
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation
      mutations:
        request_mutations:
          - append: { header: { key: x-edited, value: "from a file" } }
`;

const secretsText = (directory: string): string => SECRETS_FILE.replaceAll(CERTIFICATES, directory);

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/**
 * Certificates of the corpus for one day: `server.pem`, `server-key.pem`, `ca.pem` (one that is all of them) and `sds.yaml`; and
 * `filters.yaml`.
 */
export async function writeCertificates(directory: string): Promise<void> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=corpus',
    keys,
    signingAlgorithm: algorithm,
    serialNumber: '01',
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 86_400_000),
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.SubjectAlternativeNameExtension(
        ['shop.example.com', 'www.example.com', 'service.example.com'].map((value) => ({
          type: 'dns',
          value,
        })),
      ),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyCertSign, true),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
      ]),
    ],
  });
  const key = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  const pem = `${certificate.toString('pem')}\n`;
  writeFileSync(join(directory, 'server.pem'), pem);
  writeFileSync(join(directory, 'ca.pem'), pem);
  writeFileSync(
    join(directory, 'server-key.pem'),
    `-----BEGIN PRIVATE KEY-----\n${key.replaceAll(/.{64}/g, '$&\n').trimEnd()}\n-----END PRIVATE KEY-----\n`,
    { mode: 0o600 },
  );
  writeFileSync(join(directory, 'sds.yaml'), secretsText(directory));
  writeFileSync(join(directory, 'filters.yaml'), FILTERS_FILE);
}
