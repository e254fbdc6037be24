import {
  addMetadata,
  CONTINUE,
  defineConnFilter,
  defineHttpFilter,
  DYNAMIC_METADATA,
  putFilterState,
} from '@tulle/filter';
import { loadRegexEngine } from '@tulle/match';
import type { AuthzExpression, FilterStateTest } from '@tulle/model';
import { jsonSchema } from '@tulle/schema';
import { runChain, type ChainRun } from '@tulle/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { authz, connAuthz } from './index.ts';

beforeAll(async () => void (await loadRegexEngine()));

const WEB = 'spiffe://mesh.local/ns/default/sa/web';

/** Says something before authorization looks. */
const says = defineHttpFilter<{ values: Record<string, unknown> }>({
  apiVersion: 1,
  id: 'tulle-filter-says',
  config: jsonSchema<{ values: Record<string, unknown> }>({
    type: 'object',
    properties: { values: { type: 'object' } },
  }),
  provides: [DYNAMIC_METADATA],
  create: () => ({
    requestHeaders(stream, { values }) {
      addMetadata(stream, 'envoy.filters.http.jwt_authn', values);
      return CONTINUE;
    },
  }),
});

async function holds(
  expression: AuthzExpression,
  run: Partial<ChainRun> = {},
  metadata: Record<string, unknown> = {},
): Promise<boolean> {
  const { response } = await runChain({
    filters: [
      says({ values: metadata }),
      authz({ policies: [{ name: 'p', action: 'ALLOW', rules: [{ expression }] }] }),
    ],
    ...run,
  });
  return response?.status === 200;
}

const LINES: Partial<ChainRun> = {
  request: {
    headers: [
      ['x', '-3'],
      ['x', 'v1'],
    ],
  },
};

const ANY = {
  '~standard': {
    version: 1 as const,
    vendor: 'test',
    validate: (value: unknown) => ({ value: value as object }),
  },
  jsonSchema: {},
};

describe('an expression', () => {
  it.each<[string, AuthzExpression, Partial<ChainRun>, boolean]>([
    ['anybody', { any: true }, {}, true],
    ['nobody', { not: { any: true } }, {}, false],
    ['a path', { path: { kind: 'exact', value: '/a' } }, { request: { path: '/a?b=c' } }, true],
    [
      'a path and its query',
      { path: { kind: 'suffix', value: 'b=c' } },
      { request: { path: '/a?b=c' } },
      false,
    ],
    [
      ':path, which has the query',
      { header: { name: ':path', match: { kind: 'exact', value: '/a?b=c' } } },
      { request: { path: '/a?b=c' } },
      true,
    ],
    [
      'a method',
      { header: { name: ':method', match: { kind: 'regex', value: 'P(OS|U)T' } } },
      { request: { method: 'PUT' } },
      true,
    ],
    ['one of several lines', { header: { name: 'x', match: { kind: 'regex', value: 'v.*' } } }, LINES, true],
    ['no line', { header: { name: 'x', match: { kind: 'exact', value: 'w' } } }, LINES, false],
    [
      'no lines put together',
      { header: { name: 'x', match: { kind: 'exact', value: '-3,v1' } } },
      LINES,
      false,
    ],
    [
      'one of several lines, inverted',
      { header: { name: 'x', match: { kind: 'exact', value: 'v1' }, invert: true } },
      LINES,
      false,
    ],
    [
      'no line, inverted',
      { header: { name: 'x', match: { kind: 'exact', value: 'w' }, invert: true } },
      LINES,
      true,
    ],
    [
      'crumbs of a cookie, as one',
      { header: { name: 'cookie', match: { kind: 'exact', value: 'a=1; b=2' } } },
      {
        request: {
          headers: [
            ['cookie', 'a=1'],
            ['cookie', 'b=2'],
          ],
        },
      },
      true,
    ],
    [
      'an absent field, inverted',
      { header: { name: 'x', match: { kind: 'exact', value: 'a' }, invert: true } },
      {},
      false,
    ],
    ['an absent field', { header: { name: 'x', match: { kind: 'present' }, invert: true } }, {}, true],
    [
      'both of two',
      { allOf: [{ any: true }, { header: { name: 'x', match: { kind: 'present' } } }] },
      { request: { headers: { x: '1' } } },
      true,
    ],
    ['one of two', { anyOf: [{ not: { any: true } }, { ports: { first: 1, last: 65_535 } }] }, {}, true],
    ['another port', { ports: { first: 1, last: 2 } }, {}, false],
    ['a network', { peer: '192.0.2.0/24' }, { caller: { host: '192.0.2.7' } }, true],
    ['a caller whom nobody else names', { client: '192.0.2.0/24' }, { caller: { host: '192.0.2.7' } }, true],
    ['another network', { peer: '192.0.2.0/24' }, { caller: { host: '192.0.3.7' } }, false],
    ['where it went', { destination: '127.0.0.0/8' }, {}, true],
    [
      'an identity',
      { identity: { kind: 'suffix', value: '/sa/web' } },
      { caller: { tls: { identity: WEB } } },
      true,
    ],
    ['any identity', { identity: { kind: 'present' } }, { caller: { tls: { identity: WEB } } }, true],
    ['any identity of nobody', { identity: { kind: 'present' } }, {}, false],
    ['no server name', { serverName: { kind: 'exact', value: '' } }, {}, true],
  ])('%s', async (_what, expression, run, expected) => {
    expect(await holds(expression, run)).toBe(expected);
  });

  it.each<[string, AuthzExpression & { metadata: object }, boolean]>([
    ['a text', meta(['p', 'sub'], { text: { kind: 'exact', value: 'ann' } }), true],
    ['another text', meta(['p', 'sub'], { text: { kind: 'exact', value: 'bob' } }), false],
    ['one of a list', meta(['p', 'groups'], { element: { text: { kind: 'exact', value: 'dev' } } }), true],
    ['a text that is a list', meta(['p', 'groups'], { text: { kind: 'contains', value: 'dev' } }), false],
    ['a number', meta(['p', 'level'], { number: { first: 3, last: 4 } }), true],
    ['a number at the end of a range', meta(['p', 'level'], { number: { first: 2, last: 3 } }), false],
    ['the number', meta(['p', 'level'], { number: { exact: 3 } }), true],
    ['what is true', meta(['p', 'admin'], { truth: true }), true],
    ['what is there', meta(['p'], { present: true }), true],
    ['what is not there', meta(['q'], { present: true }), false],
    ['nothing', meta(['p', 'none'], { nothing: true }), true],
    ['one of two', meta(['p', 'level'], { anyOf: [{ nothing: true }, { number: { exact: 3 } }] }), true],
    ['a name of the prototype', meta(['p', 'constructor'], { present: true }), false],
  ])('on metadata: %s', async (_what, expression, expected) => {
    const values = { p: { sub: 'ann', groups: ['ops', 'dev'], level: 3, admin: true, none: null } };
    expect(await holds(expression, {}, values)).toBe(expected);
    const inverted = { metadata: { ...expression.metadata, invert: true } } as AuthzExpression;
    expect(await holds(inverted, {}, values)).toBe(!expected);
  });

  function meta(path: readonly string[], value: object): AuthzExpression & { metadata: object } {
    return { metadata: { namespace: 'envoy.filters.http.jwt_authn', path, value } } as never;
  }
});

it('a policy that logs decides nothing, and is counted', async () => {
  const { response, meter } = await runChain({
    filters: [
      authz(
        { policies: [{ name: 'seen', action: 'LOG', rules: [{ expression: { any: true } }] }] },
        { name: 'authz' },
      ),
    ],
  });
  expect(response?.status).toBe(200);
  expect(meter.value('tulle_filter_authz_logged_total', { policy: 'seen' })).toBe(1);
});

it('policies in shadow mode tell later filters what they would decide', async () => {
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
  const known = async (path: string) => {
    const { upstreamRequests } = await runChain({
      filters: [
        authz({
          shadowMetadata: 'x_',
          policies: [
            {
              name: 'watch',
              action: 'DENY',
              shadow: true,
              rules: [{ expression: { path: { kind: 'exact', value: '/a' } } }],
            },
          ],
        }),
        shows({}),
      ],
      request: { path },
    });
    return JSON.parse(upstreamRequests[0]?.header('x-known') ?? 'null') as unknown;
  };
  expect(await known('/a')).toEqual({
    'envoy.filters.http.rbac': {
      x_shadow_engine_result: 'denied',
      x_shadow_effective_policy_id: 'watch',
    },
  });
  expect(await known('/b')).toEqual({ 'envoy.filters.http.rbac': { x_shadow_engine_result: 'allowed' } });
});

describe('connections', () => {
  const connect = (expression: AuthzExpression, action: 'ALLOW' | 'DENY', run: Partial<ChainRun> = {}) =>
    runChain({
      filters: [],
      connectionFilters: [connAuthz({ policies: [{ name: 'p', action, expression }] }, { name: 'rbac' })],
      ...run,
    });

  it('are judged by whom they prove to be, before a byte is read', async () => {
    const caller = { tls: { identity: WEB } };
    const expression: AuthzExpression = { identity: { kind: 'exact', value: WEB } };
    expect((await connect(expression, 'ALLOW', { caller })).response?.status).toBe(200);
    const denied = await connect(expression, 'DENY', { caller });
    expect([denied.closed, denied.upstreamRequests.length]).toEqual([true, 0]);
    expect(denied.meter.value('tulle_filter_conn_authz_denied_total', { policy: 'p' })).toBe(1);
    const stranger = await connect(expression, 'ALLOW', {
      caller: { tls: { identity: 'spiffe://mesh.local/ns/default/sa/other' } },
    });
    expect(stranger.closed).toBe(true);
    expect(stranger.meter.value('tulle_filter_conn_authz_denied_total', { policy: 'none' })).toBe(1);
  });

  it('are judged by what filters before put down about them, as their requests are', async () => {
    const put = (value: string) =>
      defineConnFilter<object>({
        apiVersion: 1,
        id: 'put',
        config: ANY,
        create: () => ({
          connect(connection) {
            putFilterState(connection, 'who', value);
            return CONTINUE;
          },
        }),
      })({}, { name: 'put' });
    const run = async (value: string, filterState: FilterStateTest, action: 'ALLOW' | 'DENY') => {
      const expression = { filterState };
      const before = put(value);
      const policy = { name: 'p', action, expression };
      const [conn, http] = await Promise.all([
        runChain({
          filters: [],
          connectionFilters: [before, connAuthz({ policies: [policy] }, { name: 'rbac' })],
        }),
        runChain({
          filters: [authz({ policies: [{ name: 'p', action, rules: [{ expression }] }] }, { name: 'rbac' })],
          connectionFilters: [before],
        }),
      ]);
      return [conn.response?.status ?? 'closed', http.response?.status];
    };
    const web: FilterStateTest = { key: 'who', match: { kind: 'prefix', value: 'spiffe://a/' } };
    expect(await run('spiffe://a/web', web, 'ALLOW')).toEqual([200, 200]);
    expect(await run('spiffe://b/web', web, 'ALLOW')).toEqual(['closed', 403]);
    expect(await run('spiffe://a/web', web, 'DENY')).toEqual(['closed', 403]);
    const other: FilterStateTest = { key: 'constructor', match: { kind: 'prefix', value: '' } };
    expect(await run('x', other, 'ALLOW')).toEqual(['closed', 403]);
    const network: FilterStateTest = { key: 'who', cidrs: ['10.0.0.0/8', '2001:db8::/32'] };
    expect(await run('10.1.2.3:80', network, 'ALLOW')).toEqual([200, 200]);
    expect(await run('[2001:db8::1]:80', network, 'ALLOW')).toEqual([200, 200]);
    expect(await run('11.1.2.3:80', network, 'ALLOW')).toEqual(['closed', 403]);
    expect(await run('nobody', network, 'ALLOW')).toEqual(['closed', 403]);
  });

  it('have no path: a policy that asks for one is refused', async () => {
    await expect(connect({ path: { kind: 'exact', value: '/' } }, 'DENY')).rejects.toThrow(
      /which a connection has none of/,
    );
  });
});
