import type { RouteConfig, RouteScope, RouteScopes, ScopeKeyPart } from '@tulle/model';
import { cluster, httpListener, route } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import type { TestProxy } from '../src/index.ts';
import { CONTINUE, filter, started, type TestHooks } from './support.ts';

const API = '10.0.0.1:80';
const TENANT: ScopeKeyPart = { header: 'X-Tenant', element: 0 };
const routesTo = (name: string, more: Partial<RouteConfig> = {}): RouteConfig => ({
  name,
  virtualHosts: [
    {
      name: 'all',
      domains: ['*'],
      routes: [
        route('/', 'api', {
          name: `${name}-all`,
          requestHeaders: { set: [{ name: 'x-scope', value: name }] },
        }),
      ],
    },
  ],
  ...more,
});
const scope = (name: string, key: readonly string[], more: Partial<RouteConfig> = {}): RouteScope => ({
  name,
  key,
  routes: routesTo(name, more),
});

async function scoped(
  scopes: RouteScopes,
  more: {
    readonly handler?: Partial<Parameters<typeof httpListener>[0]>;
    readonly hooks?: TestHooks;
    readonly routes?: readonly RouteConfig[];
  } = {},
): Promise<TestProxy> {
  return started({
    listeners: [
      httpListener({
        host: '127.0.0.1',
        port: 8080,
        routes: [],
        scopes,
        filters: more.hooks === undefined ? [] : [filter('test', more.hooks, { stage: 'before-route' })({})],
        ...more.handler,
      }),
    ],
    routes: more.routes ?? [],
    clusters: [cluster('api', [API])],
    upstreams: {
      [API]: (request) => ({
        body: `${request.header('x-scope') ?? ''} ${request.header('x-inside') ?? ''}`,
      }),
    },
  });
}

const ask = async (test: TestProxy, headers: Readonly<Record<string, string>>): Promise<string> => {
  const { status, body } = await test.client().request({ headers });
  return status === 200 ? body.trim() : String(status);
};

describe('a request with a key', () => {
  it('goes by the routes of its scope, and by none where it has no key or there is no such scope', async () => {
    const test = await scoped({ key: [TENANT], scopes: [scope('red', ['r']), scope('blue', ['b'])] });
    expect(await ask(test, { 'x-tenant': 'r' })).toBe('red');
    expect(await ask(test, { 'x-tenant': 'b' })).toBe('blue');
    expect(await ask(test, { 'x-tenant': 'g' })).toBe('404');
    expect(await ask(test, {})).toBe('404');
    expect(test.records.map(({ routeName }) => routeName)).toEqual(['red-all', 'blue-all', '', '']);
  });

  it('has all of its parts, of the first line of each field', async () => {
    const key: ScopeKeyPart[] = [
      { header: 'x-list', separator: ',', element: 1 },
      { header: 'x-pairs', separator: ';', element: { key: 'a', separator: '=' } },
    ];
    const test = await scoped({ key, scopes: [scope('one', ['y', '1=2']), scope('two', ['', ''])] });
    expect(await ask(test, { 'x-list': 'x,y,z', 'x-pairs': 'ab=3;a=1=2;a=9' })).toBe('one');
    expect(await ask(test, { 'x-list': 'x,y', 'x-pairs': 'b=0' })).toBe('404');
    expect(await ask(test, { 'x-list': 'x', 'x-pairs': 'a=1=2' })).toBe('404');
    expect(await ask(test, { 'x-list': 'x,', 'x-pairs': 'a' })).toBe('two');
    const client = test.client();
    client.raw('GET / HTTP/1.1\r\nhost: x\r\nx-list: x,y\r\nx-list: x,z\r\nx-pairs: a=1=2\r\n\r\n');
    expect((await client.response()).body).toContain('one');
  });

  it('that is empty is a key, and none is not', async () => {
    const test = await scoped({ key: [TENANT], scopes: [scope('empty', [''])] });
    expect(await ask(test, { 'x-tenant': '' })).toBe('empty');
    expect(await ask(test, {})).toBe('404');
  });

  it('may have it from a filter, and a rematch finds another scope', async () => {
    const test = await scoped(
      { key: [TENANT], scopes: [scope('red', ['r']), scope('blue', ['b'])] },
      {
        hooks: {
          requestHeaders(stream) {
            stream.request.headers.set('x-tenant', 'b');
            return CONTINUE;
          },
        },
      },
    );
    expect(await ask(test, { 'x-tenant': 'r' })).toBe('blue');
  });

  it('loses the fields that are internal in its scope alone', async () => {
    const test = await scoped(
      {
        key: [TENANT],
        scopes: [scope('red', ['r'], { internalOnlyHeaders: ['X-Inside'] }), scope('blue', ['b'])],
      },
      { handler: { forwarding: { client: 'peer' } } },
    );
    expect(await ask(test, { 'x-tenant': 'r', 'x-inside': '1' })).toBe('red');
    expect(await ask(test, { 'x-tenant': 'b', 'x-inside': '1' })).toBe('blue 1');
  });

  it('goes by routes that are configured by themselves, and by newer ones from then on', async () => {
    const byName: RouteScope = { name: 'red', key: ['r'], routes: { routeConfigName: 'shared' } };
    const test = await scoped({ key: [TENANT], scopes: [byName] }, { routes: [routesTo('shared')] });
    expect(await ask(test, { 'x-tenant': 'r' })).toBe('shared');
    const { config } = test.proxy;
    await test.proxy.update({
      ...config,
      version: `${config.version}+`,
      routes: [{ ...routesTo('newer'), name: 'shared' }],
    });
    expect(await ask(test, { 'x-tenant': 'r' })).toBe('newer');
  });
});

it('scopes that could not be told apart are refused with their places', async () => {
  const key: ScopeKeyPart[] = [TENANT, { header: 'bad name', element: 2 }];
  const scopes = [
    scope('one', ['a', 'b']),
    scope('two', ['a', 'b']),
    scope('three', ['a'], { discoversHosts: true }),
  ];
  await expect(scoped({ key, scopes })).rejects.toMatchObject({
    issues: [
      { path: '/listeners/0/filterChains/0/handler/scopes/key/1/header' },
      { path: '/listeners/0/filterChains/0/handler/scopes/key/1/element' },
      { path: '/listeners/0/filterChains/0/handler/scopes/scopes/1/key' },
      { path: '/listeners/0/filterChains/0/handler/scopes/scopes/2/key' },
      { path: '/listeners/0/filterChains/0/handler/scopes/scopes/2/routes/discoversHosts' },
    ],
  });
});
