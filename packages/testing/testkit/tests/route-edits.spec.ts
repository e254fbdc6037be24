import type { Rewrite, RouteConfig, RouteHeaderEdits, VirtualHost, WeightedCluster } from '@tulle/model';
import { cluster, httpListener } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import type { Caller, TestProxyOptions, TestRequest, TestResponse, UpstreamRequest } from '../src/index.ts';
import { filter, started } from './support.ts';

type HttpListenerFilters = NonNullable<Parameters<typeof httpListener>[0]['filters']>;
type Answer = NonNullable<TestProxyOptions['upstreams']>[string];

interface Seen {
  readonly request: UpstreamRequest | undefined;
  readonly response: TestResponse;
}

/** One request through a route with edits in each of its places. */
async function edited(
  places: {
    readonly config?: Omit<RouteConfig, 'name' | 'virtualHosts'>;
    readonly host?: Partial<VirtualHost>;
    readonly route?: RouteHeaderEdits;
    readonly onResponse?: RouteHeaderEdits;
    readonly backend?: Partial<WeightedCluster>;
    readonly rewrite?: Rewrite;
    readonly answer?: Answer;
    readonly filters?: HttpListenerFilters;
    readonly from?: Caller;
  },
  request: TestRequest = {},
): Promise<Seen> {
  const test = await started({
    listeners: [
      httpListener({
        port: 8080,
        ...(places.filters && { filters: places.filters }),
        routes: {
          ...places.config,
          virtualHosts: [
            {
              name: 'all',
              domains: ['*'],
              ...places.host,
              routes: [
                {
                  name: 'one',
                  match: { path: { kind: 'prefix', value: '/' } },
                  ...(places.route && { requestHeaders: places.route }),
                  ...(places.onResponse && { responseHeaders: places.onResponse }),
                  action: {
                    kind: 'forward',
                    clusters: [{ name: 'api', ...places.backend }],
                    ...(places.rewrite && { rewrite: places.rewrite }),
                  },
                },
              ],
            },
          ],
        },
      }),
    ],
    clusters: [cluster('api', ['10.0.0.1:80'])],
    upstreams: { '10.0.0.1:80': places.answer ?? (() => ({ body: 'ok' })) },
  });
  const response = await test.client(places.from).request(request);
  return { request: test.upstream('10.0.0.1:80').requests[0], response };
}

const set = (value: string): RouteHeaderEdits => ({ set: [{ name: 'x-who', value }] });
const add = (value: string): RouteHeaderEdits => ({ add: [{ name: 'x-who', value }] });

describe('edits of the places around a backend', () => {
  const all = (of: (value: string) => RouteHeaderEdits) => ({
    config: { requestHeaders: of('config') },
    host: { requestHeaders: of('host') },
    route: of('route'),
    backend: { requestHeaders: of('backend') },
  });

  it('give the nearest place the last word', async () => {
    const { request } = await edited(all(set));
    expect(request?.headerAll('x-who')).toEqual(['backend']);
    expect((await edited(all(add))).request?.headerAll('x-who')).toEqual([
      'config',
      'host',
      'route',
      'backend',
    ]);
  });

  it('go from the nearest outwards as Envoy does unless told otherwise', async () => {
    const first = { headerOrder: 'specific-first' } as const;
    const places = all(set);
    const { request } = await edited({ ...places, config: { ...places.config, ...first } });
    expect(request?.headerAll('x-who')).toEqual(['config']);
    const adding = all(add);
    const added = await edited({ ...adding, config: { ...adding.config, ...first } });
    expect(added.request?.headerAll('x-who')).toEqual(['backend', 'route', 'host', 'config']);
  });

  it('edit responses too, also those that are given here', async () => {
    const { response } = await edited({
      config: { responseHeaders: add('config') },
      host: { responseHeaders: add('host') },
      onResponse: add('route'),
    });
    expect(response.headerAll('x-who')).toEqual(['config', 'host', 'route']);
  });

  it('edit what is answered in the place of a backend, which has its own fields on top', async () => {
    const places = {
      host: { responseHeaders: add('host') },
      onResponse: {
        set: [{ name: 'content-type', value: 'image/png' }],
        add: [
          { name: 'x-who', value: 'route' },
          { name: 'x-status', value: '%RESPONSE_CODE%', format: true },
          { name: 'set-cookie', value: 'a=1' },
        ],
        remove: ['x-why'],
      },
      backend: { responseHeaders: add('backend') },
    };
    const all = ['x-who', 'x-status', 'x-why', 'content-type', 'set-cookie', 'location'];
    const told = ({ response }: Seen) => all.map((name) => response.headerAll(name).join());
    const text = 'text/plain; charset=utf-8';
    const broken = await edited({ ...places, answer: () => 'reset' });
    expect(told(broken)).toEqual(['host,route,backend', '503', '', text, 'a=1', '']);
    const deny = filter('deny', {
      requestHeaders: (stream) =>
        stream.reply(403, 'TULLE_DENIED', 'no', [
          ...['x-why', 'because', 'x-who', 'deny', 'x-who', 'again'],
          ...['set-cookie', 'b=2'],
        ]),
    })({});
    const denied = await edited({ ...places, filters: [deny] });
    expect(told(denied)).toEqual(['deny,again', '403', 'because', text, 'a=1,b=2', '']);
    expect(denied.request).toBeUndefined();
    // The answer of another place: neither backend nor route have a part in it.
    const elsewhere = await edited({ ...places, host: { ...places.host, requireTls: 'all' } });
    expect(told(elsewhere)).toEqual(['', '', '', '', '', 'https://test.example/']);
  });
});

describe('an edit', () => {
  it('sets or adds on a condition that is asked before anything is put', async () => {
    const route: RouteHeaderEdits = {
      remove: ['x-gone'],
      setIfPresent: [
        { name: 'x-there', value: 'new' },
        { name: 'x-not-there', value: 'new' },
      ],
      addIfAbsent: [
        { name: 'x-gone', value: 'back' },
        { name: 'x-kept', value: 'other' },
      ],
    };
    const { request } = await edited(
      { route },
      { headers: { 'x-there': 'old', 'x-kept': 'mine', 'x-gone': 'old' } },
    );
    expect(['x-there', 'x-not-there', 'x-gone', 'x-kept'].map((name) => request?.headerAll(name))).toEqual([
      ['new'],
      [],
      ['back'],
      ['mine'],
    ]);
  });

  it('puts lines of one name in the order of the list, made or not', async () => {
    const route: RouteHeaderEdits = {
      add: [
        { name: 'x-list', value: '%REQ(:method)%', format: true },
        { name: 'x-list', value: 'plain' },
        { name: 'x-list', value: '%REQ(:path)%', format: true },
      ],
      set: [
        { name: 'x-last', value: '%REQ(:method)%', format: true },
        { name: 'x-last', value: 'plain' },
      ],
    };
    const { request } = await edited({ route }, { path: '/a' });
    expect(request?.headerAll('x-list')).toEqual(['GET', 'plain', '/a']);
    expect(request?.headerAll('x-last')).toEqual(['plain']);
  });

  it('makes values of what is known of the stream, and none of what is unset', async () => {
    const format = (value: string) => ({ value, format: true });
    const { request, response } = await edited(
      {
        from: { host: '192.0.2.7' },
        route: {
          set: [
            { name: 'x-peer', ...format('%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%') },
            { name: 'x-line', ...format('%REQ(:method)% %REQ(:path)% 100%%') },
            { name: 'x-none', ...format('%REQ(x-absent)%') },
            { name: 'x-plain', value: '100%' },
          ],
        },
        onResponse: { add: [{ name: 'x-route', ...format('%ROUTE_NAME%/%UPSTREAM_CLUSTER%') }] },
      },
      { path: '/a?b=c' },
    );
    expect(['x-peer', 'x-line', 'x-none', 'x-plain'].map((name) => request?.headerAll(name))).toEqual([
      ['192.0.2.7'],
      ['GET /a?b=c 100%'],
      [],
      ['100%'],
    ]);
    expect(response.headerAll('x-route')).toEqual(['one/api']);
  });

  it('shows the target that was asked for, and is there for the one that is made of it', async () => {
    const { request } = await edited(
      {
        route: {
          set: [
            { name: 'x-asked', value: '%REQ(:authority)%%REQ(:path)%', format: true },
            { name: 'x-tenant', value: 'blue' },
          ],
        },
        rewrite: {
          hostFrom: { kind: 'header', name: 'x-tenant' },
          path: { kind: 'format', value: '/%REQ(x-tenant)%%PATH(NQ)%' },
        },
      },
      { path: '/a?b', headers: { host: 'shop.example', 'x-tenant': 'red' } },
    );
    expect([request?.target, request?.header('host'), request?.header('x-asked')]).toEqual([
      '/blue/a?b',
      'blue',
      'shop.example/a?b',
    ]);
  });

  it('is refused where it cannot be made, or what it depends on is edited too', async () => {
    await expect(
      edited({ route: { set: [{ name: 'x', value: '%NO_SUCH%', format: true }] } }),
    ).rejects.toThrow(/requestHeaders\/set\/0\/value column 1/);
    await expect(
      edited({ route: { set: [{ name: 'x', value: '1' }], addIfAbsent: [{ name: 'X', value: '2' }] } }),
    ).rejects.toThrow(/addIfAbsent\/0\/name "X" stands in set too/);
  });
});

describe('a virtual host', () => {
  it('sends those to HTTPS that came without it', async () => {
    const { request, response } = await edited(
      { host: { requireTls: 'all' } },
      { path: '/a?b=c', headers: { host: 'shop.example:8080' } },
    );
    expect([request, response.status, response.header('location')]).toEqual([
      undefined,
      301,
      'https://shop.example/a?b=c',
    ]);
  });

  it('sends only those that come from outside where it is told so', async () => {
    const of = async (host: string): Promise<number> =>
      (await edited({ host: { requireTls: 'external' }, from: { host } })).response.status;
    expect([await of('192.0.2.7'), await of('10.1.1.1'), await of('::ffff:192.168.3.4')]).toEqual([
      301, 200, 200,
    ]);
  });

  it('tells endpoint and caller which attempt it is', async () => {
    const both = await edited({ host: { attemptCount: { request: true, response: true } } });
    expect([both.request, both.response].map((one) => one?.header('x-envoy-attempt-count'))).toEqual([
      '1',
      '1',
    ]);
    const failed = await edited({
      host: { attemptCount: { response: true } },
      answer: () => 'reset',
    });
    expect([failed.response.status, failed.response.header('x-envoy-attempt-count')]).toEqual([503, '1']);
    const none = await edited({});
    expect([none.request, none.response].map((one) => one?.header('x-envoy-attempt-count'))).toEqual([
      undefined,
      undefined,
    ]);
  });
});
