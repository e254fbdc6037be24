import { createHmac } from 'node:crypto';
import { CompactSign, exportJWK, generateKeyPair, type CryptoKey, type JWK } from 'jose';
import type { JwtProvider } from '@tulle/model';

/** Start of the fake clock, seconds since 1970. */
export const NOW: number = Date.UTC(2026, 0, 1) / 1_000;
export const ISSUER = 'https://issuer.example';

/** An issuer for tests: makes keys and signs what it is told, sound or not. */
export interface TestIssuer {
  readonly keyId: string;
  readonly algorithm: string;
  /** Public. */
  readonly jwk: JWK;
  readonly privateKey: CryptoKey;
  /** A token with these claims over sound ones; header parameters over `{ alg, kid }`. */
  token(
    claims?: Readonly<Record<string, unknown>>,
    header?: Readonly<Record<string, unknown>>,
  ): Promise<string>;
}

export async function testIssuer(keyId = 'key-1', algorithm = 'ES256'): Promise<TestIssuer> {
  const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true });
  const jwk: JWK = { ...(await exportJWK(publicKey)), kid: keyId, use: 'sig' };
  return {
    keyId,
    algorithm,
    jwk,
    privateKey,
    token: (claims = {}, header = {}) =>
      new CompactSign(Buffer.from(JSON.stringify({ ...soundClaims(), ...claims })))
        .setProtectedHeader({ alg: algorithm, kid: keyId, ...header })
        .sign(privateKey),
  };
}

export function soundClaims(): Record<string, unknown> {
  return { iss: ISSUER, sub: 'alice', aud: 'shop', exp: NOW + 3_600 };
}

export function encode(value: string | Buffer | object): string {
  return Buffer.from(
    typeof value === 'string' || Buffer.isBuffer(value) ? value : JSON.stringify(value),
  ).toString('base64url');
}

/** A token whose parts are given as they shall be read, signed with a shared secret. */
export function hmacToken(
  secret: string | Buffer,
  header: object | string,
  payload: object | string,
): string {
  const signed = `${encode(header)}.${encode(payload)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

export function provider(issuer: TestIssuer, change: Partial<JwtProvider> = {}): JwtProvider {
  return {
    name: 'main',
    issuer: ISSUER,
    audiences: ['shop'],
    jwks: { keys: [{ ...issuer.jwk }] },
    ...change,
  };
}
