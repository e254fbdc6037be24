import { oid, readCsr, type CsrFacts } from '@tulle/spiffe';
import { CaError } from './errors.ts';

/**
 * Judges a signing request against the one identity that was attested. The certificate is made from the attestation;
 * of the request only the public key is used. So a subject is ignored, but a request that *asks* for more than was
 * attested is refused, because its sender expects something it will not get, or is trying what it can get.
 *
 * Allowed: exactly one URI SAN, the attested id; key usages and extended usages that a leaf has anyway; CA:false.
 * @throws {CaError} with reason `csr-malformed`, `csr-weak-key`, `csr-identity` or `csr-excess`.
 */
export function judgeCsr(der: Uint8Array, attestedId: string): CsrFacts {
  let csr: CsrFacts;
  try {
    csr = readCsr(Buffer.from(der.buffer, der.byteOffset, der.byteLength));
  } catch (error) {
    throw new CaError(
      'csr-malformed',
      `the signing request cannot be read: ${error instanceof Error ? error.message : 'malformed'}`,
    );
  }
  const refuse = (reason: 'csr-weak-key' | 'csr-excess' | 'csr-identity', what: string): never => {
    throw new CaError(reason, `the signing request for ${attestedId} ${what}`);
  };
  if (csr.weakKey !== undefined)
    refuse(
      'csr-weak-key',
      `has a key ${csr.weakKey}; use EC P-256, EC P-384, Ed25519 or RSA of at least 2048 bits`,
    );
  if (csr.wantsCa || csr.wantsToSign) refuse('csr-excess', 'asks for a certificate that can sign others');
  if (csr.uriSans.length !== 1)
    refuse(
      csr.uriSans.length === 0 ? 'csr-identity' : 'csr-excess',
      `names ${csr.uriSans.length} URIs; it must name exactly the attested id`,
    );
  if (csr.uriSans[0] !== attestedId)
    refuse('csr-identity', `names ${JSON.stringify(csr.uriSans[0]?.slice(0, 200))} instead`);
  if (csr.otherSanTypes.length > 0)
    refuse('csr-excess', 'asks for names besides its URI (DNS, IP, e-mail …)');
  const usages: readonly string[] = [oid.serverAuth, oid.clientAuth];
  const extra = [...csr.extendedKeyUsage.filter((usage) => !usages.includes(usage)), ...csr.otherExtensions];
  if (extra.length > 0)
    refuse('csr-excess', `asks for extensions that workloads do not get: ${extra.slice(0, 5).join(', ')}`);
  return csr;
}
