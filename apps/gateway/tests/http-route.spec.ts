import type { RouteStatus } from '@tulle/control-plane';
import type { TestHandler } from '@tulle/testkit/mesh';
import { describe, expect, it } from 'vitest';
import { echo, featureMesh, routeOf, ruleOf, seen } from './feature-mesh.ts';

const ONE = 'backendRefs: [{ name: one, port: 80 }]';
const TWO = 'backendRefs: [{ name: two, port: 80 }]';
const parent = (rules: string, more = ''): string =>
  routeOf(`parentRefs: [{ name: edge }], ${more}rules: [${rules}]`);

describe('HTTPRoute, core', () => {
  it('takes the hosts that it names, the most specific first, and leaves others 404', async () => {
    await using mesh = await featureMesh([
      routeOf(`parentRefs: [{ name: edge }], hostnames: ['*.example.com'], rules: [{ ${ONE} }]`, 'wide'),
      routeOf(`parentRefs: [{ name: edge }], hostnames: [two.example.com], rules: [{ ${TWO} }]`, 'narrow'),
    ]);
    const ask = async (host: string): Promise<string> => {
      const response = await mesh.request({ gateway: 'edge', host });
      return response.status === 200 ? seen(response).instance : String(response.status);
    };
    expect(await ask('one.example.com')).toBe('one-0');
    expect(await ask('two.example.com')).toBe('two-0');
    expect(await ask('example.com')).toBe('404');
    expect(await ask('example.org')).toBe('404');
  });

  it('matches paths whole or by their elements, and headers; a request that no rule matches gets 404', async () => {
    await using mesh = await featureMesh([
      parent(
        `{ matches: [{ path: { type: Exact, value: /whole } }], ${ONE} }, { matches: [{ path: { value: /part } }], ${TWO} }, { matches: [{ headers: [{ name: X-Which, value: two }] }], ${TWO} }`,
      ),
    ]);
    const ask = async (path: string, headers = {}): Promise<string> => {
      const response = await mesh.request({ gateway: 'edge', path, headers });
      return response.status === 200 ? seen(response).instance : String(response.status);
    };
    expect(await ask('/whole')).toBe('one-0');
    expect(await ask('/whole/not')).toBe('404');
    expect(await ask('/part')).toBe('two-0');
    expect(await ask('/part/of')).toBe('two-0');
    expect(await ask('/parts')).toBe('404');
    expect(await ask('/', { 'x-which': 'two' })).toBe('two-0');
    expect(await ask('/', { 'x-which': 'Two' })).toBe('404');
  });

  it('prefers an exact path, then the longest prefix, the method, more headers, more parameters, then the first rule', async () => {
    const matches = [
      '{ path: { value: / } }',
      '{ path: { value: / }, queryParams: [{ name: a, value: b }] }',
      '{ path: { value: / }, headers: [{ name: x-a, value: b }] }',
      '{ path: { value: / }, method: POST }',
      '{ path: { value: /long } }',
      '{ path: { type: Exact, value: /long } }',
    ];
    const redirect = (match: string, i: number): string =>
      `{ matches: [${match}], filters: [{ type: RequestRedirect, requestRedirect: { hostname: rule-${i} } }] }`;
    await using mesh = await featureMesh([parent([...matches, matches[0] ?? ''].map(redirect).join(', '))]);
    const ask = async (method: string, path: string, headers = {}): Promise<string | undefined> =>
      /rule-\d/.exec(
        (await mesh.request({ gateway: 'edge', method, path, headers })).header('location') ?? '',
      )?.[0];
    expect(await ask('POST', '/long', { 'x-a': 'b' })).toBe('rule-5');
    expect(await ask('POST', '/long/er?a=b', { 'x-a': 'b' })).toBe('rule-4');
    expect(await ask('POST', '/?a=b', { 'x-a': 'b' })).toBe('rule-3');
    expect(await ask('GET', '/?a=b', { 'x-a': 'b' })).toBe('rule-2');
    expect(await ask('GET', '/?a=b')).toBe('rule-1');
    expect(await ask('GET', '/')).toBe('rule-0');
  });

  it('splits by weight; the share of a backend that is not there gets 500, and all of it where none is', async () => {
    await using mesh = await featureMesh([
      ruleOf(
        'backendRefs: [{ name: one, port: 80, weight: 3 }, { name: two, port: 80 }, { name: one, port: 81, weight: 0 }]',
      ),
    ]);
    for (let i = 0; i < 100; i++) expect((await mesh.request({ gateway: 'edge' })).status).toBe(200);
    const ones = mesh.calls('one')['-'] ?? 0;
    expect(ones).toBeGreaterThan(60);
    expect(ones).toBeLessThan(90);
    await mesh.apply(ruleOf('backendRefs: [{ name: one, port: 80 }, { name: gone, port: 80 }]'));
    const statuses = new Map<number, number>();
    for (let i = 0; i < 100; i++) {
      const { status } = await mesh.request({ gateway: 'edge' });
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
    expect(new Set(statuses.keys())).toEqual(new Set([200, 500]));
    expect(statuses.get(500)).toBeGreaterThan(30);
    expect(statuses.get(500)).toBeLessThan(70);
    await mesh.apply(ruleOf('backendRefs: [{ name: gone, port: 80 }]'));
    expect((await mesh.request({ gateway: 'edge' })).status).toBe(500);
  });

  it('edits fields of requests: set, add, remove', async () => {
    await using mesh = await featureMesh([
      ruleOf(
        `filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: X-Set, value: new }], add: [{ name: x-add, value: more }], remove: [x-remove] } }], ${ONE}`,
      ),
    ]);
    const headers = { 'x-set': 'old', 'x-add': 'some', 'x-remove': 'this' };
    await mesh.request({ gateway: 'edge', headers });
    const [request] = mesh.instances('one')[0]?.requests ?? [];
    expect(request?.headerAll('x-set')).toEqual(['new']);
    expect(request?.headerAll('x-add')).toEqual(['some', 'more']);
    expect(request?.headerAll('x-remove')).toEqual([]);
  });

  it.each([
    ['{ hostname: other.example.org }', 302, 'http://other.example.org/a?b=c'],
    ['{ hostname: other.example.org, statusCode: 301 }', 301, 'http://other.example.org/a?b=c'],
  ])('redirects to another host: %s', async (redirect, status, location) => {
    await using mesh = await featureMesh([
      ruleOf(`filters: [{ type: RequestRedirect, requestRedirect: ${redirect} }]`),
    ]);
    const response = await mesh.request({ gateway: 'edge', host: 'shop.example.com', path: '/a?b=c' });
    expect([response.status, response.header('location')]).toEqual([status, location]);
  });
});

describe('HTTPRoute, extended', () => {
  it('matches query parameters and methods', async () => {
    await using mesh = await featureMesh([
      parent(
        `{ matches: [{ queryParams: [{ name: which, value: one }] }], ${ONE} }, { matches: [{ method: DELETE }], ${TWO} }`,
      ),
    ]);
    const ask = async (method: string, path: string): Promise<string> => {
      const response = await mesh.request({ gateway: 'edge', method, path });
      return response.status === 200 ? seen(response).instance : String(response.status);
    };
    expect(await ask('GET', '/?which=one&which=two')).toBe('one-0');
    expect(await ask('GET', '/?Which=one')).toBe('404');
    expect(await ask('DELETE', '/')).toBe('two-0');
    expect(await ask('GET', '/')).toBe('404');
  });

  it('edits fields of responses', async () => {
    await using mesh = await featureMesh([
      ruleOf(
        `filters: [{ type: ResponseHeaderModifier, responseHeaderModifier: { set: [{ name: x-origin, value: hidden }], add: [{ name: x-more, value: a }], remove: [x-drop] } }], ${ONE}`,
      ),
    ]);
    const response = await mesh.request({ gateway: 'edge' });
    expect(response.headerAll('x-origin')).toEqual(['hidden']);
    expect(response.headerAll('x-more')).toEqual(['a']);
    expect(response.header('x-drop')).toBeUndefined();
  });

  it.each([
    ['PortRedirect', '{ port: 8443 }', 'http://shop.example.com:8443/a/b?c=d'],
    ['SchemeRedirect', '{ scheme: https }', 'https://shop.example.com/a/b?c=d'],
    [
      'PathRedirect, whole',
      '{ path: { type: ReplaceFullPath, replaceFullPath: /z } }',
      'http://shop.example.com/z?c=d',
    ],
    [
      'PathRedirect, prefix',
      '{ path: { type: ReplacePrefixMatch, replacePrefixMatch: /z } }',
      'http://shop.example.com/z/b?c=d',
    ],
  ])('redirects: %s', async (_, redirect, location) => {
    await using mesh = await featureMesh([
      ruleOf(
        `matches: [{ path: { value: /a } }], filters: [{ type: RequestRedirect, requestRedirect: ${redirect} }]`,
      ),
    ]);
    const response = await mesh.request({ gateway: 'edge', host: 'shop.example.com', path: '/a/b?c=d' });
    expect([response.status, response.header('location')]).toEqual([302, location]);
  });

  it.each([303, 307, 308])('redirects with %s', async (statusCode) => {
    await using mesh = await featureMesh([
      ruleOf(
        `filters: [{ type: RequestRedirect, requestRedirect: { scheme: https, statusCode: ${statusCode} } }]`,
      ),
    ]);
    expect((await mesh.request({ gateway: 'edge' })).status).toBe(statusCode);
  });

  it('rewrites host and path, whole or by prefix', async () => {
    await using mesh = await featureMesh([
      parent(
        `{ matches: [{ path: { value: /host } }], filters: [{ type: URLRewrite, urlRewrite: { hostname: inner.example } }], ${ONE} }, { matches: [{ path: { value: /whole } }], filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplaceFullPath, replaceFullPath: /z } } }], ${ONE} }, { matches: [{ path: { value: /part } }], filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: / } } }], ${ONE} }`,
      ),
    ]);
    const ask = async (path: string): Promise<string> => {
      const { host, target } = seen(await mesh.request({ gateway: 'edge', host: 'shop.example.com', path }));
      return `${host} ${target}`;
    };
    expect(await ask('/host/a')).toBe('inner.example /host/a');
    expect(await ask('/whole/a?b=c')).toBe('shop.example.com /z?b=c');
    expect(await ask('/part/a?b=c')).toBe('shop.example.com /a?b=c');
    expect(await ask('/part')).toBe('shop.example.com /');
  });

  it('sends copies to several backends, of all requests or a share, and answers with none of theirs', async () => {
    const mirror = (name: string, more = ''): string =>
      `{ type: RequestMirror, requestMirror: { backendRef: { name: ${name}, port: 80 }${more} } }`;
    await using mesh = await featureMesh([
      ruleOf(`filters: [${mirror('two')}, ${mirror('web', ', percent: 25')}], ${ONE}`),
    ]);
    for (let i = 0; i < 100; i++)
      expect(seen(await mesh.request({ gateway: 'edge', path: `/${i}` })).instance).toBe('one-0');
    await mesh.advance(1000);
    expect(mesh.calls('two')).toEqual({ '-': 100 });
    const share = mesh.calls('web')['-'] ?? 0;
    expect(share).toBeGreaterThan(8);
    expect(share).toBeLessThan(45);
    await mesh.apply(
      ruleOf(`filters: [${mirror('two', ', fraction: { numerator: 1, denominator: 1000 }')}], ${ONE}`),
    );
    mesh.forget();
    for (let i = 0; i < 100; i++) await mesh.request({ gateway: 'edge' });
    await mesh.advance(1000);
    expect(mesh.calls('two')['-']).toBeLessThan(5);
  });

  it('limits the time of a request, and that of an attempt', async () => {
    const slow: TestHandler = async (_, self) => {
      await self.delay(5_000);
      return {};
    };
    await using mesh = await featureMesh(
      [
        parent(
          `{ matches: [{ path: { value: /all } }], timeouts: { request: 500ms }, ${ONE} }, { matches: [{ path: { value: /each } }], timeouts: { request: 2s, backendRequest: 300ms }, ${ONE} }, { matches: [{ path: { value: /any } }], timeouts: { request: 0s }, ${ONE} }`,
        ),
      ],
      { one: slow },
    );
    const ask = async (path: string): Promise<[number, number]> => {
      const { status, tookMs } = await mesh.request({ gateway: 'edge', method: 'POST', path });
      return [status, tookMs];
    };
    expect(await ask('/all')).toEqual([504, 500]);
    expect(await ask('/each')).toEqual([504, 300]);
    expect(await ask('/any')).toEqual([200, 5000]);
  });

  it('tries again on statuses, after a time limit of the backend and after a broken connection, with a backoff', async () => {
    const twice: TestHandler = async ({ index, target }, self) => {
      if (index > 1) return { body: 'third' };
      if (target === '/status') return { status: 503 };
      if (target === '/broken') return 'reset';
      await self.delay(10_000);
      return {};
    };
    const rule = `timeouts: { request: 30s, backendRequest: 1s }, retry: { attempts: 3, codes: [503, 504], backoff: 100ms }, ${ONE}`;
    await using mesh = await featureMesh([ruleOf(rule)], { one: twice });
    for (const path of ['/status', '/broken', '/slow']) {
      mesh.forget();
      const response = await mesh.request({ gateway: 'edge', path });
      expect([path, response.status, response.body, mesh.calls('one')['-']]).toEqual([path, 200, 'third', 3]);
      expect(response.tookMs).toBeGreaterThanOrEqual(path === '/slow' ? 2_000 : 50);
    }
    await mesh.apply(ruleOf(`retry: { attempts: 1, codes: [503] }, ${ONE}`));
    mesh.forget();
    expect((await mesh.request({ gateway: 'edge', path: '/status' })).status).toBe(503);
    expect(mesh.calls('one')).toEqual({ '-': 2 });
  });

  it('tries again ten times at most, whatever it asks for, and says so', async () => {
    const rule = (attempts: number): string =>
      ruleOf(`retry: { attempts: ${attempts}, codes: [503], backoff: 1ms }, ${ONE}`);
    // The budget that callers have by default would end it sooner.
    const budget = `
apiVersion: gateway.networking.x-k8s.io/v1alpha1
kind: XBackendTrafficPolicy
metadata: { name: one }
spec: { targetRefs: [{ group: '', kind: Service, name: one }], retryConstraint: { minRetryRate: { count: 1000 } } }
`;
    await using mesh = await featureMesh([rule(9), budget], { one: () => ({ status: 503 }) });
    const attemptsOf = async (): Promise<number | undefined> => {
      mesh.forget();
      expect((await mesh.request({ gateway: 'edge' })).status).toBe(503);
      return mesh.calls('one')['-'];
    };
    expect(await attemptsOf()).toBe(10);
    await mesh.apply(rule(10));
    expect(await attemptsOf()).toBe(11);
    for (const attempts of [11, 40]) {
      await mesh.apply(rule(attempts));
      expect(await attemptsOf()).toBe(11);
      const { parents } = mesh.controlPlane.resourceStatus('HTTPRoute/default/r') as RouteStatus;
      expect(parents[0]?.conditions.at(-1)).toMatchObject({
        type: 'tulle.dev/RetriesHonoured',
        status: 'False',
        message: expect.stringContaining(`rule 0 asks for ${attempts}`) as string,
      });
    }
  });

  it('attaches to one port of a Gateway, or to one listener, and its rules are for requests of that port', async () => {
    await using mesh = await featureMesh([
      routeOf(`parentRefs: [{ name: edge, port: 8080 }], rules: [{ ${ONE} }]`, 'by-port'),
      routeOf(`parentRefs: [{ name: edge, sectionName: http }], rules: [{ ${TWO} }]`, 'by-name'),
    ]);
    expect(seen(await mesh.request({ gateway: 'edge', port: 8080 })).instance).toBe('one-0');
    expect(seen(await mesh.request({ gateway: 'edge', port: 80 })).instance).toBe('two-0');
    const { parents } = mesh.controlPlane.resourceStatus('HTTPRoute/default/by-port') as RouteStatus;
    expect(parents.map(({ parentRef }) => parentRef)).toEqual([{ name: 'edge', port: 8080 }]);
  });

  it('edits fields of the requests of one backend only', async () => {
    await using mesh = await featureMesh([
      ruleOf(
        `backendRefs: [{ name: one, port: 80, filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: x-which, value: one }] } }] }, { name: two, port: 80 }]`,
      ),
    ]);
    const which = new Set<string>();
    for (let i = 0; i < 40; i++) {
      const { instance, headers } = seen(await mesh.request({ gateway: 'edge' }));
      which.add(`${instance} ${headers['x-which'] ?? '-'}`);
    }
    expect([...which].toSorted()).toEqual(['one-0 one', 'two-0 -']);
  });

  it('names rules: records say which it was, and policies are for one', async () => {
    const policy = `
apiVersion: tulle.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: p }
spec:
  targetRefs: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, name: r, sectionName: slow }]
  timeouts: { request: 100ms }
`;
    const late: TestHandler = async (request, self) => {
      await self.delay(200);
      return echo(request, self);
    };
    const rules = `{ name: slow, matches: [{ path: { value: /slow } }], ${ONE} }, { name: rest, ${ONE} }`;
    await using mesh = await featureMesh([parent(rules), policy], { one: late });
    expect((await mesh.request({ gateway: 'edge', path: '/slow', method: 'POST' })).status).toBe(504);
    expect((await mesh.request({ gateway: 'edge', path: '/fast', method: 'POST' })).status).toBe(200);
    expect(mesh.records('edge').map(({ routeName }) => routeName.replace(/\/match.*/, ''))).toEqual([
      'default/r/slow',
      'default/r/rest',
    ]);
  });
});
