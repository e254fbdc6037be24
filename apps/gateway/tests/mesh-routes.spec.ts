import type { RouteStatus } from '@tulle/control-plane';
import { standardFilters } from '@tulle/standard';
import { createTestMesh, type TestMesh } from '@tulle/testkit/mesh';
import { describe, expect, it } from 'vitest';
import { echo, seen } from './feature-mesh.ts';

const ONE = 'backendRefs: [{ name: one, port: 80 }]';
const TWO = 'backendRefs: [{ name: two, port: 80 }]';
const PARENT = "parentRefs: [{ group: '', kind: Service, name: one }]";
const route = (spec: string, metadata = 'name: r', kind = 'HTTPRoute'): string =>
  `apiVersion: gateway.networking.k8s.io/v1\nkind: ${kind}\nmetadata: { ${metadata} }\nspec: { ${spec} }\n`;
const meshOf = async (...resources: string[]): Promise<TestMesh> =>
  createTestMesh({
    filters: standardFilters,
    services: { one: echo, two: echo, web: {}, 'api.team': {} },
    resources,
  });

describe('routes of a Service (GAMMA)', () => {
  it('are for the callers of all namespaces in that of the Service, and for those of their own in another one', async () => {
    await using mesh = await meshOf(
      route(
        `${PARENT}, rules: [{ filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: x-by, value: producer }] } }], ${ONE} }]`,
      ),
      route(
        "parentRefs: [{ group: '', kind: Service, name: one, namespace: default }], rules: [{ filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: x-by, value: consumer }] } }], backendRefs: [{ name: one, namespace: default, port: 80 }] }]",
        'name: mine, namespace: team',
      ),
      `apiVersion: gateway.networking.k8s.io/v1\nkind: ReferenceGrant\nmetadata: { name: g }\nspec: { from: [{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: team }], to: [{ group: '', kind: Service }] }\n`,
    );
    const by = async (from: string): Promise<string | undefined> =>
      seen(await mesh.request({ from, to: 'one.default' })).headers['x-by'];
    expect([await by('web'), await by('api')]).toEqual(['producer', 'consumer']);
    await mesh.remove('HTTPRoute/team/mine');
    expect([await by('web'), await by('api')]).toEqual(['producer', 'producer']);
  });

  it('leave a request that none of their rules matches 404, and other ports alone', async () => {
    await using mesh = await meshOf(
      `apiVersion: v1\nkind: Service\nmetadata: { name: one }\nspec: { selector: { app: one }, ports: [{ name: a, port: 80 }, { name: b, port: 81 }] }\n`,
      route(
        `parentRefs: [{ group: '', kind: Service, name: one, port: 80 }], rules: [{ matches: [{ path: { value: /a } }], ${TWO} }]`,
      ),
    );
    const ask = async (port: number, path: string): Promise<string> => {
      const response = await mesh.request({ from: 'web', to: 'one', port, path });
      return response.status === 200 ? seen(response).instance : String(response.status);
    };
    expect([await ask(80, '/a'), await ask(80, '/b'), await ask(81, '/b')]).toEqual([
      'two-0',
      '404',
      'one-0',
    ]);
  });

  it('of two kinds on one port: the GRPCRoute applies, and the HTTPRoute says that it does not', async () => {
    await using mesh = await meshOf(
      route(`${PARENT}, rules: [{ ${TWO} }]`),
      route(`${PARENT}, rules: [{ ${ONE} }]`, 'name: g', 'GRPCRoute'),
    );
    const said = (key: string): (string | undefined)[] =>
      (mesh.controlPlane.resourceStatus(key) as RouteStatus).parents.map(
        ({ conditions: [accepted] }) => `${accepted?.status}/${accepted?.reason}`,
      );
    expect(said('HTTPRoute/default/r')).toEqual(['False/RouteKindConflict']);
    expect(said('GRPCRoute/default/g')).toEqual(['True/Accepted']);
    const headers = { 'content-type': 'application/grpc' };
    expect(seen(await mesh.request({ from: 'web', to: 'one', method: 'POST', headers })).instance).toBe(
      'one-0',
    );
    expect((await mesh.request({ from: 'web', to: 'one' })).status).toBe(404);
  });

  it.each([
    ['path', '{ path: { type: ReplacePrefixMatch, replacePrefixMatch: /z } }', 'http://one/z/b?c=d'],
    ['whole path', '{ path: { type: ReplaceFullPath, replaceFullPath: /z } }', 'http://one/z?c=d'],
    ['port', '{ port: 8443 }', 'http://one:8443/a/b?c=d'],
    ['scheme', '{ scheme: https }', 'https://one/a/b?c=d'],
  ])('redirect: %s', async (_, redirect, location) => {
    await using mesh = await meshOf(
      route(
        `${PARENT}, rules: [{ matches: [{ path: { value: /a } }], filters: [{ type: RequestRedirect, requestRedirect: ${redirect} }] }]`,
      ),
    );
    const response = await mesh.request({ from: 'web', to: 'one', path: '/a/b?c=d' });
    expect([response.status, response.header('location')]).toEqual([302, location]);
  });

  it('rewrite paths, match query parameters, edit the fields of one backend, and name their rules', async () => {
    await using mesh = await meshOf(
      route(
        `${PARENT}, rules: [{ name: rewrites, matches: [{ path: { value: /old } }], filters: [{ type: URLRewrite, urlRewrite: { path: { type: ReplacePrefixMatch, replacePrefixMatch: /new } } }], ${ONE} }, { name: queries, matches: [{ queryParams: [{ name: to, value: two }] }], backendRefs: [{ name: two, port: 80, filters: [{ type: RequestHeaderModifier, requestHeaderModifier: { set: [{ name: x-only, value: two }] } }] }] }]`,
      ),
    );
    expect(seen(await mesh.request({ from: 'web', to: 'one', path: '/old/a?b=c' })).target).toBe(
      '/new/a?b=c',
    );
    const { instance, headers } = seen(await mesh.request({ from: 'web', to: 'one', path: '/?to=two' }));
    expect([instance, headers['x-only']]).toEqual(['two-0', 'two']);
    const rules = mesh.records('web').map(({ routeName }) => routeName.replace(/\/match.*/, ''));
    expect(rules).toEqual(['default/r/rewrites', 'default/r/queries']);
  });
});
