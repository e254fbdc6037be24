import type { HashPolicy, PathMatch, RedirectAction, Rewrite, WeightedCluster } from '@tulle/model';
import { cluster, httpListener } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import type { TestRequest, UpstreamRequest } from '../src/index.ts';
import { started } from './support.ts';

async function forwarded(
  rewrite: Rewrite | undefined,
  request: TestRequest,
  path: PathMatch = { kind: 'prefix', value: '/' },
  backend: Partial<WeightedCluster> = {},
  escapedSlashes?: 'keep' | 'unescape' | 'redirect',
): Promise<{ readonly status: number; readonly request: UpstreamRequest | undefined }> {
  const test = await started({
    listeners: [
      httpListener({
        port: 8080,
        ...(escapedSlashes && { escapedSlashes }),
        routes: [
          {
            name: 'one',
            match: { path },
            action: { kind: 'forward', clusters: [{ name: 'api', ...backend }], ...(rewrite && { rewrite }) },
          },
        ],
      }),
    ],
    clusters: [cluster('api', ['10.0.0.1:80'])],
    upstreams: { '10.0.0.1:80': () => ({}) },
  });
  const { status } = await test.client().request(request);
  return { status, request: test.upstream('10.0.0.1:80').requests[0] };
}

const target = async (...of: Parameters<typeof forwarded>): Promise<string | number> => {
  const { status, request } = await forwarded(...of);
  return request?.target ?? status;
};

describe('a path is rewritten', () => {
  const regex = (pattern: string, substitution: string): Rewrite => ({
    path: { kind: 'regex', pattern, substitution },
  });

  it('by what a pattern finds, with its groups, and keeps its query', async () => {
    const request = { path: '/service/foo/v1/api?x=/service' };
    expect([
      await target(regex('^/service/([^/]+)(/.*)$', '\\2/instance/\\1'), request),
      await target(regex('one', 'two'), { path: '/xxx/one/yyy/one/zzz' }),
      await target(regex('(a)|b', '[\\1]'), { path: '/ab' }),
      await target(regex('/service', 'no-slash'), request),
    ]).toEqual([
      '/v1/api/instance/foo?x=/service',
      '/xxx/two/yyy/two/zzz',
      '/%5Ba%5D%5B%5D',
      '/no-slash/foo/v1/api?x=/service',
    ]);
  });

  it('once by a pattern that fits all of it, as RE2 does it', async () => {
    expect(await target(regex('.*', '/all'), { path: '/a/b' })).toBe('/all');
    expect(await target(regex('x*', '-'), { path: '/axxb' })).toBe('/-/-a-b-');
  });

  it('with what escaped slashes are at its listener', async () => {
    const by = (how: 'keep' | 'unescape', path: string) =>
      target(regex('^/in', '/out'), { path }, undefined, undefined, how);
    expect([
      await by('keep', '/in/a%2fb'),
      await by('keep', '/other%5Cb'),
      await by('keep', '/in/a%2F..%2Fb'),
      await by('unescape', '/in%2Fb'),
    ]).toEqual(['/out/a%2Fb', '/other%5Cb', 400, '/out/b']);
    expect(await target(regex('x', '%2F'), { path: '/axb' })).toBe(400);
  });

  it('unless there is none: OPTIONS * goes on as it is', async () => {
    const request = { method: 'OPTIONS', path: '*' };
    expect(await target(regex('x', 'y'), request)).toBe('*');
    expect(await target({ path: { kind: 'prefix', value: '/new' } }, request)).toBe('*');
  });

  it('to nothing that leads out of its directory: such a request is refused', async () => {
    expect(await target(regex('x', ''), { path: '/a/.x./b' })).toBe('/b');
    expect(await target(regex('x', ''), { path: '/.x./b' })).toBe(400);
  });

  it('by the variables of the template that it matched', async () => {
    const match: PathMatch = { kind: 'template', value: '/users/{id}/{rest=**}' };
    const rewrite: Rewrite = { path: { kind: 'template', value: '/v2/{rest}/of/{id}' } };
    expect(await target(rewrite, { path: '/users/7/a/b?q' }, match)).toBe('/v2/a/b/of/7?q');
  });

  it('by a text with operators, and keeps its query, behind the one that is made', async () => {
    const by = (value: string, headers: Record<string, string> = {}) =>
      target(
        { path: { kind: 'format', value } },
        { path: '/a/b?c=d', headers: { host: 'shop.example', ...headers } },
      );
    expect([
      await by('/x/%REQ(x-a)%/y', { 'x-a': 'one' }),
      await by('/x/%REQ(x-a)%/y'),
      await by('%REQ(x-a)%'),
      await by('%PATH(NQ:ORIG)%/%REQ(:authority)%'),
      await by('/with?q=%REQ(x-a)%', { 'x-a': '1' }),
      await by('50%%25'),
      await by('%REQ(x-a)%', { 'x-a': 'a/../../b' }),
      await by('%REQ(x-a)%', { 'x-a': 'a#b' }),
      await by('/?%REQ(x-a)%', { 'x-a': 'a b' }),
    ]).toEqual([
      '/x/one/y?c=d',
      '/x/y?c=d',
      '/a/b?c=d',
      '/a/b/shop.example?c=d',
      '/with?q=1?c=d',
      '/50%25?c=d',
      400,
      400,
      400,
    ]);
    expect(await target({ path: { kind: 'format', value: '/all' } }, { method: 'OPTIONS', path: '*' })).toBe(
      '*',
    );
  });

  it('whole where the route matches no prefix, and in any case where it matches so', async () => {
    const rewrite: Rewrite = { path: { kind: 'prefix', value: '/new' } };
    expect([
      await target(rewrite, { path: '/old' }, { kind: 'exact', value: '/old' }),
      await target(rewrite, { path: '/old/x' }, { kind: 'regex', value: '/old/.*' }),
      await target(rewrite, { path: '/OLD/x' }, { kind: 'prefix', value: '/old', ignoreCase: true }),
      await target(rewrite, { path: '/OLDx' }, { kind: 'bytes-prefix', value: '/old', ignoreCase: true }),
    ]).toEqual(['/new', '/new', '/new/x', '/newx']);
  });

  it('by what takes the place of its prefix, as it stands', async () => {
    const rewrite: Rewrite = { path: { kind: 'prefix', value: '/new/' } };
    expect([
      await target(rewrite, { path: '/old' }, { kind: 'prefix', value: '/old' }),
      await target(rewrite, { path: '/old/' }, { kind: 'prefix', value: '/old' }),
      await target(rewrite, { path: '/old/x' }, { kind: 'prefix', value: '/old' }),
    ]).toEqual(['/new/', '/new/', '/new/x']);
  });

  it('never by what is no pattern or template', async () => {
    await expect(forwarded(regex('(', ''), {})).rejects.toThrow(/rewrite\/path\/pattern .*no RE2 pattern/);
    await expect(forwarded(regex('a', '\\1'), {})).rejects.toThrow(/substitution .*groups of the pattern/);
    await expect(forwarded(regex('a', '?b'), {})).rejects.toThrow(/substitution has a \? or #/);
    await expect(forwarded({ path: { kind: 'template', value: '/{a}' } }, {})).rejects.toThrow(
      /rewrite\/path is made of the variables of a template/,
    );
    await expect(forwarded({ path: { kind: 'format', value: '/%NOPE%' } }, {})).rejects.toThrow(
      /rewrite\/path\/value column 2: .*NOPE/,
    );
    await expect(forwarded({ path: { kind: 'format', value: '/a b' } }, {})).rejects.toThrow(
      /rewrite\/path\/value "\/a b" is no path/,
    );
    await expect(forwarded({ hostFrom: { kind: 'format', value: '%REQ(%' } }, {})).rejects.toThrow(
      /rewrite\/hostFrom\/value column 1/,
    );
  });
});

describe('a host is rewritten', () => {
  const host = async (...of: Parameters<typeof forwarded>): Promise<(string | undefined)[]> => {
    const { request } = await forwarded(...of);
    return [request?.header('host'), request?.header('x-forwarded-host')];
  };
  const asked: TestRequest = {
    path: '/tenant/acme/x',
    headers: { host: 'front.example', 'x-to': 'Back.Example:81' },
  };

  it('by a field of the request, or its path, and stays where that is no host', async () => {
    expect([
      await host({ hostFrom: { kind: 'header', name: 'X-To' } }, asked),
      await host({ hostFrom: { kind: 'header', name: 'x-absent' } }, asked),
      await host(
        { hostFrom: { kind: 'regex', pattern: '^/tenant/([^/]+)/.*$', substitution: '\\1.example' } },
        asked,
      ),
      await host({ hostFrom: { kind: 'regex', pattern: 'nothing', substitution: '' } }, asked),
    ]).toEqual([
      ['back.example:81', undefined],
      ['front.example', undefined],
      ['acme.example', undefined],
      ['front.example', undefined],
    ]);
  });

  it('by a text with operators, after its backend, and before the path that is made of it', async () => {
    const by = (value: string) => ({ kind: 'format' as const, value });
    expect([
      await host({ hostFrom: by('%REQ(x-to)%') }, asked),
      await host({ hostFrom: by('x-%REQ(x-absent)%.example'), forwardHost: true }, asked),
      await host({ hostFrom: by('of-%REQ(:authority)%'), forwardHost: true }, asked, undefined, {
        host: 'own.example',
      }),
      await host({ hostFrom: by('%PATH(NQ)%') }, asked),
    ]).toEqual([
      ['back.example:81', undefined],
      ['x--.example', 'front.example'],
      ['of-own.example', 'front.example'],
      ['front.example', undefined],
    ]);
    expect(
      await target(
        { hostFrom: by('new.example'), path: by('/%REQ(:authority)%%REQ(:path)%') },
        { ...asked, path: '/p' },
      ),
    ).toBe('/new.example/p');
  });

  it('by its backend before its route, and what it was is told where that is wanted', async () => {
    expect([
      await host({ host: 'route.example', forwardHost: true }, asked, undefined, { host: 'own.example' }),
      await host(undefined, asked, undefined, { host: 'own.example' }),
      await host({ forwardHost: true }, asked),
    ]).toEqual([
      ['own.example', 'front.example'],
      ['own.example', undefined],
      ['front.example', undefined],
    ]);
  });
});

describe('a host is that of the endpoint', () => {
  it('by its name, for each attempt', async () => {
    const test = await started({
      listeners: [
        httpListener({
          port: 8080,
          routes: [
            {
              name: 'one',
              match: { path: { kind: 'prefix', value: '/' } },
              action: {
                kind: 'forward',
                clusters: [{ name: 'api' }],
                rewrite: { hostFrom: { kind: 'endpoint' }, forwardHost: true },
              },
            },
          ],
        }),
      ],
      clusters: [
        {
          name: 'api',
          discovery: {
            kind: 'static',
            endpoints: [{ address: { host: '10.0.0.1', port: 80 }, hostname: 'A.Origin.example' }],
          },
        },
      ],
      upstreams: { '10.0.0.1:80': () => ({}) },
    });
    await test.client().request({ headers: { host: 'front.example' } });
    const [request] = test.upstream('10.0.0.1:80').requests;
    expect([request?.header('host'), request?.header('x-forwarded-host')]).toEqual([
      'a.origin.example',
      'front.example',
    ]);
  });
});

describe('a cluster is named by the request', () => {
  it('where there is one of that name', async () => {
    const test = await started({
      listeners: [
        httpListener({
          port: 8080,
          routes: [
            {
              name: 'by-header',
              match: { path: { kind: 'prefix', value: '/by' } },
              action: { kind: 'forward', clusters: [], clusterHeader: 'X-To', clusterNotFoundStatus: 404 },
            },
          ],
        }),
      ],
      clusters: [cluster('a', ['10.0.0.1:80']), cluster('b', ['10.0.0.2:80'])],
      upstreams: { '10.0.0.1:80': () => ({ body: 'a' }), '10.0.0.2:80': () => ({ body: 'b' }) },
    });
    const of = async (headers: Record<string, string>): Promise<unknown[]> => {
      const response = await test.client().request({ path: '/by', headers });
      return [response.status, response.status === 200 ? response.body : ''];
    };
    expect([
      await of({ 'x-to': 'a' }),
      await of({ 'x-to': 'b' }),
      await of({ 'x-to': 'a' }),
      await of({ 'x-to': 'constructor' }),
      await of({}),
    ]).toEqual([
      [200, 'a'],
      [200, 'b'],
      [200, 'a'],
      [404, ''],
      [404, ''],
    ]);
    expect(test.records.map((record) => record.cluster)).toEqual(['a', 'b', 'a', '', '']);
  });
});

describe('a redirect', () => {
  const location = async (action: Omit<RedirectAction, 'kind'>, request: TestRequest): Promise<unknown> => {
    const test = await started({
      listeners: [
        httpListener({
          port: 8080,
          routes: [
            {
              name: 'one',
              match: { path: { kind: 'prefix', value: '/' } },
              action: { kind: 'redirect', ...action },
            },
          ],
        }),
      ],
      clusters: [],
    });
    const response = await test.client().request(request);
    return response.header('location') ?? response.status;
  };
  const request: TestRequest = { path: '/a/b?c=d', headers: { host: 'shop.example:8080' } };

  it('rewrites the path by a pattern, drops the query, or brings its own', async () => {
    expect([
      await location({ port: 'asked', path: { kind: 'regex', pattern: '^/a', substitution: '/z' } }, request),
      await location({ port: 'asked', stripQuery: true }, request),
      await location({ port: 'asked', path: { kind: 'full', value: '/x?y=1' } }, request),
      await location({ path: { kind: 'regex', pattern: '^.*$', substitution: '/..' } }, request),
    ]).toEqual([
      'http://shop.example:8080/z/b?c=d',
      'http://shop.example:8080/a/b',
      'http://shop.example:8080/x?y=1',
      400,
    ]);
  });

  it('makes the path of a text with operators, with the query of the request unless it has its own', async () => {
    const by = (value: string, headers: Record<string, string> = {}, more: Partial<RedirectAction> = {}) =>
      location(
        { port: 'asked', path: { kind: 'format', value }, ...more },
        { path: '/a/b?c=d', headers: { host: 'shop.example:8080', ...headers } },
      );
    expect([
      await by('/to/%REQ(x-a)%', { 'x-a': 'one' }),
      await by('%REQ(x-a)%', { 'x-a': 'one' }),
      await by('%REQ(x-a)%'),
      await by('/to?q=%REQ(x-a)%', { 'x-a': 'one' }),
      await by('/to?q=%REQ(x-a)%', { 'x-a': 'one' }, { stripQuery: true }),
      await by('/to/%REQ(x-a)%', { 'x-a': 'one' }, { stripQuery: true }),
      await by('/to/%REQ(x-a)%', { 'x-a': 'a b' }),
    ]).toEqual([
      'http://shop.example:8080/to/one?c=d',
      'http://shop.example:8080/one?c=d',
      'http://shop.example:8080/a/b?c=d',
      'http://shop.example:8080/to?q=one',
      'http://shop.example:8080/to?q=one',
      'http://shop.example:8080/to/one',
      400,
    ]);
  });

  it('keeps the port that was asked for as Envoy does', async () => {
    const at = (host: string): TestRequest => ({ headers: { host } });
    expect([
      await location({ scheme: 'https', port: 'asked' }, at('shop.example:8080')),
      await location({ scheme: 'https', port: 'asked' }, at('shop.example:80')),
      await location({ host: 'other.example', port: 'asked' }, at('shop.example:8080')),
      await location({ scheme: 'https' }, at('shop.example:8080')),
      await location({ host: 'other.example:81', port: 'asked' }, at('shop.example')),
      await location({ host: 'other.example:81', port: 82 }, at('shop.example')),
    ]).toEqual([
      'https://shop.example:8080/',
      'https://shop.example/',
      'http://other.example/',
      'https://shop.example/',
      'http://other.example:81/',
      'http://other.example:82/',
    ]);
  });
});

describe('a split', () => {
  it('goes by the number that a field has', async () => {
    const test = await started({
      listeners: [
        httpListener({
          port: 8080,
          routes: [
            {
              name: 'one',
              match: { path: { kind: 'prefix', value: '/' } },
              action: {
                kind: 'forward',
                clusters: [
                  { name: 'a', weight: 2 },
                  { name: 'b', weight: 1 },
                ],
                splitHeader: 'X-Share',
              },
            },
          ],
        }),
      ],
      clusters: [cluster('a', ['10.0.0.1:80']), cluster('b', ['10.0.0.2:80'])],
      upstreams: { '10.0.0.1:80': () => ({ body: 'a' }), '10.0.0.2:80': () => ({ body: 'b' }) },
      random: () => 0.99,
    });
    const found: string[] = [];
    for (const share of ['0', '1', '2', '3', '5', '18446744073709551614', '18446744073709551615', 'x'])
      found.push((await test.client().request({ headers: { 'x-share': share } })).body);
    // What is no number leaves it to chance.
    expect(found.join('')).toBe('aabab' + 'ba' + 'b');
  });
});

describe('a split by hashes', () => {
  const through = async (hashPolicy: readonly HashPolicy[] | undefined, requests: readonly TestRequest[]) => {
    const test = await started({
      listeners: [
        httpListener({
          port: 8080,
          routes: [
            {
              name: 'one',
              match: { path: { kind: 'prefix', value: '/' } },
              action: {
                kind: 'forward',
                clusters: [
                  { name: 'a', weight: 50 },
                  { name: 'b', weight: 50 },
                ],
                ...(hashPolicy && { hashPolicy }),
                splitByHash: true,
              },
            },
          ],
        }),
      ],
      clusters: [cluster('a', ['10.0.0.1:80']), cluster('b', ['10.0.0.2:80'])],
      upstreams: { '10.0.0.1:80': () => ({ body: 'a' }), '10.0.0.2:80': () => ({ body: 'b' }) },
      random: () => 0.99,
    });
    const found: string[] = [];
    for (const request of requests) {
      const response = await test.client().request(request);
      found.push(response.body + (response.header('set-cookie') === undefined ? '' : '!'));
    }
    return found.join('');
  };
  const keyed = (keys: readonly string[]): TestRequest[] =>
    keys.map((key) => ({ headers: { 'x-key': key } }));
  const KEYS = Array.from({ length: 40 }, (_, i) => `key-${i}`);

  it('leads requests with the same value to the same backend, and others by their weights', async () => {
    const policy: HashPolicy[] = [{ kind: 'header', name: 'X-Key' }];
    const once = await through(policy, keyed(KEYS));
    expect(await through(policy, keyed(KEYS))).toBe(once);
    const share = once.replaceAll('b', '').length / KEYS.length;
    expect(share).toBeGreaterThan(0.2);
    expect(share).toBeLessThan(0.8);
  });

  it('leaves to chance what has no value, and makes no cookie up for it', async () => {
    expect(await through([{ kind: 'header', name: 'x-key' }], [{}, {}])).toBe('bb');
    expect(await through(undefined, keyed(KEYS.slice(0, 3)))).toBe('bbb');
    expect(await through([{ kind: 'cookie', name: 'c', ttlMs: 1_000 }], [{}])).toBe('b');
  });

  it('is none beside one by a field', async () => {
    const action = {
      kind: 'forward',
      clusters: [{ name: 'a' }],
      splitByHash: true,
      splitHeader: 'x',
    } as const;
    await expect(
      started({
        listeners: [
          httpListener({
            port: 8080,
            routes: [{ name: 'one', match: { path: { kind: 'prefix', value: '/' } }, action }],
          }),
        ],
        clusters: [cluster('a', ['10.0.0.1:80'])],
      }),
    ).rejects.toThrow(/splitByHash stands beside splitHeader/);
  });
});

describe('a hash', () => {
  it('is of what a pattern leaves of a field', async () => {
    const policy: HashPolicy = {
      kind: 'header',
      name: 'x-session',
      rewrite: { kind: 'regex', pattern: '-.*$', substitution: '' },
    };
    const endpoints = Array.from({ length: 8 }, (_, index) => `10.0.0.${index + 1}:80`);
    const test = await started({
      listeners: [
        httpListener({
          port: 8080,
          routes: [
            {
              name: 'one',
              match: { path: { kind: 'prefix', value: '/' } },
              action: { kind: 'forward', clusters: [{ name: 'api' }], hashPolicy: [policy] },
            },
          ],
        }),
      ],
      clusters: [{ ...cluster('api', endpoints), balance: { policy: 'ring-hash' } }],
      upstreams: Object.fromEntries(endpoints.map((address) => [address, () => ({ body: address })])),
    });
    const of = async (value: string): Promise<string> =>
      (await test.client().request({ headers: { 'x-session': value } })).body;
    const found = new Set<string>();
    for (const tail of ['1', '2', '3', '4', '5']) found.add(await of(`user7-${tail}`));
    expect(found.size).toBe(1);
  });
});
