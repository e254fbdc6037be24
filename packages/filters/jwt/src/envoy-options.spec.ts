import { CONTINUE, defineHttpFilter, DYNAMIC_METADATA } from '@tulle/filter';
import type { FilterConfigs, JwtFilterConfig } from '@tulle/model';
import { jsonSchema } from '@tulle/schema';
import { runChain, type TestRequest } from '@tulle/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { provider, testIssuer, NOW, type TestIssuer } from '../tests/issuer.ts';
import { jwt } from './index.ts';

let issuer: TestIssuer;
beforeAll(async () => {
  issuer = await testIssuer();
});

/** Shows what is known of tokens. */
const shows = defineHttpFilter<object>({
  apiVersion: 1,
  id: 'tulle-filter-shows',
  config: jsonSchema<object>({ type: 'object' }),
  create: () => ({
    requestHeaders(stream) {
      stream.request.headers.set('x-known', JSON.stringify(stream.get(DYNAMIC_METADATA) ?? null));
      return CONTINUE;
    },
  }),
});

async function ask(
  config: Partial<JwtFilterConfig>,
  token: string | undefined,
  { request, filterConfigs }: { request?: TestRequest; filterConfigs?: FilterConfigs } = {},
) {
  const result = await runChain({
    filters: [jwt({ providers: [provider(issuer)], ...config }, { name: 'jwt' }), shows({})],
    request: {
      ...request,
      headers: {
        ...(request?.headers as object),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
    },
    ...(filterConfigs && { filterConfigs }),
  });
  const sent = result.upstreamRequests[0];
  return {
    status: result.response?.status,
    body: result.response?.body,
    challenge: result.response?.header('www-authenticate'),
    known: sent && (JSON.parse(sent.header('x-known') ?? 'null') as unknown),
    sent,
  };
}

describe('a token that is no good', () => {
  it('counts as none where that is allowed, and goes on as it came', async () => {
    const { status, sent, known } = await ask(
      {
        providers: [provider(issuer, { metadata: { failure: 'failed' } })],
        requires: { any: [{ provider: 'main' }, { allowFailed: true }] },
      },
      'a.b.c',
    );
    expect(status).toBe(200);
    expect(sent?.header('authorization')).toBe('Bearer a.b.c');
    expect(known).toEqual({
      'envoy.filters.http.jwt_authn': {
        failed: { code: expect.any(Number) as number, message: expect.stringMatching(/^Jwt/) as string },
      },
    });
  });

  it('is still no token of a provider that is required', async () => {
    expect(
      (await ask({ requires: { all: [{ provider: 'main' }, { allowFailed: true }] } }, 'a.b.c')).status,
    ).toBe(401);
  });

  it('is not looked at where nothing is looked for', async () => {
    const { status, sent } = await ask({ requires: { ignore: true } }, 'a.b.c');
    expect([status, sent?.header('authorization')]).toEqual([200, 'Bearer a.b.c']);
  });

  it('is refused without a word where that is asked for', async () => {
    expect(await ask({ silentRefusals: true }, 'a.b.c')).toMatchObject({
      status: 401,
      body: '',
      challenge: undefined,
    });
  });
});

describe('a good token', () => {
  it('is known to other filters by the names that the provider gives', async () => {
    const token = await issuer.token({ scope: 'read write' });
    const metadata = { payload: 'claims', wordLists: ['scope'], header: 'head' };
    const { known } = await ask({ providers: [provider(issuer, { metadata })] }, token);
    expect(known).toMatchObject({
      'envoy.filters.http.jwt_authn': {
        claims: { sub: 'alice', scope: ['read', 'write'] },
        head: { alg: 'ES256', kid: 'key-1' },
      },
    });
  });

  it('has its payload padded where that is asked for', async () => {
    const token = await issuer.token({ pad: 'x' });
    const options = { payloadHeader: 'x-payload', payloadHeaderPadded: true };
    const { sent } = await ask({ providers: [provider(issuer, options)] }, token);
    const payload = sent?.header('x-payload') ?? '';
    expect(payload.length % 4).toBe(0);
    expect(payload.replaceAll('=', '')).toBe(token.split('.')[1]);
  });

  it('must name a subject that matches, and live no longer than it may', async () => {
    const subjects = {
      providers: [provider(issuer, { subjects: { kind: 'prefix', value: 'al' } as const })],
    };
    expect((await ask(subjects, await issuer.token())).status).toBe(200);
    expect((await ask(subjects, await issuer.token({ sub: 'bob' }))).status).toBe(401);
    const short = { providers: [provider(issuer, { maxLifetimeMs: 60_000 })] };
    expect((await ask(short, await issuer.token({ iat: NOW, exp: NOW + 60 }))).status).toBe(200);
    expect((await ask(short, await issuer.token({ iat: NOW, exp: NOW + 61 }))).status).toBe(401);
    expect((await ask(short, await issuer.token({ exp: NOW + 61 }))).status).toBe(401);
    // What is left of it counts, not what it had.
    expect((await ask(short, await issuer.token({ iat: NOW - 600, exp: NOW + 60 }))).status).toBe(200);
  });
});

it("a browser's preflight passes without a token where that is asked for", async () => {
  const request: TestRequest = {
    method: 'OPTIONS',
    headers: { origin: 'https://a.example', 'access-control-request-method': 'GET' },
  };
  expect((await ask({ bypassPreflight: true }, undefined, { request })).status).toBe(200);
  expect((await ask({}, undefined, { request })).status).toBe(401);
  expect((await ask({ bypassPreflight: true }, undefined, { request: { method: 'OPTIONS' } })).status).toBe(
    401,
  );
});

describe('a route', () => {
  const requirements = { open: { ignore: true }, closed: { provider: 'main' } } as const;

  it('names a requirement of the chain', async () => {
    const at = (requirement: string) => ({ filterConfigs: { jwt: { requirement } } });
    expect((await ask({ requirements }, undefined, at('open'))).status).toBe(200);
    expect((await ask({ requirements, requires: { ignore: true } }, undefined, at('closed'))).status).toBe(
      401,
    );
  });

  it('that names another one is refused when it is configured', async () => {
    await expect(
      ask({ requirements }, undefined, { filterConfigs: { jwt: { requirement: 'ajar' } } }),
    ).rejects.toThrow(/no requirement of the chain is named "ajar"; it has open, closed/);
  });
});
