import { describe, expect, it } from 'vitest';
import { echo, featureMesh, routeOf, ruleOf, seen } from './feature-mesh.ts';

const ONE = 'backendRefs: [{ name: one, port: 80 }]';

describe('HTTPRoute, CORS', () => {
  const CORS =
    "filters: [{ type: CORS, cors: { allowOrigins: ['https://shop.example', 'https://*.apps.example'], allowMethods: [PUT], allowHeaders: [x-mine], exposeHeaders: [x-origin], allowCredentials: true, maxAge: 60 } }]";
  const preflight = {
    'access-control-request-method': 'PUT',
    'access-control-request-headers': 'x-mine',
  };

  it('answers preflights of listed origins, and says to browsers which pages may read an answer', async () => {
    await using mesh = await featureMesh([ruleOf(`${CORS}, ${ONE}`)]);
    const ask = async (method: string, origin: string): ReturnType<typeof mesh.request> =>
      mesh.request({
        gateway: 'edge',
        method,
        headers: { origin, ...(method === 'OPTIONS' ? preflight : {}) },
      });
    for (const origin of ['https://shop.example', 'https://a.apps.example']) {
      const asked = await ask('OPTIONS', origin);
      expect(Object.fromEntries(asked.headers.filter(([name]) => name.startsWith('access-control')))).toEqual(
        {
          'access-control-allow-origin': origin,
          'access-control-allow-credentials': 'true',
          'access-control-allow-methods': 'PUT',
          'access-control-allow-headers': 'x-mine',
          'access-control-max-age': '60',
        },
      );
      const answer = await ask('GET', origin);
      expect(answer.status).toBe(200);
      expect(answer.header('access-control-allow-origin')).toBe(origin);
      expect(answer.header('access-control-expose-headers')).toBe('x-origin');
    }
    for (const method of ['OPTIONS', 'GET'])
      expect(
        (await ask(method, 'https://evil.example')).header('access-control-allow-origin'),
      ).toBeUndefined();
    // The preflights never came to the program.
    expect(mesh.calls('one')).toEqual({ '-': 3 });
  });

  it('is for its rule only, also within the mesh', async () => {
    const parents = "parentRefs: [{ name: edge }, { group: '', kind: Service, name: two }]";
    await using mesh = await featureMesh([
      routeOf(`${parents}, rules: [{ matches: [{ path: { value: /cors } }], ${CORS}, ${ONE} }, { ${ONE} }]`),
    ]);
    const headers = { origin: 'https://shop.example' };
    for (const to of [{ gateway: 'edge' }, { from: 'web', to: 'two' }]) {
      const allowed = async (path: string): Promise<string | undefined> =>
        (await mesh.request({ ...to, path, headers })).header('access-control-allow-origin');
      expect(await allowed('/cors')).toBe('https://shop.example');
      expect(await allowed('/')).toBeUndefined();
    }
  });
});

describe('HTTPRoute, steps of one backend', () => {
  it('rewrite its share, and leave the others alone', async () => {
    await using mesh = await featureMesh([
      ruleOf(
        'matches: [{ path: { value: /a } }], backendRefs: [{ name: one, port: 80, weight: 3, filters: [{ type: URLRewrite, urlRewrite: { hostname: inner.example, path: { type: ReplacePrefixMatch, replacePrefixMatch: /z } } }] }, { name: two, port: 80 }, { name: gone, port: 80, weight: 0 }]',
      ),
    ]);
    const counts = new Map<string, number>();
    for (let i = 0; i < 200; i++) {
      const { instance, host, target } = seen(
        await mesh.request({ gateway: 'edge', host: 'shop.example.com', path: '/a/b' }),
      );
      const what = `${instance} ${host} ${target}`;
      counts.set(what, (counts.get(what) ?? 0) + 1);
    }
    expect(new Set(counts.keys())).toEqual(
      new Set(['one-0 inner.example /z/b', 'two-0 shop.example.com /a/b']),
    );
    expect(counts.get('two-0 shop.example.com /a/b')).toBeGreaterThan(25);
    expect(counts.get('two-0 shop.example.com /a/b')).toBeLessThan(80);
  });

  it('redirect its share; of three backends each has its own, and one that is not there 500', async () => {
    const redirect = (hostname: string): string =>
      `filters: [{ type: RequestRedirect, requestRedirect: { hostname: ${hostname}, statusCode: 301 } }]`;
    await using mesh = await featureMesh(
      [
        ruleOf(
          `backendRefs: [{ name: one, port: 80, ${redirect('moved.example')} }, { name: two, port: 80 }, { name: gone, port: 80 }]`,
        ),
      ],
      { one: echo },
    );
    const counts = new Map<string, number>();
    for (let i = 0; i < 300; i++) {
      const { status, header } = await mesh.request({ gateway: 'edge' });
      const what = `${status} ${header('location') ?? '-'}`;
      counts.set(what, (counts.get(what) ?? 0) + 1);
    }
    expect(new Set(counts.keys())).toEqual(new Set(['301 http://moved.example/', '200 -', '500 -']));
    for (const count of counts.values()) {
      expect(count).toBeGreaterThan(60);
      expect(count).toBeLessThan(145);
    }
    expect(mesh.calls('one')).toEqual({ '-': 0 });
  });

  /** A rule of which half the requests go to `one` by way of a step, the others to `two`. */
  const half = (step: string, rest = ''): string =>
    ruleOf(`backendRefs: [{ name: one, port: 80, filters: [${step}] }, { name: two, port: 80 }]${rest}`);
  const counted = async (
    mesh: Awaited<ReturnType<typeof featureMesh>>,
    what: (answer: Awaited<ReturnType<typeof mesh.request>>) => string,
    more: object = {},
  ): Promise<Map<string, number>> => {
    const counts = new Map<string, number>();
    for (let i = 0; i < 100; i++) {
      const key = what(await mesh.request({ gateway: 'edge', ...more }));
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    for (const count of counts.values()) expect(count).toBeGreaterThan(20);
    return counts;
  };

  it('copy its share alone, to several more', async () => {
    const copy = '{ type: RequestMirror, requestMirror: { backendRef: { name: web, port: 80 } } }';
    await using mesh = await featureMesh([half(`${copy}, ${copy}`)]);
    const counts = await counted(mesh, (answer) => seen(answer).instance);
    expect([...counts.keys()].toSorted()).toEqual(['one-0', 'two-0']);
    await expect.poll(() => mesh.calls('web')['-']).toBe(2 * (counts.get('one-0') ?? 0));
  });

  it('say to browsers what holds for its share, before what the rule says', async () => {
    const cors = (origin: string): string => `{ type: CORS, cors: { allowOrigins: ['${origin}'] } }`;
    await using mesh = await featureMesh([
      half(cors('https://a.example'), `, filters: [${cors('https://b.example')}]`),
    ]);
    const counts = await counted(
      mesh,
      (answer) => `${seen(answer).instance} ${answer.header('access-control-allow-origin') ?? '-'}`,
      { headers: { origin: 'https://a.example' } },
    );
    expect([...counts.keys()].toSorted()).toEqual(['one-0 https://a.example', 'two-0 -']);
  });

  it('ask about its share, beside what the rule asks', async () => {
    const ask = (path: string): string =>
      `{ type: ExternalAuth, externalAuth: { protocol: HTTP, backendRef: { name: web, port: 80 }, http: { path: ${path} } } }`;
    await using mesh = await featureMesh([half(ask('/own'), `, filters: [${ask('/rule')}]`)]);
    const counts = await counted(mesh, (answer) => seen(answer).instance);
    const asked = (mesh.instances('web')[0]?.requests ?? []).map(({ target }) => target);
    expect(asked.filter((target) => target === '/rule/')).toHaveLength(100);
    expect(asked.filter((target) => target === '/own/')).toHaveLength(counts.get('one-0') ?? 0);
  });

  it('refuse its share with 500 where they name a filter that is not there', async () => {
    const unknown = '{ type: ExtensionRef, extensionRef: { group: a.example, kind: Waf, name: w } }';
    await using mesh = await featureMesh([half(`${unknown}, ${unknown}`)]);
    const counts = await counted(mesh, ({ status }) => `${status}`);
    expect([...counts.keys()].toSorted()).toEqual(['200', '500']);
    expect(mesh.calls('one')).toEqual({ '-': 0 });
  });
});

describe('HTTPRoute, ExtensionRef', () => {
  it('is never skipped: what its rule matches gets 500, a redirect too, and other rules go on', async () => {
    const unknown =
      'filters: [{ type: ExtensionRef, extensionRef: { group: a.example, kind: Waf, name: w } }';
    const parents = "parentRefs: [{ name: edge }, { group: '', kind: Service, name: two }]";
    await using mesh = await featureMesh([
      routeOf(
        `${parents}, rules: [{ matches: [{ path: { value: /a } }], ${unknown}], ${ONE} }, { matches: [{ path: { value: /b } }], ${unknown}, { type: RequestRedirect, requestRedirect: { hostname: moved.example } }] }, { ${ONE} }]`,
      ),
    ]);
    for (const to of [{ gateway: 'edge' }, { from: 'web', to: 'two' }]) {
      const statusOf = async (path: string): Promise<number> => (await mesh.request({ ...to, path })).status;
      expect([await statusOf('/a'), await statusOf('/b'), await statusOf('/c')]).toEqual([500, 500, 200]);
    }
    expect(mesh.calls('one')).toEqual({ '-': 2 });
  });
});
