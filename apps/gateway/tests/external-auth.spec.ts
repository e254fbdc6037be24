import type { TestHandler, TestMesh } from '@tulle/testkit/mesh';
import { describe, expect, it } from 'vitest';
import { echo, featureMesh, routeOf, seen } from './feature-mesh.ts';

/** A rule that asks the Service `two`. @param more fields of the filter */
const asking = (more: string, rest = ''): string =>
  `filters: [{ type: ExternalAuth, externalAuth: { protocol: HTTP, backendRef: { name: two, port: 80 }, ${more} } }], backendRefs: [{ name: one, port: 80 }]${rest}`;

const rules = (...list: readonly string[]): string =>
  routeOf(`parentRefs: [{ name: edge }], rules: [${list.map((rule) => `{ ${rule} }`).join(', ')}]`);

/** Lets in whoever shows a token, and says who that is. */
const auth: TestHandler = ({ headers }) =>
  headers.some(([name, value]) => name.toLowerCase() === 'authorization' && value === 'Bearer blue')
    ? { status: 200, headers: { 'x-user': 'ann', 'x-other': '1', 'content-type': 'text/html' } }
    : { status: 401, headers: { 'www-authenticate': 'Bearer' }, body: 'no token' };

const WITH_TOKEN = { authorization: 'Bearer blue' };

/** What the Service `two` was asked last. */
function lastCheck(mesh: TestMesh) {
  const check = mesh.instances('two')[0]?.requests.at(-1);
  return (
    check && {
      ...check,
      header: (name: string) => check.headers.find(([n]) => n.toLowerCase() === name)?.[1],
    }
  );
}

describe('HTTPRoute, ExternalAuth over HTTP', () => {
  it('asks a Service about the requests of its rule alone; what it does not allow never comes to the backend', async () => {
    await using mesh = await featureMesh(
      [
        rules(
          asking('http: { path: /check }', ', matches: [{ path: { value: /guarded } }]'),
          'backendRefs: [{ name: one, port: 80 }]',
        ),
      ],
      { two: auth },
    );
    expect((await mesh.request({ gateway: 'edge', path: '/open' })).status).toBe(200);
    expect(mesh.calls('two')).toEqual({ '-': 0 });
    const path = '/guarded/a?b=1';
    const refused = await mesh.request({ gateway: 'edge', path, headers: { 'x-user': 'eve' } });
    expect([refused.status, refused.header('www-authenticate'), refused.body]).toEqual([
      401,
      'Bearer',
      'no token',
    ]);
    expect(mesh.calls('one')).toEqual({ '-': 1 });
    const allowed = await mesh.request({ gateway: 'edge', path, headers: WITH_TOKEN });
    expect(allowed.status).toBe(200);
    expect(seen(allowed).target).toBe(path);
    expect(lastCheck(mesh)).toMatchObject({ method: 'GET', target: `/check${path}` });
    expect(lastCheck(mesh)?.header('host')).toBe('edge');
  });

  it('tells by default the token and the length, and takes over every header but those of the answer itself', async () => {
    await using mesh = await featureMesh([rules(asking('http: {}'))], { two: auth });
    const answer = await mesh.request({
      gateway: 'edge',
      method: 'POST',
      headers: { ...WITH_TOKEN, cookie: 'a=1', 'x-user': 'eve', 'x-mine': '1', 'content-type': 'text/plain' },
      body: '12345',
    });
    expect(answer.status).toBe(200);
    const { headers } = seen(answer);
    expect(headers).toMatchObject({
      'x-user': 'ann',
      'x-other': '1',
      'x-mine': '1',
      'content-type': 'text/plain',
    });
    const check = lastCheck(mesh);
    expect(check?.header('content-length')).toBe('0');
    for (const name of ['cookie', 'x-mine', 'x-user']) expect(check?.header(name), name).toBeUndefined();
  });

  it('tells the headers and the body that are listed, refuses a larger body, and takes over what is listed', async () => {
    await using mesh = await featureMesh(
      [
        rules(
          asking(
            'http: { allowedHeaders: [X-Mine, cookie], allowedResponseHeaders: [X-User] }, forwardBody: { maxSize: 5 }',
          ),
        ),
      ],
      { two: auth },
    );
    const post = async (body: string): ReturnType<TestMesh['request']> =>
      mesh.request({
        gateway: 'edge',
        method: 'POST',
        headers: { ...WITH_TOKEN, cookie: 'a=1', 'x-mine': '1', 'x-hers': '2', 'x-other': 'own' },
        body,
      });
    const answer = await post('12345');
    const { headers } = seen(answer);
    expect(headers).toMatchObject({ 'x-user': 'ann', 'x-other': 'own', 'content-length': '5' });
    const check = lastCheck(mesh);
    expect([check?.header('cookie'), check?.header('x-mine'), check?.header('x-hers'), check?.body]).toEqual([
      'a=1',
      '1',
      undefined,
      '12345',
    ]);
    expect((await post('123456')).status).toBe(413);
    expect(mesh.calls('two')).toEqual({ '-': 1 });
  });

  it('allows by 200 alone, and by no answer at all nothing', async () => {
    await using mesh = await featureMesh([rules(asking('http: {}'))], { two: () => ({ status: 204 }) });
    const [two] = mesh.instances('two');
    if (two === undefined) throw new Error('no instance');
    for (const [handle, status] of [
      [() => ({ status: 204 }), 204],
      [() => ({ status: 302, headers: { location: 'https://login.example/' } }), 302],
      [() => ({ status: 500 }), 403],
      [() => 'silence', 403],
    ] as const satisfies readonly (readonly [TestHandler, number])[]) {
      two.handle = handle;
      expect((await mesh.request({ gateway: 'edge' })).status).toBe(status);
    }
    expect(mesh.calls('one')).toEqual({ '-': 0 });
    await two.kill();
    expect((await mesh.request({ gateway: 'edge' })).status).toBe(403);
    expect(mesh.calls('one')).toEqual({ '-': 0 });
  });

  it('waits 10 s for an answer, and no longer than the rule lets the request take', async () => {
    const withTimeouts = (more: string): string => rules(asking('http: {}', more));
    await using mesh = await featureMesh([withTimeouts('')], { two: () => 'silence' });
    const waitedMs = async (): Promise<number> => {
      const startMs = mesh.clock.nowMs();
      expect((await mesh.request({ gateway: 'edge' })).status).toBe(403);
      return mesh.clock.nowMs() - startMs;
    };
    expect(await waitedMs()).toBe(10_000);
    await mesh.apply(withTimeouts(', timeouts: { request: 400ms }'));
    expect(await waitedMs()).toBe(400);
    await mesh.apply(withTimeouts(', timeouts: { request: 0s }'));
    expect(await waitedMs()).toBe(10_000);
    expect(mesh.calls('one')).toEqual({ '-': 0 });
  });

  it('answers 500 where there is nobody to ask, or nobody may be asked, and says so of the route', async () => {
    const elsewhere = (name: string): string =>
      asking('http: {}').replace('name: two', `name: ${name}, namespace: other`);
    await using mesh = await featureMesh([rules(asking('http: {}').replace('two', 'gone'))], { two: auth });
    const resolved = async (): Promise<string | undefined> => {
      const answer = await mesh.request({ gateway: 'edge', headers: WITH_TOKEN });
      const status = mesh.controlPlane.resourceStatus('HTTPRoute/default/r');
      const parents = status !== undefined && 'parents' in status ? status.parents : [];
      const found = parents[0]?.conditions.find(({ type }) => type === 'ResolvedRefs');
      return `${answer.status} ${found?.reason}`;
    };
    expect(await resolved()).toBe('500 BackendNotFound');
    const service = `
apiVersion: v1
kind: Service
metadata: { name: asked, namespace: other }
spec: { selector: { app: asked }, ports: [{ port: 80 }] }
`;
    await mesh.apply([service, rules(elsewhere('asked'))]);
    expect(await resolved()).toBe('500 RefNotPermitted');
    await mesh.apply(`
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: { name: g, namespace: other }
spec:
  from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default }]
  to: [{ group: '', kind: Service }]
`);
    // It may be asked now, and has no endpoint.
    expect(await resolved()).toBe('403 ResolvedRefs');
    await mesh.apply(rules(asking('http: {}')));
    expect(await resolved()).toBe('200 ResolvedRefs');
    expect(mesh.calls('one')).toEqual({ '-': 1 });
  });

  it('is for callers within the mesh too, and is asked before a redirect', async () => {
    await using mesh = await featureMesh(
      [
        routeOf(
          `parentRefs: [{ name: edge }, { group: '', kind: Service, name: one }], rules: [{ ${asking('http: {}', ', matches: [{ path: { value: /guarded } }]')} }, { matches: [{ path: { value: /moved } }], filters: [{ type: RequestRedirect, requestRedirect: { hostname: new.example } }, { type: ExternalAuth, externalAuth: { protocol: HTTP, backendRef: { name: two, port: 80 }, http: {} } }] }, { backendRefs: [{ name: one, port: 80 }] }]`,
        ),
      ],
      { one: echo, two: auth },
    );
    for (const to of [{ gateway: 'edge' }, { from: 'web', to: 'one' }]) {
      const ask = async (path: string, headers = {}): Promise<number> =>
        (await mesh.request({ ...to, path, headers })).status;
      expect(await ask('/guarded')).toBe(401);
      expect(await ask('/guarded', WITH_TOKEN)).toBe(200);
      expect(await ask('/moved')).toBe(401);
      expect(await ask('/moved', WITH_TOKEN)).toBe(302);
      expect(await ask('/')).toBe(200);
    }
  });
});
