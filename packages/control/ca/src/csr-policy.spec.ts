import 'reflect-metadata';
import { createKeyAndCsr } from '@tulle/spiffe';
import { webcrypto } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { judgeCsr } from './csr-policy.ts';

const x509 = await import('@peculiar/x509');
type Extension = InstanceType<typeof x509.Extension>;
const id = 'spiffe://example.org/ns/default/sa/web';
const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

async function csr(
  extensions: Extension[],
  algorithm: typeof ecdsa = ecdsa,
  name = 'CN=admin, O=root',
): Promise<Buffer> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const made = await x509.Pkcs10CertificateRequestGenerator.create({
    name,
    keys,
    signingAlgorithm: algorithm,
    extensions,
  });
  return Buffer.from(made.rawData);
}
const uris = (...values: string[]): Extension =>
  new x509.SubjectAlternativeNameExtension(values.map((value) => ({ type: 'url' as const, value })));
const names = (...extra: { type: 'dns' | 'ip' | 'email'; value: string }[]): Extension =>
  new x509.SubjectAlternativeNameExtension([{ type: 'url', value: id }, ...extra]);

describe('a signing request', () => {
  it.each<[string, Extension[], string]>([
    ['no name', [], 'csr-identity'],
    ['another id', [uris('spiffe://example.org/ns/default/sa/admin')], 'csr-identity'],
    ['an id that differs in case', [uris(`${id.slice(0, -3)}WEB`)], 'csr-identity'],
    ['a second id', [uris(id, 'spiffe://example.org/ns/default/sa/admin')], 'csr-excess'],
    ['its id twice', [uris(id, id)], 'csr-excess'],
    ['a DNS name', [names({ type: 'dns', value: 'bank.example' })], 'csr-excess'],
    ['an IP address', [names({ type: 'ip', value: '10.0.0.1' })], 'csr-excess'],
    ['an e-mail address', [names({ type: 'email', value: 'a@b.c' })], 'csr-excess'],
    ['to be a CA', [uris(id), new x509.BasicConstraintsExtension(true)], 'csr-excess'],
    [
      'to sign certificates',
      [
        uris(id),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.digitalSignature),
      ],
      'csr-excess',
    ],
    [
      'to sign revocation lists',
      [uris(id), new x509.KeyUsagesExtension(x509.KeyUsageFlags.cRLSign)],
      'csr-excess',
    ],
    [
      'to sign code',
      [uris(id), new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.codeSigning])],
      'csr-excess',
    ],
    [
      'name constraints of its own',
      [uris(id), new x509.Extension('2.5.29.30', true, new Uint8Array([0x30, 0]))],
      'csr-excess',
    ],
    [
      'an unknown extension',
      [uris(id), new x509.Extension('1.2.3.4', false, new Uint8Array([5, 0]))],
      'csr-excess',
    ],
  ])('that asks for %s is refused', async (_what, extensions, reason) => {
    const der = await csr(extensions);
    expect(() => judgeCsr(der, id)).toThrow(expect.objectContaining({ reason }));
  });

  it('with a weak key, junk, or a broken signature is refused', async () => {
    const weak = {
      name: 'RSASSA-PKCS1-v1_5',
      hash: 'SHA-256',
      publicExponent: new Uint8Array([1, 0, 1]),
      modulusLength: 1024,
    };
    const weakCsr = await csr([uris(id)], weak as unknown as typeof ecdsa);
    expect(() => judgeCsr(weakCsr, id)).toThrow(expect.objectContaining({ reason: 'csr-weak-key' }));
    const { csrDer } = await createKeyAndCsr(id);
    const broken = Buffer.from(csrDer);
    broken[broken.length - 1] = (broken.at(-1) ?? 0) ^ 1;
    for (const der of [
      broken,
      Buffer.alloc(0),
      Buffer.from('junk'),
      Buffer.alloc(9000, 0x30),
      csrDer.subarray(0, -1),
    ])
      expect(() => judgeCsr(der, id)).toThrow(expect.objectContaining({ reason: 'csr-malformed' }));
  });

  it('that asks for what every leaf has, with any subject, passes', async () => {
    const der = await csr([
      uris(id),
      new x509.BasicConstraintsExtension(false),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
      ]),
    ]);
    expect(judgeCsr(der, id).uriSans).toEqual([id]);
  });
});
