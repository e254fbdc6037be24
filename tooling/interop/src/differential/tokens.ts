import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** Claims of a token. */
export type Claims = Readonly<Record<string, unknown>>;

export type KeyName = 'one' | 'two' | 'stranger';

interface Key {
  readonly algorithm: 'ES256' | 'RS256';
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const elliptic = (): Key => ({
  algorithm: 'ES256',
  ...generateKeyPairSync('ec', { namedCurve: 'P-256' }),
});

/** Keys of the issuers by id, and one that nobody publishes; each run has others. */
const KEYS: Readonly<Record<KeyName, Key>> = {
  one: elliptic(),
  two: { algorithm: 'RS256', ...generateKeyPairSync('rsa', { modulusLength: 2048 }) },
  stranger: elliptic(),
};

/** A JWK Set of these. */
export function keySet(...names: readonly KeyName[]): string {
  return JSON.stringify({
    keys: names.map((kid) => ({
      ...KEYS[kid].publicKey.export({ format: 'jwk' }),
      kid,
      alg: KEYS[kid].algorithm,
      use: 'sig',
    })),
  });
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A signed token. @param header fields beside `alg` and `kid`, or in their place */
export function token(key: KeyName, claims: Claims, header: Claims = {}): string {
  const { algorithm, privateKey } = KEYS[key];
  const said = `${part({ alg: algorithm, kid: key, ...header })}.${part(claims)}`;
  const signature = sign('sha256', Buffer.from(said), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return `${said}.${signature.toString('base64url')}`;
}

/** What attackers send: a token without a signature. */
export function unsigned(claims: Claims): string {
  return `${part({ alg: 'none' })}.${part(claims)}.`;
}

/** What attackers send: a token whose shared secret is the public key. */
export function signedByPublicKey(key: KeyName, claims: Claims): string {
  const said = `${part({ alg: 'HS256', kid: key })}.${part(claims)}`;
  const secret = KEYS[key].publicKey.export({ format: 'pem', type: 'spki' });
  return `${said}.${createHmac('sha256', secret).update(said).digest('base64url')}`;
}

/** A token with another's claims under its signature. */
export function tampered(key: KeyName, claims: Claims, others: Claims): string {
  const [header, , signature] = token(key, claims).split('.');
  return `${header}.${part(others)}.${signature}`;
}
