import { describe, expect, it } from 'vitest';
import { featureMesh, routeOf, seen } from './feature-mesh.ts';

const BOTH =
  '{ matches: [{ path: { value: /a } }], filters: [{ type: RequestRedirect, requestRedirect: { hostname: a.example } }, { type: RequestMirror, requestMirror: { backendRef: { name: two, port: 80 } } }] }';

describe('a rule that both redirects and mirrors', () => {
  it('is dropped: other rules have its requests, and where there is none nobody does', async () => {
    await using mesh = await featureMesh([
      routeOf(`parentRefs: [{ name: edge }], rules: [${BOTH}, { backendRefs: [{ name: one, port: 80 }] }]`),
      routeOf(`parentRefs: [{ group: '', kind: Service, name: two }], rules: [${BOTH}]`, 's'),
    ]);
    expect(seen(await mesh.request({ gateway: 'edge', path: '/a' })).instance).toBe('one-0');
    expect((await mesh.request({ from: 'web', to: 'two', path: '/a' })).status).toBe(404);
    expect((await mesh.request({ from: 'web', to: 'two', path: '/b' })).status).toBe(404);
  });
});
