import { constants, createHmac, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';

/** An issuer whose tokens the gate believes, and what it takes to forge them. */
export interface Issuer {
  readonly jwks: readonly Readonly<Record<string, unknown>>[];
  /** A token by a key of the issuer. @param header members that replace or add; `undefined` takes one away */
  token(claims?: object, header?: object, key?: KeyObject): string;
  readonly rsa: { readonly private: KeyObject; readonly public: KeyObject };
  readonly ec: { readonly private: KeyObject; readonly public: KeyObject };
}

export const ISSUER = 'https://issuer.test/';
export const AUDIENCE = 'shop';

export const base64url = (data: string | Buffer): string =>
  Buffer.from(data as string, 'latin1').toString('base64url');

/** Claims of a good token: an hour from now. */
export const goodClaims = (): Record<string, unknown> => ({
  iss: ISSUER,
  aud: AUDIENCE,
  sub: 'anna',
  role: 'user',
  exp: Math.floor(Date.now() / 1000) + 3600,
});

/** Makes keys and tokens with nothing of the filter's, so that a mistake there is none here. */
export function createIssuer(): Issuer {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = (key: KeyObject, kid: string, alg: string): Record<string, unknown> => ({
    ...(key.export({ format: 'jwk' }) as Record<string, unknown>),
    kid,
    alg,
    use: 'sig',
  });
  return {
    jwks: [jwk(rsa.publicKey, 'r1', 'RS256'), jwk(ec.publicKey, 'e1', 'ES256')],
    rsa: { private: rsa.privateKey, public: rsa.publicKey },
    ec: { private: ec.privateKey, public: ec.publicKey },
    token(claims = {}, header = {}, key = rsa.privateKey) {
      const full = { alg: 'RS256', typ: 'JWT', kid: 'r1', ...header };
      return signed(JSON.stringify(full), JSON.stringify({ ...goodClaims(), ...claims }), key, full.alg);
    },
  };
}

/** Signs any two texts. @param alg how it is signed, whatever the header says */
export function signed(header: string, payload: string, key: KeyObject | string, alg: string): string {
  const input = `${base64url(Buffer.from(header))}.${base64url(Buffer.from(payload))}`;
  return `${input}.${signatureOf(input, key, alg).toString('base64url')}`;
}

function signatureOf(input: string, key: KeyObject | string, alg: string): Buffer {
  const hash = `sha${alg.slice(2) || '256'}`;
  if (alg.startsWith('HS')) return createHmac(hash, key).update(input).digest();
  if (alg.startsWith('ES'))
    return sign('sha256', Buffer.from(input), { key: key as KeyObject, dsaEncoding: 'ieee-p1363' });
  if (alg.startsWith('PS'))
    return sign(hash, Buffer.from(input), {
      key: key as KeyObject,
      padding: constants.RSA_PKCS1_PSS_PADDING,
    });
  return sign('sha256', Buffer.from(input), key);
}
