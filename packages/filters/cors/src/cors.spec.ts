import type { CorsFilterConfig, CorsOverride } from '@tulle/model';
import { runChain, type ChainRun, type TestRequest } from '@tulle/testkit';
import fc from 'fast-check';
import { CONTINUE, defineHttpFilter, type HttpFilterUse } from '@tulle/filter';
import { jsonSchema } from '@tulle/schema';
import { describe, expect, it } from 'vitest';
import { cors, NOTE_ORIGIN, NOTE_PREFLIGHT } from './index.ts';

const SHOP = 'https://shop.example';
const from = (origin: string, more: Partial<TestRequest> = {}): TestRequest => ({
  ...more,
  headers: { origin },
});
const preflight = (origin: string, method = 'PUT', headers = ''): TestRequest => ({
  method: 'OPTIONS',
  headers: {
    origin,
    'access-control-request-method': method,
    ...(headers === '' ? {} : { 'access-control-request-headers': headers }),
  },
});

/** Refuses everybody, as authentication would. */
const closed: HttpFilterUse = defineHttpFilter({
  apiVersion: 1,
  id: 'closed',
  config: jsonSchema<object>({ type: 'object' }),
  create: () => ({
    requestHeaders: (stream) => (stream.request.path === '/open' ? CONTINUE : stream.reply(401, 'X_CLOSED')),
  }),
})({});

async function ask(config: CorsFilterConfig, request: TestRequest, run: Partial<ChainRun> = {}) {
  const result = await runChain({ filters: [cors(config, { name: 'cors' })], request, ...run });
  const named = (result.response?.headers ?? []).filter(
    ([name]) => name.startsWith('access-control-') || name === 'vary',
  );
  return { ...result, cors: Object.fromEntries(named) };
}

describe('a preflight', () => {
  it('from a listed origin is answered before anybody asks who calls, and never reaches the service', async () => {
    const {
      response,
      cors: fields,
      upstreamRequests,
      record,
      meter,
    } = await ask(
      {
        allowOrigins: [SHOP],
        allowMethods: ['PUT', 'DELETE'],
        allowHeaders: ['X-A', 'content-type'],
        maxAgeSeconds: 600,
      },
      preflight(SHOP, 'PUT', 'x-a'),
      {
        filters: [
          cors({
            allowOrigins: [SHOP],
            allowMethods: ['PUT', 'DELETE'],
            allowHeaders: ['X-A', 'content-type'],
            maxAgeSeconds: 600,
          }),
          closed,
        ],
      },
    );
    expect(response).toMatchObject({ status: 204, body: '' });
    expect(fields).toEqual({
      'access-control-allow-origin': SHOP,
      'access-control-allow-methods': 'PUT, DELETE',
      'access-control-allow-headers': 'X-A, content-type',
      'access-control-max-age': '600',
      vary: 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers',
    });
    expect(upstreamRequests).toEqual([]);
    expect(record).toMatchObject({ code: 'TULLE_LOCAL_REPLY', details: 'cors_preflight' });
    expect(record?.notes.join()).toContain([NOTE_PREFLIGHT, 1].join());
    expect(meter.value('tulle_filter_cors_preflights_total', { result: 'allowed' })).toBe(1);
  });

  it.each(['https://evil.example', 'null', 'https://shop.example.evil', ''])(
    'from %s, which is not listed, is answered without a permission',
    async (origin) => {
      const {
        response,
        cors: fields,
        upstreamRequests,
        meter,
      } = await ask({ allowOrigins: [SHOP], allowMethods: ['*'], allowCredentials: true }, preflight(origin));
      expect(response?.status).toBe(204);
      expect(Object.keys(fields)).toEqual(['vary']);
      expect(upstreamRequests).toEqual([]);
      expect(meter.value('tulle_filter_cors_preflights_total', { result: 'refused' })).toBe(1);
    },
  );

  it.each<[string, Partial<CorsFilterConfig>, Record<string, string | undefined>]>([
    ['every origin', { allowOrigins: ['*'] }, { origin: '*' }],
    [
      'every origin, with credentials',
      { allowOrigins: ['*'], allowCredentials: true },
      { origin: SHOP, credentials: 'true' },
    ],
    ['every method', { allowMethods: ['*'] }, { methods: '*' }],
    ['every method, with credentials', { allowMethods: ['*'], allowCredentials: true }, { methods: 'PUT' }],
    ['every header', { allowHeaders: ['*'] }, { headers: '*' }],
    [
      'every header, with credentials',
      { allowHeaders: ['*'], allowCredentials: true },
      { headers: 'x-b, x-a' },
    ],
    ['no method, no header', {}, { methods: undefined, headers: undefined }],
  ])('may be for %s', async (_what, change, expected) => {
    const { cors: fields } = await ask(
      { allowOrigins: [SHOP], ...change },
      preflight(SHOP, 'PUT', 'x-b, x-a'),
    );
    for (const [name, value] of Object.entries(expected))
      expect(
        fields[
          `access-control-${name === 'origin' || name === 'methods' || name === 'headers' || name === 'credentials' ? `allow-${name}` : name}`
        ],
      ).toBe(value);
    expect(fields['access-control-max-age']).toBe('5');
  });

  it('gets nothing back that is no list of names', async () => {
    const { cors: fields } = await ask(
      { allowOrigins: [SHOP], allowHeaders: ['*'], allowMethods: ['*'], allowCredentials: true },
      preflight(SHOP, 'PUT"<script>', 'x-a; <script>'),
    );
    expect(fields['access-control-allow-headers']).toBe(undefined);
    expect(fields['access-control-allow-methods']).toBe(undefined);
  });

  it('is no OPTIONS of another kind: that goes to the service', async () => {
    for (const request of [
      from(SHOP, { method: 'OPTIONS' }),
      { method: 'OPTIONS', headers: { 'access-control-request-method': 'PUT' } },
    ]) {
      const { upstreamRequests } = await ask({ allowOrigins: [SHOP] }, request);
      expect(upstreamRequests).toHaveLength(1);
    }
  });
});

describe('a response', () => {
  const lying: ChainRun['upstream'] = () => ({
    headers: {
      'access-control-allow-origin': 'https://evil.example',
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': 'x-secret',
      'access-control-allow-headers': '*',
      'x-one': '1',
      'set-cookie': 'a=1',
    },
    body: 'ok',
  });

  it('names the origin that is listed, and what scripts may read', async () => {
    const { cors: fields, record } = await ask(
      { allowOrigins: [SHOP], allowCredentials: true, exposeHeaders: ['X-One'] },
      from(SHOP),
      { upstream: lying },
    );
    expect(fields).toEqual({
      'access-control-allow-origin': SHOP,
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': 'X-One',
      vary: 'Origin',
    });
    expect(record?.notes.join()).toContain([NOTE_ORIGIN, 1].join());
  });

  it.each(['https://evil.example', 'null', undefined])(
    'names no origin to %s, whatever the service says, and a cache is told that it depends',
    async (origin) => {
      const { response, cors: fields } = await ask(
        { allowOrigins: [SHOP], allowCredentials: true },
        origin === undefined ? {} : from(origin),
        { upstream: lying },
      );
      expect(response?.status).toBe(200);
      expect(fields).toEqual({ vary: 'Origin' });
    },
  );

  it('names none to a request with two origins', async () => {
    const { cors: fields } = await ask(
      { allowOrigins: [SHOP] },
      {
        headers: [
          ['origin', SHOP],
          ['origin', SHOP],
        ],
      },
      { upstream: lying },
    );
    expect(fields).toEqual({ vary: 'Origin' });
  });

  it('is the same for everybody where everybody may read it, and caches are not told otherwise', async () => {
    const { cors: fields } = await ask(
      { allowOrigins: ['*'], exposeHeaders: ['*'] },
      from('https://any.example'),
      {
        upstream: lying,
      },
    );
    expect(fields).toEqual({ 'access-control-allow-origin': '*', 'access-control-expose-headers': '*' });
  });

  it('with credentials exposes every header by name, but no cookie', async () => {
    const { cors: fields } = await ask(
      { allowOrigins: ['*'], exposeHeaders: ['*'], allowCredentials: true },
      from(SHOP),
      { upstream: lying },
    );
    expect(fields['access-control-allow-origin']).toBe(SHOP);
    expect(fields['access-control-expose-headers']?.split(', ')).toContain('x-one');
    expect(fields['access-control-expose-headers']).not.toMatch(/set-cookie|access-control/);
  });

  it.each([
    ['Accept-Encoding', ['Accept-Encoding', 'Origin']],
    ['accept, ORIGIN', ['accept, ORIGIN']],
    ['*', ['*']],
  ])('keeps Vary: %s', async (vary, expected) => {
    const { response } = await ask({ allowOrigins: [SHOP] }, from(SHOP), {
      upstream: () => ({ headers: { vary }, body: 'ok' }),
    });
    expect(response?.headerAll('vary')).toEqual(expected);
  });

  it('is marked when another filter answers, and when no route matches, so that the page learns of it', async () => {
    const refused = await runChain({
      filters: [cors({ allowOrigins: [SHOP] }), closed],
      request: from(SHOP),
    });
    expect(refused.response).toMatchObject({ status: 401 });
    expect(refused.response?.header('access-control-allow-origin')).toBe(SHOP);
    const unrouted = await ask({ allowOrigins: [SHOP] }, from(SHOP), { routes: [] });
    expect(unrouted.response?.status).toBe(404);
    expect(unrouted.cors['access-control-allow-origin']).toBe(SHOP);
  });

  it('never names an origin that is not listed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.webUrl().map((url) => new URL(url).origin),
          fc.stringMatching(/^[!-~]{0,30}$/),
        ),
        fc.boolean(),
        async (origin, isPreflight) => {
          const { cors: fields } = await ask(
            { allowOrigins: [SHOP, 'https://*.shop.example'], allowCredentials: true },
            isPreflight ? preflight(origin) : from(origin),
            { upstream: lying },
          );
          const named = fields['access-control-allow-origin'];
          expect(named === undefined || /^https:\/\/(.+\.)?shop\.example$/.test(named)).toBe(true);
        },
      ),
      { numRuns: 50 },
    );
  });
});

it("a route's policy replaces the chain's, and null removes it", async () => {
  const config: CorsFilterConfig = { allowOrigins: [SHOP] };
  const other = await ask(config, from('https://other.example'), {
    filterConfigs: { cors: { allowOrigins: ['https://other.example'] } },
  });
  expect(other.cors['access-control-allow-origin']).toBe('https://other.example');
  const none = await ask(config, preflight(SHOP), { filterConfigs: { cors: null } });
  expect(none.upstreamRequests).toHaveLength(1);
  const off = await ask({ allowOrigins: [] }, preflight(SHOP));
  expect(off.upstreamRequests).toHaveLength(1);
});

it.each([
  'shop.example',
  'https://shop.example/',
  'https://shop.example/path',
  'https://*shop.example',
  'https://a.*.example',
  'https://user@shop.example',
  'null',
  'https://',
  'https://shop.example:',
  'https://shop..example',
])('refuses %s as an origin', async (origin) => {
  await expect(ask({ allowOrigins: [origin] }, {})).rejects.toThrow(/allowOrigins\/0/);
});

describe('as Envoy has it', () => {
  const run = (config: Partial<CorsFilterConfig>, method: string, origin: string, more: object = {}) =>
    runChain({
      filters: [cors({ allowOrigins: ['https://a.example'], ...config }, { name: 'cors' })],
      request: {
        method,
        headers: {
          origin,
          ...(method === 'OPTIONS' && {
            'access-control-request-method': 'PUT',
            'access-control-request-private-network': 'true',
          }),
        },
      },
      upstream: () => ({ headers: { 'access-control-allow-origin': 'https://b.example' } }),
      ...more,
    });

  it('origins may match patterns', async () => {
    const config = {
      allowOrigins: [],
      allowOriginMatches: [{ kind: 'regex', value: 'https://[a-z]+[.]example' } as const],
    };
    const one = await run(config, 'GET', 'https://x.example');
    expect(one.response?.header('access-control-allow-origin')).toBe('https://x.example');
    const other = await run(config, 'GET', 'https://x.example.evil');
    expect(other.response?.header('access-control-allow-origin')).toBeUndefined();
  });

  it('a pattern that a star fulfils is for every origin', async () => {
    const config = { allowOrigins: [], allowOriginMatches: [{ kind: 'prefix', value: '*' } as const] };
    const { response } = await run(config, 'GET', 'https://x.example');
    expect(response?.header('access-control-allow-origin')).toBe('https://x.example');
  });

  it("what others get is the service's affair where that is asked for", async () => {
    const config = { forwardUnlisted: true };
    const preflight = await run(config, 'OPTIONS', 'https://b.example');
    expect(preflight.upstreamRequests).toHaveLength(1);
    expect(preflight.response?.header('access-control-allow-origin')).toBe('https://b.example');
    const listed = await run(config, 'OPTIONS', 'https://a.example');
    expect(listed.upstreamRequests).toEqual([]);
    const answer = await run(config, 'GET', 'https://a.example');
    expect(answer.response?.header('access-control-allow-origin')).toBe('https://a.example');
  });

  it('a private network is for pages of listed origins, where that is asked for', async () => {
    const asked = async (config: Partial<CorsFilterConfig>) =>
      (await run(config, 'OPTIONS', 'https://a.example')).response?.header(
        'access-control-allow-private-network',
      );
    expect([await asked({}), await asked({ allowPrivateNetwork: true })]).toEqual([undefined, 'true']);
  });

  it('a share of the requests may be looked at', async () => {
    const left = await run({ percent: 50 }, 'OPTIONS', 'https://a.example', { random: () => 0.5 });
    expect(left.upstreamRequests).toHaveLength(1);
  });
});

describe('a policy of a route', () => {
  const base: CorsFilterConfig = {
    allowOrigins: [SHOP],
    allowMethods: ['PUT'],
    allowHeaders: ['x-a'],
    maxAgeSeconds: 600,
    forwardUnlisted: true,
  };
  const told = async (override: CorsOverride, origin = SHOP): Promise<Record<string, string>> => {
    const { cors: fields } = await ask(base, preflight(origin), { filterConfigs: { cors: override } });
    return fields;
  };
  const OTHER = 'https://other.example';

  it('stands in place of the one around it, whole', async () => {
    expect(await told({ allowOrigins: [OTHER] }, OTHER)).toMatchObject({
      'access-control-allow-origin': OTHER,
      'access-control-max-age': '5',
    });
    expect(await told({ allowOrigins: [OTHER] }, OTHER)).not.toHaveProperty('access-control-allow-methods');
  });

  it('takes what it does not say from it, where it inherits, but not whom it is for', async () => {
    expect(await told({ allowOrigins: [OTHER], allowMethods: ['GET'], inherits: true }, OTHER)).toMatchObject(
      {
        'access-control-allow-origin': OTHER,
        'access-control-allow-methods': 'GET',
        'access-control-allow-headers': 'x-a',
        'access-control-max-age': '600',
      },
    );
    const others = { allowOrigins: [], allowOriginMatches: [{ kind: 'prefix', value: OTHER }] } as const;
    expect(await told({ ...others, inherits: true }, OTHER)).toHaveProperty('access-control-allow-origin');
    expect(await told({ ...others, inherits: true })).not.toHaveProperty('access-control-allow-origin');
    // Origins of the other policy are not for whom its own are.
    const patterns = await ask(
      { allowOrigins: [], allowOriginMatches: [{ kind: 'prefix', value: 'https://shop' }] },
      preflight(SHOP),
      { filterConfigs: { cors: { allowOrigins: [OTHER], inherits: true } } },
    );
    expect(patterns.cors).not.toHaveProperty('access-control-allow-origin');
    // No origins are none said.
    expect(await told({ allowOrigins: [], inherits: true })).toMatchObject({
      'access-control-allow-origin': SHOP,
      'access-control-allow-methods': 'PUT',
    });
    const { response } = await ask(base, preflight(OTHER), {
      filterConfigs: { cors: { allowOrigins: [], inherits: true } },
    });
    expect(response?.status).toBe(200); // by the service, as the other one leaves it to it
  });

  it.each<[string, boolean | undefined, boolean | undefined, boolean]>([
    ['nobody says', undefined, undefined, true],
    ['it says itself', false, true, true],
    ['it says itself', true, false, false],
    ['the one around it says', false, undefined, false],
    ['the one around it says', true, undefined, true],
  ])('leaves who is not listed to the service as %s (%s, %s)', async (_who, around, own, passes) => {
    const said = (forwardUnlisted: boolean | undefined) =>
      forwardUnlisted === undefined ? {} : { forwardUnlisted };
    const { upstreamRequests } = await ask(
      { allowOrigins: [], ...said(around) },
      preflight('https://evil.example'),
      { filterConfigs: { cors: { allowOrigins: [OTHER], ...said(own), inherits: true } } },
    );
    expect(upstreamRequests).toHaveLength(passes ? 1 : 0);
  });
});
