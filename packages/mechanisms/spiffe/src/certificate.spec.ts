import fc from 'fast-check';
import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { forge, forgeMesh } from '../tests/forge.ts';
import { keyUsage, oid, readCertificate } from './certificate.ts';
import { DerError } from './der.ts';

describe('reading certificates', () => {
  it('sees what OpenSSL sees', async () => {
    const { root, issuer } = await forgeMesh();
    const leaf = await forge({
      issuer,
      uris: ['spiffe://example.org/a'],
      dns: ['a.example'],
      extendedUsage: [oid.serverAuth],
      serial: 'a1b2c3',
    });
    for (const { der } of [root, issuer, leaf]) {
      const facts = readCertificate(der);
      const openssl = new X509Certificate(der);
      expect(facts.fingerprint).toBe(openssl.fingerprint256.replaceAll(':', '').toLowerCase());
      expect(facts.serial).toBe(openssl.serialNumber.toLowerCase());
      expect(facts.isCa).toBe(openssl.ca);
      expect(facts.notBeforeMs).toBe(Date.parse(openssl.validFrom));
      expect(facts.notAfterMs).toBe(Date.parse(openssl.validTo));
      expect(facts.spki.equals(openssl.publicKey.export({ format: 'der', type: 'spki' }))).toBe(true);
    }
    expect(readCertificate(leaf.der)).toMatchObject({
      uriSans: ['spiffe://example.org/a'],
      otherSanTypes: [2],
      keyUsage: keyUsage.digitalSignature,
      extendedKeyUsage: [oid.serverAuth],
      pathLength: undefined,
      strongSignature: true,
      unknownCritical: [],
    });
    expect(readCertificate(issuer.der)).toMatchObject({ isCa: true, pathLength: 0, uriSans: [] });
    expect(readCertificate(issuer.der).issuer.equals(readCertificate(root.der).subject)).toBe(true);
  });

  it('refuses a truncated, padded or oversized certificate', async () => {
    const { root } = await forgeMesh();
    expect(() => readCertificate(root.der.subarray(0, -1))).toThrow(DerError);
    expect(() => readCertificate(Buffer.concat([root.der, Buffer.from([0])]))).toThrow(DerError);
    expect(() => readCertificate(Buffer.alloc(20_000))).toThrow(/larger than/);
  });

  it('throws nothing but DerError on mutated certificates', async () => {
    const { issuer } = await forgeMesh();
    const leaf = await forge({
      issuer,
      uris: ['spiffe://example.org/a'],
      dns: ['a.example'],
      extendedUsage: [oid.serverAuth],
    });
    const edit = fc.record({ at: fc.nat(leaf.der.length - 1), value: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), fc.nat(leaf.der.length), (edits, cut) => {
        const der = Buffer.from(leaf.der);
        for (const { at, value } of edits) der[at] = value;
        try {
          readCertificate(cut % 7 === 0 ? der.subarray(0, cut) : der);
        } catch (error) {
          return error instanceof DerError;
        }
        return true;
      }),
      { numRuns: 3000 },
    );
  });
});
