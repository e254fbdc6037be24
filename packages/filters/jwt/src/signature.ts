import { constants, createHmac, timingSafeEqual, verify, type KeyObject } from 'node:crypto';
import type { JwtAlgorithm } from '@tulle/model';

/** Octets of a signature by a curve (RFC 7518 §3.4): both numbers, each as long as the curve. */
const CURVE_SIGNATURE_BYTES: Readonly<Partial<Record<JwtAlgorithm, number>>> = {
  ES256: 64,
  ES384: 96,
  ES512: 132,
};

/** Types of keys by the first letters of an algorithm (`KeyObject.asymmetricKeyType`; a secret has none). */
const KEY_TYPES: Readonly<Record<string, string | undefined>> = {
  RS: 'rsa',
  PS: 'rsa',
  ES: 'ec',
  Ed: 'ed25519',
  HS: undefined,
};

/**
 * Whether `signature` is the key's over `signed` (RFC 7518 §3, RFC 8037 §3.1). A key of another type than the
 * algorithm's has signed nothing. Synchronous: one verification costs less than handing it to a thread and back, and a test in
 * virtual time is not kept waiting by real time.
 */
export function isSigned(
  algorithm: JwtAlgorithm,
  key: KeyObject,
  signed: Buffer,
  signature: Buffer,
): boolean {
  try {
    return check(algorithm, key, signed, signature);
  } catch {
    return false;
  }
}

function check(algorithm: JwtAlgorithm, key: KeyObject, signed: Buffer, signature: Buffer): boolean {
  const family = algorithm.slice(0, 2);
  if (key.asymmetricKeyType !== KEY_TYPES[family]) return false;
  const hash = `sha${algorithm.slice(2)}`;
  switch (family) {
    case 'Ed':
      return verify(null, signed, key, signature);
    case 'RS':
      return verify(hash, signed, { key, padding: constants.RSA_PKCS1_PADDING }, signature);
    case 'PS':
      return verify(
        hash,
        signed,
        {
          key,
          padding: constants.RSA_PKCS1_PSS_PADDING,
          saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
        },
        signature,
      );
    case 'ES':
      return (
        signature.length === CURVE_SIGNATURE_BYTES[algorithm] &&
        verify(hash, signed, { key, dsaEncoding: 'ieee-p1363' }, signature)
      );
    default: {
      const expected = createHmac(hash, key).update(signed).digest();
      return signature.length === expected.length && timingSafeEqual(signature, expected);
    }
  }
}
