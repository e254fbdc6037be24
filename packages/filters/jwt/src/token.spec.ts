import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encode } from '../tests/issuer.ts';
import { parseToken } from './token.ts';

const header = encode({ alg: 'RS256', kid: 'k' });
const payload = encode({ iss: 'i' });
const signature = encode('signature');

describe('a token', () => {
  it('is taken apart', () => {
    expect(parseToken(`${header}.${payload}.${signature}`)).toEqual({
      algorithm: 'RS256',
      keyId: 'k',
      header: { alg: 'RS256', kid: 'k' },
      claims: { iss: 'i' },
      payload,
    });
  });

  it.each<[string, string, string]>([
    ['nothing', '', 'malformed'],
    ['one part', header, 'malformed'],
    ['two parts', `${header}.${payload}`, 'malformed'],
    ['two signatures', `${header}.${payload}.${signature}.${signature}`, 'malformed'],
    ['JWE in compact form', `${header}.a.b.c.d`, 'malformed'],
    [
      'JSON serialisation',
      JSON.stringify({ payload, signatures: [{ protected: header, signature }] }),
      'malformed',
    ],
    ['an empty header', `.${payload}.${signature}`, 'malformed'],
    ['an empty payload', `${header}..${signature}`, 'malformed'],
    ['no signature', `${header}.${payload}.`, 'malformed'],
    ['padding', `${header}=.${payload}.${signature}`, 'malformed'],
    ['padding of the signature', `${header}.${payload}.${signature}==`, 'malformed'],
    ['the other base64 alphabet', `${header}.${payload}.ab+/`, 'malformed'],
    ['blanks', ` ${header}.${payload}.${signature}`, 'malformed'],
    ['a line end', `${header}.${payload}.${signature}\n`, 'malformed'],
    ['a length that base64 has not', `${header}.${payload}.abcde`, 'malformed'],
    ['stray bits at the end', `${header}.${payload}.QR`, 'malformed'],
    ['a header that is no JSON', `${encode('{alg:1}')}.${payload}.${signature}`, 'bad-header'],
    ['a header that is a list', `${encode('[]')}.${payload}.${signature}`, 'bad-header'],
    ['a header that is null', `${encode('null')}.${payload}.${signature}`, 'bad-header'],
    [
      'a header in broken UTF-8',
      `${encode(Buffer.from('7b22ff223a317d', 'hex'))}.${payload}.${signature}`,
      'malformed',
    ],
    [
      'a header with a byte order mark',
      `${encode('\ufeff{"alg":"RS256"}')}.${payload}.${signature}`,
      'bad-header',
    ],
    [
      'a header that says alg twice',
      `${encode('{"alg":"none","alg":"RS256"}')}.${payload}.${signature}`,
      'bad-header',
    ],
    ['alg none', `${encode({ alg: 'none' })}.${payload}.`, 'algorithm'],
    ['alg none with a signature', `${encode({ alg: 'none' })}.${payload}.${signature}`, 'algorithm'],
    ['alg nOnE', `${encode({ alg: 'nOnE' })}.${payload}.`, 'algorithm'],
    ['no alg', `${encode({})}.${payload}.${signature}`, 'algorithm'],
    ['alg as a list', `${encode({ alg: ['RS256'] })}.${payload}.${signature}`, 'algorithm'],
    ['alg of the prototype', `${encode({ alg: 'constructor' })}.${payload}.${signature}`, 'algorithm'],
    ['a key', `${encode({ alg: 'RS256', jwk: {} })}.${payload}.${signature}`, 'embedded-key'],
    [
      'a URL of keys',
      `${encode({ alg: 'RS256', jku: 'https://evil.example' })}.${payload}.${signature}`,
      'embedded-key',
    ],
    [
      'a URL of certificates',
      `${encode({ alg: 'RS256', x5u: 'https://evil.example' })}.${payload}.${signature}`,
      'embedded-key',
    ],
    ['a certificate', `${encode({ alg: 'RS256', x5c: ['MII'] })}.${payload}.${signature}`, 'embedded-key'],
    ['critical extensions', `${encode({ alg: 'RS256', crit: ['exp'] })}.${payload}.${signature}`, 'critical'],
    ['an unencoded payload', `${encode({ alg: 'RS256', b64: false })}.${payload}.${signature}`, 'critical'],
    ['compression', `${encode({ alg: 'RS256', zip: 'DEF' })}.${payload}.${signature}`, 'critical'],
    [
      'a key id that is a list',
      `${encode({ alg: 'RS256', kid: ['k'] })}.${payload}.${signature}`,
      'bad-header',
    ],
    [
      'a key id without end',
      `${encode({ alg: 'RS256', kid: 'k'.repeat(257) })}.${payload}.${signature}`,
      'bad-header',
    ],
    ['claims that are no JSON', `${header}.${encode('iss')}.${signature}`, 'bad-claims'],
    ['claims that are a text', `${header}.${encode('"iss"')}.${signature}`, 'bad-claims'],
    ['a claim twice', `${header}.${encode('{"sub":"alice","sub":"bob"}')}.${signature}`, 'duplicate-claim'],
    [
      'a claim twice in other spelling',
      `${header}.${encode('{"sub":"alice","s\\u0075b":"bob"}')}.${signature}`,
      'duplicate-claim',
    ],
    [
      'a claim twice within a claim',
      `${header}.${encode('{"a":[{"b":1,"b":2}]}')}.${signature}`,
      'duplicate-claim',
    ],
    [
      'claims without end',
      `${header}.${encode(`{"a":${'['.repeat(2000)}${']'.repeat(2000)}}`)}.${signature}`,
      'bad-claims',
    ],
  ])('is refused when it has %s', (_what, token, reason) => {
    expect(parseToken(token)).toBe(reason);
  });

  it('never throws, and is taken only in the spelling that its parts encode to', () => {
    const part = fc.oneof(
      fc.base64String(),
      fc.string(),
      fc.jsonValue().map((value) => encode(JSON.stringify(value))),
      fc.constantFrom(header, payload, signature, encode({ alg: 'ES256' })),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 5 }), fc.constantFrom('.', '..', ' .', '=.'), (parts, dot) => {
        const token = parts.join(dot);
        const parsed = parseToken(token);
        if (typeof parsed === 'string') return;
        const pieces = token.split('.');
        expect(pieces).toHaveLength(3);
        for (const piece of pieces) expect(encode(Buffer.from(piece, 'base64url'))).toBe(piece);
      }),
      { numRuns: 2_000 },
    );
  });
});
