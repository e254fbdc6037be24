// What verifying costs: `node packages/filters/jwt/tests/measure.ts`. CPU microseconds of this process, threads included.
import { CompactSign, compactVerify, exportJWK, generateKeyPair, importJWK } from 'jose';
import { createPublicKey } from 'node:crypto';
import type { JwtAlgorithm } from '@tulle/model';
import { isSigned } from '../src/signature.ts';
import { parseToken } from '../src/token.ts';
import { TokenCache, tokenKey, type Accepted } from '../src/token-cache.ts';

async function cpuMicroseconds(times: number, run: () => unknown): Promise<string> {
  for (let n = 0; n < times / 5; n += 1) await run();
  const before = process.cpuUsage();
  for (let n = 0; n < times; n += 1) {
    const result = run();
    if (result instanceof Promise) await result;
  }
  const { user, system } = process.cpuUsage(before);
  return ((user + system) / times).toFixed(1);
}

const payload = Buffer.from(
  JSON.stringify({
    iss: 'https://issuer.example',
    sub: 'alice',
    aud: 'shop',
    exp: 4e9,
    groups: ['a', 'b'],
    pad: 'x'.repeat(300),
  }),
);
console.log('| algorithm | node:crypto, here | jose, on a thread |\n|---|---|---|');
let token = '';
for (const algorithm of ['RS256', 'PS256', 'ES256', 'EdDSA', 'ES512'] satisfies JwtAlgorithm[]) {
  const pair = await generateKeyPair(algorithm, { extractable: true });
  const jwk = await exportJWK(pair.publicKey);
  token = await new CompactSign(payload).setProtectedHeader({ alg: algorithm }).sign(pair.privateKey);
  const key = createPublicKey({ key: { ...jwk }, format: 'jwk' });
  const theirs = await importJWK(jwk, algorithm);
  const dot = token.lastIndexOf('.');
  const here = await cpuMicroseconds(2_000, () =>
    isSigned(
      algorithm,
      key,
      Buffer.from(token.slice(0, dot)),
      Buffer.from(token.slice(dot + 1), 'base64url'),
    ),
  );
  const there = await cpuMicroseconds(2_000, () => compactVerify(token, theirs, { algorithms: [algorithm] }));
  console.log(`| ${algorithm} | ${here} µs | ${there} µs |`);
}
console.log(
  `\ntaking a token of ${token.length} octets apart: ${await cpuMicroseconds(50_000, () => parseToken(token))} µs`,
);
const cache = new TokenCache(1_000);
for (let n = 0; n < 1_000; n += 1) cache.put(tokenKey(`${token}${n}`), {} as Accepted);
cache.put(tokenKey(token), {} as Accepted);
let copy = 0;
console.log(
  `knowing it again among 1,000: ${await cpuMicroseconds(200_000, () => {
    // A text that was never hashed, as a new request brings it.
    const fresh = Buffer.from(token, 'latin1').toString('latin1');
    copy += cache.get(tokenKey(fresh)) === undefined ? 0 : 1;
  })} µs`,
);
if (copy === 0) throw new Error('the token was not known');
