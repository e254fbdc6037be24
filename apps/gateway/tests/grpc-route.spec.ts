import { describe, expect, it } from 'vitest';
import type { MeshResponse, TestMesh } from '@tulle/testkit/mesh';
import { featureMesh, seen } from './feature-mesh.ts';

const ONE = 'backendRefs: [{ name: one, port: 80 }]';
const TWO = 'backendRefs: [{ name: two, port: 80 }]';
/** A GRPCRoute of the Gateway `edge`. @param rules flow YAML */
const rulesOf = (...rules: string[]): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: { name: r }
spec: { parentRefs: [{ name: edge }], rules: [${rules.map((rule) => `{ ${rule} }`).join(', ')}] }
`;
const call = async (
  mesh: TestMesh,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<MeshResponse> =>
  mesh.request({
    gateway: 'edge',
    method: 'POST',
    path,
    headers: { 'content-type': 'application/grpc', te: 'trailers', ...headers },
  });
/** Who answered, or the status of gRPC. */
const who = async (...args: Parameters<typeof call>): Promise<string> => {
  const response = await call(...args);
  const status = response.headers.find(([name]) => name === 'grpc-status');
  return status === undefined ? seen(response).instance : `status ${status[1]}`;
};

describe('a GRPCRoute of a Gateway', () => {
  it('goes by service and method, by pattern, and by metadata; what no rule takes is UNIMPLEMENTED', async () => {
    await using mesh = await featureMesh([
      rulesOf(
        `matches: [{ method: { service: shop.v1.Orders } }], ${ONE}`,
        `matches: [{ method: { service: shop.v1.Orders, method: Place } }], ${TWO}`,
        `matches: [{ method: { type: RegularExpression, service: 'shop\\.v[23]\\.Orders', method: 'Get|List' } }], ${TWO}`,
        `matches: [{ method: { method: Cancel }, headers: [{ name: Tenant, value: gold }] }], ${TWO}`,
        `matches: [{ method: { service: a.B } }], ${ONE}`,
      ),
    ]);
    expect(await who(mesh, '/shop.v1.Orders/Get')).toBe('one-0');
    expect(await who(mesh, '/shop.v1.Orders/Place')).toBe('two-0');
    expect(await who(mesh, '/shop.v2.Orders/List')).toBe('two-0');
    expect(await who(mesh, '/shop.v2.Orders/Place')).toBe('status 12');
    expect(await who(mesh, '/shop.v4.Orders/List')).toBe('status 12');
    expect(await who(mesh, '/any.Service/Cancel', { tenant: 'gold' })).toBe('two-0');
    expect(await who(mesh, '/any.Service/Cancel')).toBe('status 12');
    // The rule of a service goes before that of a method of any.
    expect(await who(mesh, '/a.B/Cancel', { tenant: 'gold' })).toBe('one-0');
    // What is no call of gRPC is nobody's.
    expect(
      (await mesh.request({ gateway: 'edge', method: 'POST', path: '/shop.v1.Orders/Get' })).status,
    ).toBe(404);
  });

  it('splits calls by weight, and copies them', async () => {
    await using mesh = await featureMesh([
      rulesOf(
        'matches: [{ method: { method: Split } }], backendRefs: [{ name: one, port: 80, weight: 9 }, { name: two, port: 80 }]',
        `matches: [{ method: { method: Copy } }], filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: two, port: 80 } } }], ${ONE}`,
      ),
    ]);
    const answered: string[] = [];
    for (let i = 0; i < 200; i++) answered.push(await who(mesh, '/a.B/Split'));
    const ones = answered.filter((one) => one === 'one-0').length;
    expect(ones).toBeGreaterThan(150); // 180 are meant; 100 would be those of equal weights
    expect(ones).toBeLessThan(200);
    const before = mesh.calls('two')['-'] ?? 0;
    expect(before).toBe(200 - ones);
    expect(await who(mesh, '/a.B/Copy')).toBe('one-0');
    expect(mesh.calls('two')['-']).toBe(before + 1);
  });

  it('edits metadata of requests and of answers, of a rule and of one backend', async () => {
    const set = (type: 'request' | 'response', name: string): string =>
      `{ type: ${type === 'request' ? 'Request' : 'Response'}HeaderModifier, ${type}HeaderModifier: { set: [{ name: ${name}, value: new }], remove: [x-drop] } }`;
    await using mesh = await featureMesh([
      rulesOf(
        `matches: [{ method: { method: Rule } }], filters: [${set('request', 'X-Set')}, ${set('response', 'X-Back')}], ${ONE}`,
        `matches: [{ method: { method: Backend } }], backendRefs: [{ name: one, port: 80, filters: [${set('request', 'X-Share')}] }]`,
        `matches: [{ method: { method: Plain } }], ${ONE}`,
      ),
    ]);
    const edited = async (method: string): Promise<unknown[]> => {
      const answer = await call(mesh, `/a.B/${method}`, { 'x-drop': 'caller', 'x-set': 'old' });
      const { headers } = seen(answer);
      return [
        ...['x-set', 'x-share', 'x-drop'].map((name) => headers[name]),
        ...['x-back', 'x-drop'].map(
          (name) => answer.headers.find(([one]) => one.toLowerCase() === name)?.[1],
        ),
      ];
    };
    expect(await edited('Rule')).toEqual(['new', undefined, undefined, 'new', undefined]);
    expect(await edited('Backend')).toEqual(['old', 'new', undefined, undefined, 'origin']);
    expect(await edited('Plain')).toEqual(['old', undefined, 'caller', undefined, 'origin']);
  });

  it('with a filter that gRPC lacks leads nothing: neither in from outside, nor within the mesh, nor past it', async () => {
    const asking = (filter: string): string =>
      rulesOf(
        `matches: [{ method: { method: Asked } }], filters: [${filter}], ${TWO}`,
        `matches: [{ method: { method: Plain } }], ${TWO}`,
      ).replace('{ name: edge }', "{ name: edge }, { group: '', kind: Service, name: one }");
    const auth =
      '{ type: ExternalAuth, externalAuth: { protocol: GRPC, grpc: {}, backendRef: { name: two, port: 80 } } }';
    await using mesh = await featureMesh([asking(auth)]);
    const within = async (method: string): Promise<string> => {
      const { headers, body } = await mesh.request({
        from: 'web',
        to: 'one',
        method: 'POST',
        path: `/a.B/${method}`,
        headers: { 'content-type': 'application/grpc', te: 'trailers' },
      });
      const status = headers.find(([name]) => name === 'grpc-status');
      return status === undefined
        ? (JSON.parse(body) as { instance: string }).instance
        : `status ${status[1]}`;
    };
    for (const method of ['Asked', 'Plain']) {
      expect(await who(mesh, `/a.B/${method}`)).toBe('status 12');
      expect(await within(method)).toBe('status 12');
    }
    await mesh.apply(asking('{ type: RequestHeaderModifier, requestHeaderModifier: { remove: [x-drop] } }'));
    for (const method of ['Asked', 'Plain']) {
      expect(await who(mesh, `/a.B/${method}`)).toBe('two-0');
      expect(await within(method)).toBe('two-0');
    }
  });

  it('names its rules: records say which it was, and policies are for one', async () => {
    const policy = `
apiVersion: tulle.dev/v1alpha1
kind: FilterPolicy
metadata: { name: p }
spec: { targetRefs: [{ group: gateway.networking.k8s.io, kind: GRPCRoute, name: r, sectionName: broken }], filter: tulle.http.fault, config: { abort: { status: 503 } } }
`;
    await using mesh = await featureMesh([
      rulesOf(`name: broken, matches: [{ method: { method: Broken } }], ${ONE}`, `name: rest, ${ONE}`),
      policy,
    ]);
    expect(await who(mesh, '/a.B/Broken')).toBe('status 14');
    expect(await who(mesh, '/a.B/Fine')).toBe('one-0');
    expect(mesh.records('edge').map(({ routeName }) => routeName.replace(/\/match.*/, ''))).toEqual([
      'default/r/broken',
      'default/r/rest',
    ]);
  });
});
