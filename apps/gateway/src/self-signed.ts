import { mkdir, rename, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';

/** What {@link writeSelfSigned} makes. */
export interface SelfSignedOptions {
  /** Host names and IP addresses that it is for; the first label of a name may be `*`. At least one. */
  readonly hosts: readonly string[];
  /** Default 30: to try things, not to keep. */
  readonly days?: number;
}

/**
 * Writes a certificate that signs itself, with a new key (P-256), as `tls.crt` and `tls.key` (0600) into a directory. Callers
 * trust it by naming `tls.crt` itself.
 * @returns path of the certificate
 */
export async function writeSelfSigned(directory: string, options: SelfSignedOptions): Promise<string> {
  await import('reflect-metadata'); // the library's own need, before it
  const x509 = await import('@peculiar/x509');
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const nowMs = Date.now();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=Tulle self-signed',
    keys,
    signingAlgorithm: algorithm,
    serialNumber: Buffer.from(crypto.getRandomValues(new Uint8Array(15))).toString('hex'),
    notBefore: new Date(nowMs - 60_000), // clocks differ
    notAfter: new Date(nowMs + (options.days ?? 30) * 86_400_000),
    extensions: [
      new x509.SubjectAlternativeNameExtension(
        options.hosts.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
      ),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      // For either end of TLS: callers of a Gateway that asks for certificates try with one too.
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
      ]),
    ],
  });
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  const keyPem = `-----BEGIN PRIVATE KEY-----\n${pkcs8.replace(/.{64}/g, '$&\n').trimEnd()}\n-----END PRIVATE KEY-----\n`;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = join(directory, 'tls.crt');
  await replace(join(directory, 'tls.key'), keyPem);
  await replace(file, `${certificate.toString('pem')}\n`);
  return file;
}

/** Whole or not at all. A new key beside the old certificate for a moment is no pair, so that nobody takes it. */
async function replace(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text, { mode: 0o600 });
  await rename(`${file}.new`, file);
}
