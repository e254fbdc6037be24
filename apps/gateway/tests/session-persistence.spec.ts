import { standardFilters } from '@tulle/standard';
import { createTestMesh, type TestHandler, type TestMesh } from '@tulle/testkit/mesh';
import { describe, expect, it } from 'vitest';
import { ruleOf } from './feature-mesh.ts';

const GATEWAY = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  gatewayClassName: tulle
  listeners: [{ name: http, port: 80, protocol: HTTP }, { name: https, port: 443, protocol: HTTPS, tls: { certificateRefs: [{ name: one }] } }]
`;
const named: TestHandler = ({ instance }) => ({ body: instance });
const mesh = async (handle: TestHandler, ...resources: string[]): Promise<TestMesh> =>
  createTestMesh({
    filters: standardFilters,
    services: { one: { handle, instances: 4 }, two: { handle, instances: 2 }, web: {} },
    gateways: { edge: { certificates: ['default/one'] } },
    resources: [GATEWAY, ...resources],
  });

interface Came {
  readonly from: string;
  /** Lines of `set-cookie`. */
  readonly cookies: readonly string[];
  readonly headers: ReadonlyMap<string, string>;
}

const ask = async (
  to: TestMesh,
  headers: readonly [string, string][] = [],
  more: { readonly path?: string; readonly port?: number; readonly tls?: object } = {},
): Promise<Came> => {
  const answer = await to.request({ gateway: 'edge', headers, ...more });
  const lines = answer.headers.map(([name, value]): [string, string] => [name.toLowerCase(), value]);
  return {
    from: answer.body,
    cookies: lines.filter(([name]) => name === 'set-cookie').map(([, value]) => value),
    headers: new Map(lines),
  };
};
/** What a browser sends back of it. */
const back = ({ cookies }: Came): [string, string][] => [
  ['cookie', cookies.map((line) => line.slice(0, line.indexOf(';'))).join('; ')],
];
const several = async (to: TestMesh, headers: [string, string][], times = 12): Promise<Set<string>> => {
  const seen = new Set<string>();
  for (let i = 0; i < times; i++) seen.add((await ask(to, headers)).from);
  return seen;
};
const TO_ONE = 'backendRefs: [{ name: one, port: 80 }]';

describe('a session of a rule', () => {
  it('stays at the endpoint that answered first, by a cookie for the paths of the rule that shows no address', async () => {
    await using m = await mesh(
      named,
      ruleOf(`matches: [{ path: { value: /shop } }], sessionPersistence: {}, ${TO_ONE}`),
    );
    const path = '/shop/cart';
    const first = await ask(m, [], { path });
    expect(first.cookies).toEqual([
      expect.stringMatching(/^session-[0-9a-f]{8}=[0-9a-f]{56}; Path=\/shop; HttpOnly; SameSite=Strict$/),
    ]);
    const seen = new Set<string>();
    for (let i = 0; i < 16; i++) {
      const { from, cookies } = await ask(m, [['cookie', `other=1; ${back(first)[0]?.[1]}`]], { path });
      seen.add(from);
      expect(cookies).toEqual([]); // it has one already
    }
    expect([...seen]).toEqual([first.from]);
    expect((await several(m, [], 1)).size).toBe(1);
    const others = new Set<string>();
    for (let i = 0; i < 16; i++) others.add((await ask(m, [], { path })).from);
    expect(others.size).toBeGreaterThan(1);
    const host = m.instances('one')[0]?.name ?? '';
    expect(first.cookies.join()).not.toMatch(new RegExp(`10\\.\\d|${host}`));
    const secure = await ask(m, [], { path, port: 443, tls: {} });
    expect(secure.cookies).toEqual([expect.stringMatching(/; SameSite=Strict; Secure$/)]);
  });

  it('goes before weights, also where its backend has none any more', async () => {
    const rule = (one: number, two: number): string =>
      ruleOf(
        `sessionPersistence: { sessionName: sid }, backendRefs: [{ name: one, port: 80, weight: ${one}, filters: [{ type: ResponseHeaderModifier, responseHeaderModifier: { set: [{ name: x-backend, value: one }] } }] }, { name: two, port: 80, weight: ${two} }]`,
      );
    await using m = await mesh(named, rule(1, 0));
    const first = await ask(m);
    expect(first.from).toMatch(/^one/);
    expect(first.cookies[0]).toMatch(/^sid=/);
    await m.apply(rule(0, 1));
    expect((await ask(m, back(first))).headers.get('x-backend')).toBe('one');
    expect([...(await several(m, back(first)))]).toEqual([first.from]);
    expect([...(await several(m, []))].every((name) => name.startsWith('two'))).toBe(true);
  });

  it('begins anew elsewhere once its endpoint is gone, or does not answer', async () => {
    let failing = '';
    const handle: TestHandler = ({ instance }) =>
      instance === failing ? { status: 503, body: instance } : { body: instance };
    await using m = await mesh(
      handle,
      ruleOf(`sessionPersistence: {}, retry: { codes: [503], attempts: 2 }, ${TO_ONE}`),
    );
    const first = await ask(m);
    failing = first.from;
    const second = await ask(m, back(first));
    expect(second.from).not.toBe(first.from);
    expect(second.cookies).toHaveLength(1);
    failing = '';
    expect([...(await several(m, back(second)))]).toEqual([second.from]);
    // Who kept the token of before comes back, as that endpoint has recovered.
    expect([...(await several(m, back(first)))]).toEqual([first.from]);
    await m
      .instances('one')
      .find(({ name }) => name === second.from)
      ?.leave();
    const third = await ask(m, back(second));
    expect(third.from).not.toBe(second.from);
    expect([...(await several(m, back(third)))]).toEqual([third.from]);
  });

  it('is over when it has rested too long, or lasted long enough', async () => {
    await using m = await mesh(
      named,
      ruleOf(`sessionPersistence: { idleTimeout: 10s, absoluteTimeout: 25s }, ${TO_ONE}`),
    );
    let last = await ask(m);
    expect(last.cookies[0]).not.toContain('Max-Age');
    const fresh = async (): Promise<Came> => ask(m, back(last));
    for (let i = 0; i < 3; i++) {
      await m.advance(8_000);
      const next = await fresh(); // each answer says that it was used
      expect(next.from).toBe(last.from);
      expect(next.cookies).toHaveLength(1);
      last = next;
    }
    // 24 s: another 2 s, and it has lasted 25.
    await m.advance(2_000);
    const froms = new Set<string>();
    for (let i = 0; i < 16; i++) froms.add((await fresh()).from);
    expect(froms.size).toBeGreaterThan(1);
    last = await ask(m);
    expect([...(await several(m, back(last)))]).toEqual([last.from]);
    await m.advance(11_000);
    froms.clear();
    for (let i = 0; i < 16; i++) froms.add((await fresh()).from);
    expect(froms.size).toBeGreaterThan(1);
  });

  it('has a cookie that is kept, where it is to be permanent', async () => {
    await using m = await mesh(
      named,
      ruleOf(
        `sessionPersistence: { absoluteTimeout: 1h, idleTimeout: 50m, cookieConfig: { lifetimeType: Permanent } }, ${TO_ONE}`,
      ),
    );
    const first = await ask(m);
    expect(first.cookies[0]).toContain('; Max-Age=3600;');
    await m.advance(600_000);
    expect((await ask(m, back(first))).cookies[0]).toContain('; Max-Age=3000;');
  });

  it('goes by a header where that is asked for', async () => {
    await using m = await mesh(
      named,
      ruleOf(`sessionPersistence: { type: Header, sessionName: X-Session }, ${TO_ONE}`),
    );
    const first = await ask(m);
    expect(first.cookies).toEqual([]);
    const token = first.headers.get('x-session') ?? '';
    expect(token).toMatch(/^[0-9a-f]{56}$/);
    expect([...(await several(m, [['X-Session', token]]))]).toEqual([first.from]);
  });

  it('is not to be forged, prolonged or carried to another name', async () => {
    await using m = await mesh(named, ruleOf(`sessionPersistence: { sessionName: sid }, ${TO_ONE}`));
    const [, value = ''] = back(await ask(m))[0]?.[1].split('=') ?? [];
    const flipped = (at: number): string =>
      value.slice(0, at) + (value[at] === '0' ? '1' : '0') + value.slice(at + 1);
    for (const token of [
      flipped(0),
      flipped(20),
      flipped(30),
      flipped(50),
      '',
      'f'.repeat(56),
      `${value}0`,
    ]) {
      const { cookies } = await ask(m, [['cookie', `sid=${token}`]]);
      expect(cookies, token).toHaveLength(1);
    }
    expect((await ask(m, [['cookie', `other=${value}`]])).cookies).toHaveLength(1);
    expect((await ask(m, [['cookie', `sid=${value}`]])).cookies).toEqual([]);
  });
});

describe('a session of a Service', () => {
  const policy = (spec: string): string => `
apiVersion: gateway.networking.x-k8s.io/v1alpha1
kind: XBackendTrafficPolicy
metadata: { name: one }
spec: { targetRefs: [{ group: '', kind: Service, name: one }], sessionPersistence: { ${spec} } }
`;

  it('is for every route that leads there, and for calls within the mesh, unless a rule says otherwise', async () => {
    await using m = await mesh(named, ruleOf(TO_ONE), policy('sessionName: of-service'));
    const first = await ask(m);
    expect(first.cookies[0]).toMatch(/^of-service=[0-9a-f]{56}; HttpOnly; SameSite=Strict$/);
    expect([...(await several(m, back(first)))]).toEqual([first.from]);
    // Of one Service the token is the same, wherever the call comes from.
    const within = new Set<string>();
    for (let i = 0; i < 12; i++)
      within.add((await m.request({ from: 'web', to: 'one', headers: back(first) })).body);
    expect([...within]).toEqual([first.from]);
    await m.apply(ruleOf(`sessionPersistence: { sessionName: of-rule }, ${TO_ONE}`));
    expect((await ask(m)).cookies).toEqual([expect.stringMatching(/^of-rule=/)]);
    await m.apply(
      policy('type: Header').replace('sessionPersistence: { type: Header }', 'retryConstraint: {}'),
    );
    await m.apply(ruleOf(TO_ONE));
    expect((await ask(m)).cookies).toEqual([]);
  });
});

it('a session of a GRPCRoute is one of HTTP', async () => {
  await using m = await mesh(
    () => ({ headers: { 'content-type': 'application/grpc', 'grpc-status': '0' } }),
    `
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: { name: r }
spec: { parentRefs: [{ name: edge }], rules: [{ sessionPersistence: { sessionName: sid }, backendRefs: [{ name: one, port: 80 }] }] }
`,
  );
  const call = async (headers: [string, string][]): Promise<Came> =>
    ask(m, [['content-type', 'application/grpc'], ['te', 'trailers'], ...headers], {
      path: '/shop.v1.Orders/Get',
    });
  const first = await call([]);
  expect(first.cookies).toEqual([expect.stringMatching(/^sid=.*; Path=\/; HttpOnly/)]);
  expect((await call(back(first))).cookies).toEqual([]);
});
