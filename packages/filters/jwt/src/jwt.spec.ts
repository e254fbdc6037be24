import { createPublicKey, type KeyObject } from 'node:crypto';
import {
  CONTINUE,
  defineHttpFilter,
  VERIFIED_TOKENS,
  type HttpFilterUse,
  type VerifiedToken,
} from '@tulle/filter';
import type { JwtFilterConfig, JwtProvider, JwtRequirement } from '@tulle/model';
import { jsonSchema } from '@tulle/schema';
import { runChain, type ChainRun, type TestRequest } from '@tulle/testkit';
import { describe, expect, it } from 'vitest';
import { proxyWith, route } from '../tests/chain.ts';
import { encode, hmacToken, ISSUER, NOW, provider, soundClaims, testIssuer } from '../tests/issuer.ts';
import { jwt, NOTE_PASSED, NOTE_REFUSED } from './index.ts';

const issuer = await testIssuer();
const rsa = await testIssuer('rsa-1', 'RS256');
const other = await testIssuer('key-1');
const good = await issuer.token();

/** Shows what the jwt filter handed on. */
function looker(seen: (readonly VerifiedToken[] | undefined)[]): HttpFilterUse {
  return defineHttpFilter({
    apiVersion: 1,
    id: 'looker',
    config: jsonSchema<object>({ type: 'object', additionalProperties: false }),
    requires: [VERIFIED_TOKENS],
    create: () => ({
      requestHeaders(stream) {
        seen.push(stream.get(VERIFIED_TOKENS));
        return CONTINUE;
      },
    }),
  })({});
}

/** The filter, reporting whether it answered at once. */
function watched(config: JwtFilterConfig, waited: boolean[]): HttpFilterUse {
  return defineHttpFilter({
    ...jwt.definition,
    async create(host, parsed) {
      const hooks = await jwt.definition.create(host, parsed);
      return {
        ...hooks,
        requestHeaders(stream, inForce, state) {
          const result = hooks.requestHeaders?.(stream, inForce, state) ?? CONTINUE;
          waited.push(typeof result === 'object');
          return result;
        },
      };
    },
  })(config, { name: 'jwt' });
}

const bearer = (token: string, more: Readonly<Record<string, string>> = {}): TestRequest => ({
  headers: { authorization: `Bearer ${token}`, ...more },
});

async function ask(
  config: JwtFilterConfig,
  request: TestRequest | readonly TestRequest[],
  run: Partial<ChainRun> = {},
) {
  const tokens: (readonly VerifiedToken[] | undefined)[] = [];
  const waited: boolean[] = [];
  const result = await runChain({
    filters: [watched(config, waited), looker(tokens)],
    request,
    ...run,
  });
  return {
    ...result,
    tokens,
    waited,
    statuses: result.responses.map(({ status }) => status),
    details: result.records.map(({ details }) => details),
  };
}

const main = (change: Partial<JwtProvider> = {}): JwtFilterConfig => ({
  providers: [provider(issuer, change)],
});

describe('a request', () => {
  it('with a good token passes; later filters get the claims, the service does not get the token', async () => {
    const { response, tokens, upstreamRequests, record, meter } = await ask(main(), bearer(good));
    expect(response?.status).toBe(200);
    expect(tokens[0]).toEqual([
      {
        provider: 'main',
        issuer: ISSUER,
        subject: 'alice',
        principal: `${ISSUER}/alice`,
        audiences: ['shop'],
        presenter: undefined,
        claims: soundClaims(),
      },
    ]);
    expect(upstreamRequests[0]?.header('authorization')).toBe(undefined);
    expect(record?.notes.join()).toContain([NOTE_PASSED, 1].join());
    expect(meter.value('tulle_filter_jwt_passed_total')).toBe(1);
  });

  it('without a token gets 401 with a bare challenge, whether a route matches or not', async () => {
    const { statuses, responses, records, upstreamRequests, meter } = await ask(
      main(),
      [{ path: '/known' }, { path: '/unknown' }],
      { routes: [route('/known')] },
    );
    expect(statuses).toEqual([401, 401]);
    expect(responses[0]?.header('www-authenticate')).toBe('Bearer realm="test.example"');
    expect(records[0]).toMatchObject({
      code: 'TULLE_JWT_MISSING',
      details: 'jwt_authn_access_denied{Jwt_is_missing}',
    });
    expect(upstreamRequests).toEqual([]);
    expect(meter.value('tulle_filter_jwt_refused_total', { reason: 'missing' })).toBe(2);
  });

  it('with a bad token gets 401 with an error in the challenge, and a code, details, a count and a note', async () => {
    const { response, record, meter } = await ask(main(), bearer(await issuer.token({ exp: NOW - 60 })));
    expect(response?.status).toBe(401);
    expect(response?.header('www-authenticate')).toBe('Bearer realm="test.example", error="invalid_token"');
    expect(response?.body).not.toContain('expired');
    expect(record).toMatchObject({
      code: 'TULLE_JWT_INVALID',
      details: 'jwt_authn_access_denied{Jwt_is_expired}',
    });
    expect(record?.notes.join()).toContain([NOTE_REFUSED, 12].join());
    expect(meter.value('tulle_filter_jwt_refused_total', { reason: 'expired' })).toBe(1);
  });
});

const publicPem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();
const rsaPublic = createPublicKey({ key: { ...rsa.jwk }, format: 'jwk' });

describe('an attacker is refused with', () => {
  const [header = '', payload = '', signature = ''] = good.split('.');
  const changed = encode({ ...soundClaims(), sub: 'root' });
  it.each<[string, string | Promise<string>, string, Partial<JwtProvider>?]>([
    ['alg none', `${encode({ alg: 'none' })}.${payload}.`, 'algorithm'],
    [
      'alg none and a signature',
      `${encode({ alg: 'none', kid: 'key-1' })}.${payload}.${signature}`,
      'algorithm',
    ],
    ['an empty signature', `${header}.${payload}.`, 'malformed'],
    ['other claims under the signature', `${header}.${changed}.${signature}`, 'signature'],
    ['a signature of zeros', `${header}.${payload}.${encode(Buffer.alloc(64))}`, 'signature'],
    [
      'a signature in DER',
      `${header}.${payload}.${encode(Buffer.from('3006020101020101', 'hex'))}`,
      'signature',
    ],
    ["another issuer's key of the same id", other.token(), 'signature'],
    ['two signatures', `${good}.${signature}`, 'malformed'],
    ['padding', `${good}=`, 'malformed'],
    ['64 KiB', issuer.token({ junk: 'x'.repeat(49_152) }), 'too-large'],
    ['another type of key', rsa.token({}, { kid: 'key-1' }), 'unknown-key'],
    [
      'another algorithm of the same family',
      `${encode({ alg: 'ES384', kid: 'key-1' })}.${payload}.${signature}`,
      'unknown-key',
    ],
    [
      'an algorithm that is not allowed',
      good,
      'algorithm',
      { algorithms: ['RS256', 'EdDSA'], jwks: { keys: [{ ...rsa.jwk }] } },
    ],
    ['an unknown key', issuer.token({}, { kid: 'key-2' }), 'unknown-key'],
    ['a key id that is a path', issuer.token({}, { kid: '../../dev/null' }), 'unknown-key'],
    ['a key id that is a query', issuer.token({}, { kid: "key-1' OR '1'='1" }), 'unknown-key'],
    ['a key id of the prototype', issuer.token({}, { kid: '__proto__' }), 'unknown-key'],
    ['an empty key id', issuer.token({}, { kid: '' }), 'unknown-key'],
    ['an empty secret', hmacToken('', { alg: 'HS256', kid: 'key-1' }, soundClaims()), 'algorithm'],
    [
      'the public key as a shared secret (PEM)',
      hmacToken(publicPem(rsaPublic), { alg: 'HS256', kid: 'rsa-1' }, soundClaims()),
      'algorithm',
      { jwks: { keys: [{ ...rsa.jwk }] } },
    ],
    [
      'the public key as a shared secret, although secrets are allowed too',
      hmacToken(publicPem(rsaPublic), { alg: 'HS256', kid: 'rsa-1' }, soundClaims()),
      'unknown-key',
      { jwks: { keys: [{ ...rsa.jwk }] }, algorithms: ['RS256', 'HS256'] },
    ],
    [
      'the public key as a shared secret (JWK text)',
      hmacToken(JSON.stringify(rsa.jwk), { alg: 'HS256' }, soundClaims()),
      'unknown-key',
      { jwks: { keys: [{ ...rsa.jwk }] }, algorithms: ['RS256', 'HS256'] },
    ],
    ['an expired token', issuer.token({ exp: NOW - 60 }), 'expired'],
    ['a token from the future', issuer.token({ nbf: NOW + 61 }), 'not-yet-valid'],
    ['a token without end', issuer.token({ exp: undefined }), 'no-expiration'],
    ['an end that is a text', issuer.token({ exp: String(NOW + 60) }), 'bad-claims'],
    [
      'an end that is no number',
      `${header}.${encode(`{"iss":"${ISSUER}","exp":1e999}`)}.${signature}`,
      'bad-claims',
    ],
    ['a start that is a list', issuer.token({ nbf: [] }), 'bad-claims'],
    ['a subject that is an object', issuer.token({ sub: {} }), 'bad-claims'],
    ['another issuer', issuer.token({ iss: 'https://evil.example' }), 'issuer'],
    ['an issuer with a slash more', issuer.token({ iss: `${ISSUER}/` }), 'issuer'],
    ['no issuer', issuer.token({ iss: undefined }), 'issuer'],
    ['issuers as a list', issuer.token({ iss: [ISSUER] }), 'issuer'],
    ['another audience', issuer.token({ aud: 'bank' }), 'audience'],
    ['another audience among others', issuer.token({ aud: ['bank', 'shop2'] }), 'audience'],
    ['no audience', issuer.token({ aud: undefined }), 'audience'],
    ['an audience that is a number', issuer.token({ aud: 7 }), 'bad-claims'],
    [
      'duplicate claims',
      `${header}.${encode(`{"iss":"${ISSUER}","exp":${NOW + 9},"sub":"a","sub":"b"}`)}.${signature}`,
      'duplicate-claim',
    ],
  ])('%s', async (_what, token, reason, change) => {
    const { statuses, upstreamRequests, meter, log } = await ask(main(change), bearer(await token), {
      handler: { maxRequestHeadersBytes: 131_072 },
    });
    expect(meter.value('tulle_filter_jwt_refused_total', { reason })).toBe(1);
    expect(statuses).toEqual([401]);
    expect(upstreamRequests).toEqual([]);
    expect(log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it.each(['jwk', 'jku', 'x5u', 'x5c', 'crit'])('a header with %s, signed by itself', async (parameter) => {
    const own = await testIssuer('own');
    const values: Record<string, unknown> = {
      jwk: own.jwk,
      jku: 'https://evil.example/jwks',
      x5u: 'https://evil.example/cert',
      x5c: ['MIIB'],
      crit: ['exp'],
    };
    const [, payload = ''] = good.split('.');
    const signed = `${encode({ alg: 'ES256', [parameter]: values[parameter] })}.${payload}`;
    const token = `${signed}.${encode(Buffer.alloc(64, 1))}`;
    const { statuses, meter } = await ask(main(), bearer(token));
    expect(statuses).toEqual([401]);
    expect(
      meter.value('tulle_filter_jwt_refused_total', {
        reason: parameter === 'crit' ? 'critical' : 'embedded-key',
      }),
    ).toBe(1);
  });

  it.each<[string, TestRequest]>([
    [
      'two lines',
      {
        headers: [
          ['authorization', `Bearer ${good}`],
          ['authorization', `Bearer ${good}`],
        ],
      },
    ],
    [
      'a line of another scheme',
      {
        headers: [
          ['authorization', 'Basic YTpi'],
          ['authorization', `Bearer ${good}`],
        ],
      },
    ],
    ['header and query', { ...bearer(good), path: `/?access_token=${good}` }],
    ['header and cookie', bearer(good, { cookie: `session=${good}` })],
    ['query twice', { path: `/?access_token=${good}&access%5Ftoken=x` }],
  ])('tokens in two places: %s', async (_what, request) => {
    const { statuses, upstreamRequests, meter } = await ask(
      main({ from: [{ header: 'authorization' }, { query: 'access_token' }, { cookie: 'session' }] }),
      request,
    );
    expect(statuses).toEqual([401]);
    expect(upstreamRequests).toEqual([]);
    expect(meter.value('tulle_filter_jwt_refused_total', { reason: 'several-tokens' })).toBe(1);
  });

  it('lists in one header line', async () => {
    expect((await ask(main(), bearer(`${good}, Bearer ${good}`))).statuses).toEqual([401]);
  });
});

describe('a token', () => {
  it.each<[string, Record<string, unknown>, number]>([
    ['just within the skew after its end', { exp: NOW - 59 }, 200],
    ['just within the skew before its start', { nbf: NOW + 60 }, 200],
    ['of several audiences', { aud: ['bank', 'shop'] }, 200],
    ['without subject', { sub: undefined }, 200],
  ])('%s: %o → %i', async (_what, claims, status) => {
    expect((await ask(main(), bearer(await issuer.token(claims)))).statuses).toEqual([status]);
  });

  it('of every asymmetric algorithm is verified, and of a shared secret where that is said', async () => {
    for (const algorithm of ['RS256', 'PS384', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']) {
      const one = await testIssuer('k', algorithm);
      const statuses = async (change: Partial<JwtProvider>): Promise<number[]> =>
        (await ask({ providers: [provider(one, change)] }, bearer(await one.token()))).statuses;
      // Dear to verify, so it has to be named.
      if (algorithm === 'ES512') await expect(statuses({})).rejects.toThrow(/fits none of the algorithms/);
      expect(await statuses(algorithm === 'ES512' ? { algorithms: [algorithm] } : {}), algorithm).toEqual([
        200,
      ]);
    }
    const secret = Buffer.alloc(32, 7);
    const { statuses } = await ask(
      main({ algorithms: ['HS256'], jwks: { keys: [{ kty: 'oct', k: secret.toString('base64url') }] } }),
      [
        bearer(hmacToken(secret, { alg: 'HS256' }, soundClaims())),
        bearer(hmacToken('other', { alg: 'HS256' }, soundClaims())),
      ],
    );
    expect(statuses).toEqual([200, 401]);
  });

  it('without key id is tried with the keys that fit, and no more than four', async () => {
    const keys = await Promise.all([1, 2, 3, 4].map(async (n) => testIssuer(`other-${n}`)));
    const jwks = (list: typeof keys) => ({ jwks: { keys: list.map(({ jwk }) => ({ ...jwk })) } });
    const anonymous = await issuer.token({}, { kid: undefined });
    const third = await ask(main(jwks([...keys.slice(0, 2), rsa, issuer])), bearer(anonymous));
    expect(third.statuses).toEqual([200]);
    const fifth = await ask(main(jwks([...keys, issuer])), bearer(anonymous));
    expect(fifth.statuses).toEqual([401]);
  });

  it('is found in header, query and cookie, and removed from there; the rest stays', async () => {
    const { statuses, upstreamRequests } = await ask(
      main({
        from: [{ header: 'x-token', prefix: 'Token ' }, { query: 'access_token' }, { cookie: 'session' }],
      }),
      [
        { headers: { 'x-token': `Token ${good}` } },
        { path: `/a?b=1&access_token=${good}&c` },
        { headers: { cookie: `a=1; session=${good}; b=2` } },
      ],
    );
    expect(statuses).toEqual([200, 200, 200]);
    expect(JSON.stringify(upstreamRequests.map(({ target, headers }) => [target, headers]))).not.toContain(
      good,
    );
    expect(upstreamRequests[1]?.target).toBe('/a?b=1&c');
    expect(upstreamRequests[2]?.header('cookie')).toBe('a=1; b=2');
  });

  it('is forwarded where the provider says so', async () => {
    const { upstreamRequests } = await ask(main({ forward: true }), bearer(good));
    expect(upstreamRequests[0]?.header('authorization')).toBe(`Bearer ${good}`);
  });
});

describe('claims as headers', () => {
  const config = main({
    claimsToHeaders: [
      { claim: 'sub', header: 'X-User' },
      { claim: 'groups', header: 'x-group' },
      { claim: ['realm', 'level'], header: 'x-level' },
      { claim: 'name', header: 'x-name' },
      { claim: 'evil', header: 'x-evil' },
      { claim: 'object', header: 'x-object' },
    ],
    payloadHeader: 'x-payload',
  });

  it('carry what was verified, a line for each value, and nothing that could forge a line', async () => {
    const token = await issuer.token({
      groups: ['a', 'b, c', 7, true, {}],
      realm: { level: 3 },
      name: 'Zoë €',
      evil: 'a\r\nx-user: root',
      object: { a: 1 },
    });
    const { upstreamRequests } = await ask(config, bearer(token));
    const [request] = upstreamRequests;
    expect(request?.headerAll('x-user')).toEqual(['alice']);
    expect(request?.headerAll('x-group')).toEqual(['a', 'b, c', '7', 'true']);
    expect(request?.headerAll('x-level')).toEqual(['3']);
    expect(Buffer.from(request?.header('x-name') ?? '', 'latin1').toString()).toBe('Zoë €');
    expect(request?.header('x-evil')).toBe(undefined);
    expect(request?.header('x-object')).toBe(undefined);
    expect(JSON.parse(Buffer.from(request?.header('x-payload') ?? '', 'base64url').toString())).toMatchObject(
      {
        sub: 'alice',
      },
    );
  });

  it('never come from the client: its lines go, with a token, with a bad one and without', async () => {
    const forged = { 'X-USER': 'root', X_User: 'root', 'x-payload': 'e30', 'x-group': 'admin' };
    const { statuses, upstreamRequests } = await ask({ ...config, requires: { allowMissing: true } }, [
      bearer(good, forged),
      { headers: forged },
      bearer('x.y.z', forged),
    ]);
    expect(statuses).toEqual([200, 200, 401]);
    expect(upstreamRequests.map((request) => request.headerAll('x-user'))).toEqual([['alice'], []]);
    expect(upstreamRequests.map((request) => request.headerAll('x_user'))).toEqual([[], []]);
    expect(upstreamRequests.map((request) => request.headerAll('x-group'))).toEqual([[], []]);
    expect(upstreamRequests[1]?.headerAll('x-payload')).toEqual([]);
  });
});

describe('requirements', async () => {
  const second = await testIssuer('key-2');
  const secondToken = await second.token({ iss: 'https://second.example' });
  const config = (requires?: JwtRequirement): JwtFilterConfig => ({
    providers: [
      provider(issuer),
      provider(second, {
        name: 'second',
        issuer: 'https://second.example',
        from: [{ header: 'authorization' }, { header: 'x-second' }],
      }),
    ],
    ...(requires === undefined ? {} : { requires }),
  });
  const a = { provider: 'main' };
  const b = { provider: 'second' };
  const none: TestRequest = {};

  it.each<[string, JwtRequirement | undefined, TestRequest, number]>([
    ['default: any provider', undefined, bearer(good), 200],
    ['default: the other one', undefined, bearer(secondToken), 200],
    ['default: none is missing', undefined, none, 401],
    ['one provider', a, bearer(good), 200],
    ['one provider, token of the other', a, bearer(secondToken), 401],
    ['any', { any: [a, b] }, bearer(secondToken), 200],
    ['any, and a bad token beside', { any: [a, b] }, bearer(good, { 'x-second': 'bad' }), 401],
    ['all, one shown', { all: [a, b] }, bearer(good), 401],
    ['all', { all: [a, b] }, bearer(good, { 'x-second': secondToken }), 401],
    ['allow missing', { any: [a, { allowMissing: true }] }, none, 200],
    ['allow missing, a bad one', { any: [a, { allowMissing: true }] }, bearer('bad'), 401],
    [
      'allow missing, an expired one',
      { any: [a, { allowMissing: true }] },
      bearer(await issuer.token({ exp: 1 })),
      401,
    ],
    ['allow missing alone', { allowMissing: true }, bearer(good), 200],
    ['allow missing alone, a bad one', { allowMissing: true }, bearer('bad'), 401],
    ['narrowed audiences', { provider: 'main', audiences: ['shop'] }, bearer(good), 200],
    ['narrowed audiences, others', { provider: 'main', audiences: ['bank'] }, bearer(good), 401],
  ])('%s', async (_what, requires, request, status) => {
    expect((await ask(config(requires), request)).statuses).toEqual([status]);
  });

  it('all: tokens of two providers at places of their own', async () => {
    const both: JwtFilterConfig = {
      providers: [
        provider(issuer),
        provider(second, {
          name: 'second',
          issuer: 'https://second.example',
          from: [{ header: 'x-second' }],
        }),
      ],
      requires: { all: [a, b] },
    };
    const { statuses, tokens } = await ask(both, [
      bearer(good, { 'x-second': secondToken }),
      bearer(good, { 'x-second': secondToken }),
      bearer(good),
      { headers: { 'x-second': secondToken } },
      bearer(secondToken, { 'x-second': good }),
    ]);
    expect(statuses).toEqual([200, 200, 401, 401, 401]);
    expect(tokens.map((list) => list?.map((token) => token.provider))).toEqual([
      ['main', 'second'],
      ['main', 'second'],
    ]);
  });

  it('of a route replace those of the chain, and its rules', async () => {
    const { statuses } = await ask(
      {
        ...config(a),
        rules: [{ match: { path: { kind: 'exact', value: '/health' } }, requires: { allowMissing: true } }],
      },
      [
        { path: '/health' },
        { path: '/healthy' },
        { path: '/open' },
        { path: '/open', ...bearer(secondToken) },
        { path: '/second', ...bearer(secondToken) },
      ],
      {
        routes: [
          route('/open', { jwt: { requires: { allowMissing: true } } }),
          route('/second', { jwt: { requires: b } }),
          route('/'),
        ],
      },
    );
    expect(statuses).toEqual([200, 401, 200, 200, 200]);
  });

  it('of rules are chosen by path, method and header; the first that matches decides', async () => {
    const rules = [
      {
        match: { path: { kind: 'regex', value: '/v[0-9]+/open' }, method: 'GET' },
        requires: { allowMissing: true },
      },
      {
        match: { headers: [{ name: 'X-Open', match: { kind: 'exact', value: '1' } }] },
        requires: { allowMissing: true },
      },
    ] as const;
    const { statuses } = await ask({ ...config(a), rules }, [
      { path: '/v1/open' },
      { path: '/v1/open', method: 'POST' },
      { path: '/V1/open' },
      { path: '/x', headers: { 'x-open': '1' } },
    ]);
    expect(statuses).toEqual([200, 401, 401, 200]);
  });

  it.each<[string, JwtFilterConfig, RegExp]>([
    [
      'an unknown provider',
      config({ any: [a, { provider: 'mian' }] }),
      /\/requires\/any\/1\/provider no provider is named "mian"; there is main, second/,
    ],
    [
      'two providers of one name',
      { providers: [provider(issuer), provider(second)] },
      /\/providers\/1\/name "main" names two/,
    ],
    [
      'a rule with a wrong path',
      { ...config(a), rules: [{ match: { path: { kind: 'exact', value: 'x' } }, requires: a }] },
      /\/rules\/0\/match\/path/,
    ],
    [
      'a private key',
      main({ jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'x', y: 'y', d: 'd' }] } }),
      /\/providers\/0\/jwks\/keys\/0 .*private key/,
    ],
    [
      'a short key',
      main({ jwks: { keys: [{ kty: 'RSA', n: encode(Buffer.alloc(128, 255)), e: 'AQAB' }] } }),
      /1024 bits/,
    ],
    [
      'a broken key',
      main({ jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'AAAA', y: 'AAAA' }] } }),
      /cannot be used/,
    ],
    [
      'a secret that was not asked for',
      main({ jwks: { keys: [{ kty: 'oct', k: 'AAAA' }] } }),
      /shared secret/,
    ],
    [
      'a key for another use',
      main({ jwks: { keys: [{ ...issuer.jwk, use: 'enc' }] } }),
      /its use is not sig/,
    ],
    [
      'keys over plain text',
      main({ jwks: { url: 'http://issuer.example/jwks' } }),
      /\/jwks\/url .*use https/,
    ],
    [
      'a shared secret from afar',
      main({ algorithms: ['HS256'], jwks: { url: 'https://issuer.example/' } }),
      /\/algorithms/,
    ],
  ])('that cannot be met are refused with the configuration: %s', async (_what, wrong, message) => {
    await expect(ask(wrong, {})).rejects.toThrow(message);
  });

  it('of a route that name nobody are refused with the configuration', async () => {
    await expect(
      ask(config(a), {}, { filterConfigs: { jwt: { requires: { provider: 'nobody' } } } }),
    ).rejects.toThrow(/no provider is named "nobody"/);
  });
});

describe('a verified token', () => {
  it('is known again the next time; nothing waits where the keys are there', async () => {
    const { statuses, waited, meter, tokens } = await ask(main(), [
      bearer(good),
      bearer(good),
      // Another signature whatever this one is: a character that says six bits of it.
      bearer(`${good.slice(0, -10)}${good.at(-10) === 'A' ? 'B' : 'A'}${good.slice(-9)}`),
      bearer(good),
      {},
      bearer(await issuer.token({ exp: 1 })),
    ]);
    expect(statuses).toEqual([200, 200, 401, 200, 401, 401]);
    expect(waited).toEqual([false, false, false, false, false, false]);
    expect(meter.value('tulle_filter_jwt_cache_hits_total')).toBe(2);
    expect(meter.value('tulle_filter_jwt_cache_misses_total')).toBe(2);
    expect(tokens[1]).toBe(tokens[0]);
    expect(Object.isFrozen(tokens[0]?.[0]?.claims)).toBe(true);
  });

  it('is forgotten at its end, skew included', async () => {
    const waited: boolean[] = [];
    const test = await proxyWith([watched(main({ clockSkewMs: 5_000 }), waited)]);
    const short = await issuer.token({ exp: NOW + 10 });
    const status = async (): Promise<number> => (await test.client().request(bearer(short))).status;
    const statuses = [await status()];
    await test.clock.advance(14_999);
    statuses.push(await status());
    await test.clock.advance(1);
    statuses.push(await status());
    expect(statuses).toEqual([200, 200, 401]);
    expect(test.meter.value('tulle_filter_jwt_cache_hits_total')).toBe(1);
    expect(test.meter.value('tulle_filter_jwt_refused_total', { reason: 'expired' })).toBe(1);
    await test.stop();
  });

  it('gives way to newer ones past the bound, the one unused longest first', async () => {
    const tokens = await Promise.all(['a', 'b', 'c'].map(async (sub) => issuer.token({ sub })));
    const [a = '', b = '', c = ''] = tokens;
    const hits = async (max: number, order: readonly string[]): Promise<number> =>
      (
        await ask(
          main({ maxCachedTokens: max }),
          order.map((token) => bearer(token)),
        )
      ).meter.value('tulle_filter_jwt_cache_hits_total');
    const { meter } = await ask(
      main({ maxCachedTokens: 2 }),
      [a, b, c].map((token) => bearer(token)),
    );
    expect(meter.value('tulle_filter_jwt_cache_evicted_total', { provider: 'main' })).toBe(1);
    expect(await hits(2, [a, b, a, c])).toBe(1);
    expect(await hits(2, [a, b, a, c, a])).toBe(2);
    expect(await hits(2, [a, b, a, c, b])).toBe(1);
    expect(await hits(0, [a, a])).toBe(0);
  });
});
