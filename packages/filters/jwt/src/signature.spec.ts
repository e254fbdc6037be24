import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import type { JwtAlgorithm } from '@tulle/model';
import fc from 'fast-check';
import { CompactSign, compactVerify, exportJWK, generateKeyPair, type CryptoKey } from 'jose';
import { describe, expect, it } from 'vitest';
import { isSigned } from './signature.ts';

interface Keys {
  readonly ours: KeyObject;
  readonly theirs: CryptoKey | Uint8Array;
  readonly token: string;
}

async function keysFor(algorithm: JwtAlgorithm): Promise<Keys> {
  const payload = Buffer.from('{"iss":"i"}');
  if (algorithm.startsWith('HS')) {
    const secret = Buffer.alloc(64, 9);
    const token = await new CompactSign(payload).setProtectedHeader({ alg: algorithm }).sign(secret);
    return { ours: createSecretKey(secret), theirs: secret, token };
  }
  const pair = await generateKeyPair(algorithm, { extractable: true });
  const jwk = await exportJWK(pair.publicKey);
  return {
    ours: createPublicKey({ key: { ...jwk }, format: 'jwk' }),
    theirs: pair.publicKey,
    token: await new CompactSign(payload).setProtectedHeader({ alg: algorithm }).sign(pair.privateKey),
  };
}

const ours = (algorithm: JwtAlgorithm, key: KeyObject, token: string): boolean => {
  const dot = token.lastIndexOf('.');
  return isSigned(
    algorithm,
    key,
    Buffer.from(token.slice(0, dot)),
    Buffer.from(token.slice(dot + 1), 'base64url'),
  );
};

const theirs = async (algorithm: JwtAlgorithm, key: Keys['theirs'], token: string): Promise<boolean> =>
  compactVerify(token, key, { algorithms: [algorithm] }).then(
    () => true,
    () => false,
  );

const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
  'HS256',
  'HS384',
  'HS512',
] as const;

describe.each(algorithms)('a signature by %s', (algorithm) => {
  it('is judged as jose judges it, sound or changed anywhere', async () => {
    const keys = await keysFor(algorithm);
    const another = await keysFor(algorithm);
    expect(ours(algorithm, keys.ours, keys.token)).toBe(true);
    if (!algorithm.startsWith('HS')) expect(ours(algorithm, another.ours, keys.token)).toBe(false);
    const [header = '', payload = '', signature = ''] = keys.token.split('.');
    const bytes = Buffer.from(signature, 'base64url');
    const change = fc.oneof(
      fc.constant(bytes),
      fc
        .nat(bytes.length - 1)
        .map((at) => Buffer.from(bytes.map((octet, index) => (index === at ? octet ^ 1 : octet)))),
      fc.nat(bytes.length).map((length) => bytes.subarray(0, length)),
      fc.uint8Array({ maxLength: 8 }).map((more) => Buffer.concat([bytes, more])),
      fc.uint8Array({ maxLength: 600 }).map((any) => Buffer.from(any)),
      fc.constant(Buffer.alloc(bytes.length)),
    );
    await fc.assert(
      fc.asyncProperty(change, fc.boolean(), async (changed, otherPayload) => {
        const text = otherPayload ? Buffer.from('{"iss":"j"}').toString('base64url') : payload;
        const token = `${header}.${text}.${changed.toString('base64url')}`;
        expect(ours(algorithm, keys.ours, token)).toBe(await theirs(algorithm, keys.theirs, token));
      }),
      { numRuns: 60 },
    );
  });
});

it('is refused under every algorithm that the key is not for', async () => {
  const all = await Promise.all(algorithms.map(keysFor));
  for (const [index, keys] of all.entries()) {
    for (const [other, algorithm] of algorithms.entries()) {
      const same = { EdDSA: 'Ed25519' } as Partial<Record<JwtAlgorithm, JwtAlgorithm>>;
      const [a, b] = [algorithms[index] as JwtAlgorithm, algorithm];
      expect(ours(algorithm, keys.ours, keys.token), `${a} judged as ${b}`).toBe(
        index === other || (same[a] ?? a) === (same[b] ?? b),
      );
    }
  }
});
