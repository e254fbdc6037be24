import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';

/** Who signs tokens, with a key of its own. */
export interface TokenIssuer {
  readonly issuer: string;
  /** JWK Set with its public key. */
  readonly jwks: { readonly keys: readonly object[] };
  /** A token of these claims, valid for ten minutes unless they say otherwise. */
  token(claims: Readonly<Record<string, unknown>>): string;
}

/** An issuer with a fresh key (Ed25519). Two of one name are two issuers. */
export function tokenIssuer(issuer: string): TokenIssuer {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return {
    issuer,
    jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'EdDSA' }] },
    token: (claims) => {
      const exp = Math.floor(Date.now() / 1000) + 600;
      return signed({ alg: 'EdDSA', kid: 'k1' }, { iss: issuer, exp, ...claims }, privateKey);
    },
  };
}

/** A token that says it needs no signature (RFC 7519 §6), as attackers write them. */
export function unsignedToken(claims: Readonly<Record<string, unknown>>): string {
  return `${part({ alg: 'none' })}.${part(claims)}.`;
}

function signed(header: object, claims: object, key: KeyObject): string {
  const text = `${part(header)}.${part(claims)}`;
  return `${text}.${sign(null, Buffer.from(text), key).toString('base64url')}`;
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
