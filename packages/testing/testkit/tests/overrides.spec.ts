import { CONTINUE, defineHttpFilter, defineSlot, type HttpFilterUse } from '@tulle/filter';
import type { Route } from '@tulle/model';
import { cluster, httpListener, route } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import { runChain, type TestProxy } from '../src/index.ts';
import { anything, filter, started } from './support.ts';

/** Lets as many requests pass as its configuration says, counted for each configuration object; `{}`: all. */
const limit = defineHttpFilter<{ max?: number }, { max?: number }>({
  apiVersion: 1,
  id: 'limit',
  config: anything<{ max?: number }>(),
  routeConfig: anything<{ max?: number }>(),
  create() {
    const counts = new WeakMap<object, number>();
    return {
      requestHeaders(stream, config) {
        const count = (counts.get(config) ?? 0) + 1;
        counts.set(config, count);
        return count > (config.max ?? Infinity) ? stream.reply(429, 'TULLE_RATE_LIMITED') : CONTINUE;
      },
    };
  },
});

const LIMITED = (): { readonly filterConfigs: Record<string, object> } => ({
  filterConfigs: { limit: { max: 1 } },
});

function proxy(routes: readonly Route[], hostConfigs?: Route['filterConfigs']): Promise<TestProxy> {
  return started({
    listeners: [
      httpListener({
        port: 8080,
        filters: [limit({})],
        routes: {
          virtualHosts: [
            {
              name: 'all',
              domains: ['*'],
              routes,
              ...(hostConfigs === undefined ? {} : { filterConfigs: hostConfigs }),
            },
          ],
        },
      }),
    ],
    clusters: [cluster('api', ['10.0.0.1:80'])],
    upstreams: { '10.0.0.1:80': () => ({}) },
  });
}

const statuses = async (test: TestProxy, ...paths: readonly string[]): Promise<number[]> => {
  const client = test.client();
  const found: number[] = [];
  for (const path of paths) found.push((await client.request({ path })).status);
  return found;
};

/** The routes of the running configuration, changed. */
async function changeRoutes(test: TestProxy, edit: (routes: Route[]) => void): Promise<void> {
  const config = structuredClone(test.proxy.config);
  const { handler } = config.listeners[0]?.filterChains[0] ?? {};
  if (handler?.kind !== 'http' || !('virtualHosts' in handler.routes)) throw new Error('no routes');
  edit(handler.routes.virtualHosts[0]?.routes as Route[]);
  expect((await test.proxy.update(config)).changed).toBe(true);
}

describe('an override', () => {
  it('of a route is its own: two that say the same share no limit', async () => {
    const test = await proxy([route('/a', 'api', LIMITED()), route('/b', 'api', LIMITED())]);
    expect(await statuses(test, '/a', '/b', '/a', '/b')).toEqual([200, 200, 429, 429]);
  });

  it('of a virtual host is one for all its routes, but for those with their own', async () => {
    const test = await proxy(
      [route('/a', 'api'), route('/b', 'api'), route('/c', 'api', LIMITED())],
      LIMITED().filterConfigs,
    );
    expect(await statuses(test, '/a', '/b', '/c', '/c')).toEqual([200, 429, 200, 429]);
  });

  it('keeps what the filter remembers for it while other routes come and go, and begins anew when it changes', async () => {
    const test = await proxy([route('/a', 'api', LIMITED()), route('/', 'api')]);
    expect(await statuses(test, '/a', '/a')).toEqual([200, 429]);
    await changeRoutes(test, (routes) => void routes.unshift(route('/new', 'api', LIMITED())));
    expect(await statuses(test, '/a', '/new', '/new')).toEqual([429, 200, 429]);
    await changeRoutes(test, (routes) => void routes.shift());
    expect(await statuses(test, '/a')).toEqual([429]);
    await changeRoutes(test, (routes) => {
      routes[0] = route('/a', 'api', { filterConfigs: { limit: { max: 2 } } });
    });
    expect(await statuses(test, '/a', '/a', '/a')).toEqual([200, 200, 429]);
  });

  it('of a configuration that is refused leaves that of the running one alone', async () => {
    const test = await proxy([route('/a', 'api', LIMITED())]);
    expect(await statuses(test, '/a')).toEqual([200]);
    await expect(
      changeRoutes(test, (routes) => {
        routes[0] = route('/a', 'api', { filterConfigs: { limit: {} } });
        routes.push(route('/nowhere', 'none'));
      }),
    ).rejects.toThrow('no cluster is named "none"');
    expect(await statuses(test, '/a')).toEqual([429]);
  });
});

describe('a mandatory filter', () => {
  const guard = (): HttpFilterUse => limit({ max: 0 }, { name: 'guard', mandatory: true });

  it.each([null, { max: 99 }])('is neither removed nor neutralised by a route with %j', async (override) => {
    await expect(runChain({ filters: [guard()], filterConfigs: { guard: override } })).rejects.toThrow(
      'filter guard is mandatory',
    );
  });

  it('refuses overrides of every layer', async () => {
    await expect(
      started({
        listeners: [
          httpListener({
            port: 8080,
            filters: [guard()],
            routes: {
              virtualHosts: [
                {
                  name: 'all',
                  domains: ['*'],
                  filterConfigs: { guard: { max: 99 } },
                  routes: [route('/', [{ name: 'api', filterConfigs: { guard: null } }])],
                },
              ],
            },
          }),
        ],
        clusters: [cluster('api', ['10.0.0.1:80'])],
      }),
    ).rejects.toMatchObject({
      issues: [
        { path: expect.stringMatching(/virtualHosts\/0\/filterConfigs\/guard$/) as string },
        { path: expect.stringMatching(/clusters\/0\/filterConfigs\/guard$/) as string },
      ],
    });
  });
});

describe('a filter that decides who comes in', () => {
  it('is never skipped where it throws', async () => {
    const door = defineHttpFilter<object>({
      apiVersion: 1,
      id: 'door',
      config: anything<object>(),
      failOpen: 'forbidden',
      create: () => ({ requestHeaders: () => CONTINUE }),
    });
    await expect(runChain({ filters: [door({}, { failOpen: true })] })).rejects.toThrow(
      /must not be skipped where it throws/,
    );
    expect((await runChain({ filters: [door({}, { failOpen: false })] })).response?.status).toBe(200);
  });
});

describe('a slot', () => {
  const slot = defineSlot<number>('test.value');
  const provider = (more: { unrouted?: boolean; applies?: (config: { on?: boolean }) => boolean } = {}) =>
    defineHttpFilter<{ on?: boolean }, { on?: boolean }>({
      apiVersion: 1,
      id: 'provider',
      config: anything<{ on?: boolean }>(),
      routeConfig: anything<{ on?: boolean }>(),
      provides: [slot],
      create: () => ({
        requestHeaders(stream) {
          stream.set(slot, 1);
          return CONTINUE;
        },
      }),
      ...more,
    });
  const consumer = defineHttpFilter<object>({
    apiVersion: 1,
    id: 'consumer',
    config: anything<object>(),
    requires: [slot],
    unrouted: true,
    create: () => ({ requestHeaders: () => CONTINUE }),
  });

  it.each([
    [
      'removed on the route',
      { filterConfigs: { provider: null } },
      /which no earlier filter provides on this route/,
    ],
    [
      'doing nothing on the route',
      { filterConfigs: { provider: { on: false } } },
      /which no earlier filter provides on this route/,
    ],
  ] as const)('is missing where its provider is %s: refused', async (_what, change, message) => {
    const filters = [provider({ unrouted: true, applies: ({ on }) => on !== false })({}), consumer({})];
    await expect(runChain({ filters, ...change })).rejects.toThrow(message);
    expect((await runChain({ filters })).response?.status).toBe(200);
  });

  it('is missing for requests that no route matches when only its consumer sees them', async () => {
    await expect(runChain({ filters: [provider()({}), consumer({})] })).rejects.toThrow(
      /which no earlier filter provides for requests that no route matches/,
    );
  });
});

describe('overrides of two names', () => {
  it('are all judged, whichever layer has them', async () => {
    const tagged = filter('tag', { requestHeaders: () => CONTINUE });
    await expect(
      started({
        listeners: [
          httpListener({
            port: 8080,
            filters: [tagged({})],
            routes: {
              virtualHosts: [
                {
                  name: 'all',
                  domains: ['*'],
                  filterConfigs: { tga: {} },
                  routes: [route('/', 'api', { filterConfigs: { gat: {} } })],
                },
              ],
            },
          }),
        ],
        clusters: [cluster('api', ['10.0.0.1:80'])],
      }),
    ).rejects.toThrow(/"tga".*"gat"/s);
  });
});

describe('a filter that is off', () => {
  const off = (
    routes: readonly Route[],
    hostConfigs?: Route['filterConfigs'],
    config: { max?: number } = { max: 0 },
  ): Promise<TestProxy> =>
    started({
      listeners: [
        httpListener({
          port: 8080,
          filters: [limit(config, { disabled: true })],
          routes: {
            virtualHosts: [
              {
                name: 'all',
                domains: ['*'],
                routes,
                ...(hostConfigs === undefined ? {} : { filterConfigs: hostConfigs }),
              },
            ],
          },
        }),
      ],
      clusters: [cluster('api', ['10.0.0.1:80'])],
      upstreams: { '10.0.0.1:80': () => ({}) },
    });

  it('is in force where a route says so, as the chain has it or with a configuration of its own', async () => {
    const test = await off([
      route('/on', 'api', { filterConfigs: { limit: true } }),
      route('/own', 'api', { filterConfigs: { limit: { max: 1 } } }),
      route('/null', 'api', { filterConfigs: { limit: null } }),
      route('/', 'api'),
    ]);
    expect(await statuses(test, '/', '/on', '/own', '/own', '/null')).toEqual([200, 429, 200, 429, 200]);
  });

  it('is in force below a host that says so, but where a route removes it', async () => {
    const test = await off([route('/off', 'api', { filterConfigs: { limit: null } }), route('/', 'api')], {
      limit: true,
    });
    expect(await statuses(test, '/off', '/')).toEqual([200, 429]);
  });
});

describe('an optional filter that the proxy lacks', () => {
  it('is left out, and routes may speak of it; one that is not optional is refused', async () => {
    const test = await proxy([route('/', 'api')]);
    const withOther = (optional: boolean) => {
      const config = structuredClone(test.proxy.config);
      const { handler } = config.listeners[0]?.filterChains[0] ?? {};
      if (handler?.kind !== 'http' || !('virtualHosts' in handler.routes)) throw new Error('no routes');
      (handler.filters as object[]).push({
        name: 'other',
        filter: 'tulle-filter-other',
        config: {},
        optional,
      });
      const routes = handler.routes.virtualHosts[0]?.routes as Route[] | undefined;
      routes?.splice(0, 1, { ...route('/', 'api'), filterConfigs: { other: { a: 1 } } });
      return config;
    };
    await expect(test.proxy.update(withOther(false))).rejects.toThrow(/TULLE_FILTER_UNKNOWN/);
    expect((await test.proxy.update(withOther(true))).changed).toBe(true);
    expect(await statuses(test, '/')).toEqual([200]);
  });
});

it('an override is for every filter that has its name, in a chain where several do', async () => {
  const test = await proxy([route('/', 'api')]);
  const config = structuredClone(test.proxy.config);
  const { handler } = config.listeners[0]?.filterChains[0] ?? {};
  if (handler?.kind !== 'http' || !('virtualHosts' in handler.routes)) throw new Error('no routes');
  (handler.filters as object[]).push({ ...handler.filters[0], name: 'limit#2', overriddenBy: 'limit' });
  const routes = handler.routes.virtualHosts[0]?.routes as Route[] | undefined;
  routes?.splice(0, 1, { ...route('/', 'api'), filterConfigs: { limit: null } });
  routes?.unshift({ ...route('/none', 'api'), filterConfigs: { limit: { max: 0 } } });
  await test.proxy.update(config);
  expect(await statuses(test, '/none', '/')).toEqual([429, 200]);
});
