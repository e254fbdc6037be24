import fc from 'fast-check';
import { createPublicKey, webcrypto } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { x509 } from '../tests/forge.ts';
import { readCsr } from './csr.ts';
import { DerError } from './der.ts';
import { createKeyAndCsr, publicKeyPin } from './key-and-csr.ts';
import { derOfPem } from './pem.ts';

const id = 'spiffe://example.org/ns/default/sa/web';
const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

async function foreignCsr(extensions: x509.Extension[], algorithm: object = ecdsa): Promise<Buffer> {
  const keys = await webcrypto.subtle.generateKey(algorithm as typeof ecdsa, true, ['sign', 'verify']);
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    name: 'CN=x',
    keys,
    signingAlgorithm: algorithm as typeof ecdsa,
    extensions,
  });
  return Buffer.from(csr.rawData);
}

describe('signing requests', () => {
  it('are valid PKCS #10 with the id as their one name, as another library reads them', async () => {
    const { csrPem, csrDer, privateKeyPem } = await createKeyAndCsr(id);
    const csr = new x509.Pkcs10CertificateRequest(csrPem);
    expect(await csr.verify()).toBe(true);
    expect(csr.subject).toBe('');
    const [san, ...more] = csr.extensions;
    expect(more).toEqual([]);
    expect(san).toBeInstanceOf(x509.SubjectAlternativeNameExtension);
    expect(san?.critical).toBe(true);
    expect(csrDer.toString('latin1').split(id)).toHaveLength(2);
    const spki = createPublicKey(privateKeyPem).export({ format: 'der', type: 'spki' });
    expect(Buffer.from(csr.publicKey.rawData).equals(spki)).toBe(true);
  });

  it('use a new key each time and refuse what is no SPIFFE ID', async () => {
    const [a, b] = await Promise.all([createKeyAndCsr(id), createKeyAndCsr(id)]);
    expect(a.privateKeyPem).not.toBe(b.privateKeyPem);
    await expect(createKeyAndCsr('web')).rejects.toThrow('is not a SPIFFE ID');
  });

  it('are read back: key, name, nothing more', async () => {
    const { csrDer, csrPem, privateKeyPem } = await createKeyAndCsr(id);
    expect(derOfPem('CERTIFICATE REQUEST', csrPem)?.equals(csrDer)).toBe(true);
    const facts = readCsr(csrDer);
    expect(facts).toMatchObject({
      uriSans: [id],
      otherSanTypes: [],
      wantsCa: false,
      wantsToSign: false,
      extendedKeyUsage: [],
      otherExtensions: [],
      weakKey: undefined,
    });
    expect(publicKeyPin(facts.spki)).toBe(publicKeyPin(privateKeyPem));
  });

  it('show everything that they ask for', async () => {
    const facts = readCsr(
      await foreignCsr([
        new x509.SubjectAlternativeNameExtension([
          { type: 'url', value: id },
          { type: 'url', value: 'spiffe://example.org/b' },
          { type: 'dns', value: 'x' },
        ]),
        new x509.BasicConstraintsExtension(true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign),
        new x509.ExtendedKeyUsageExtension(['1.2.3']),
        new x509.Extension('1.2.3.4', false, new Uint8Array([5, 0])),
      ]),
    );
    expect(facts).toMatchObject({
      uriSans: [id, 'spiffe://example.org/b'],
      otherSanTypes: [2],
      wantsCa: true,
      wantsToSign: true,
      extendedKeyUsage: ['1.2.3'],
      otherExtensions: ['1.2.3.4'],
    });
  });

  it('name a weak key', async () => {
    const rsa = {
      name: 'RSASSA-PKCS1-v1_5',
      hash: 'SHA-256',
      publicExponent: new Uint8Array([1, 0, 1]),
      modulusLength: 1024,
    };
    expect(readCsr(await foreignCsr([], rsa)).weakKey).toBe('RSA of 1024 bits');
  });

  it('are refused when the signature is not by their key, or too old a hash was used', async () => {
    const [a, b] = await Promise.all([createKeyAndCsr(id), createKeyAndCsr(id)]);
    const keyOf = (der: Buffer): Buffer => readCsr(der).spki;
    const swapped = Buffer.from(a.csrDer);
    keyOf(b.csrDer).copy(swapped, swapped.indexOf(keyOf(a.csrDer)));
    expect(() => readCsr(swapped)).toThrow('the signature does not match');
    await expect(foreignCsr([], { ...ecdsa, hash: 'SHA-1' }).then(readCsr)).rejects.toThrow(
      'weak or unknown',
    );
  });

  it('throw nothing but DerError when mutated, and never pass with another name', async () => {
    const { csrDer } = await createKeyAndCsr(id);
    fc.assert(
      fc.property(fc.nat(csrDer.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const der = Buffer.from(csrDer);
        der[at] = (der[at] ?? 0) ^ mask;
        try {
          return readCsr(der).uriSans[0] === id;
        } catch (error) {
          return error instanceof DerError;
        }
      }),
      { numRuns: 500 },
    );
  });
});
