import { CONTINUE, defineConnFilter, defineHttpFilter } from '@tulle/filter';
import type { FilterEntry, ProxyConfig, Route } from '@tulle/model';
import { route } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import type { TestProxy } from '../src/index.ts';
import { anything, started } from './support.ts';

/** What happened to filters, as `created a`, `disposed a`. */
type Life = string[];

/** Lets `max` requests pass for each configuration object, and writes its name into a response header. */
const limit = (life: Life) =>
  defineHttpFilter<{ max?: number }, { max?: number }>({
    apiVersion: 1,
    id: 'limit',
    config: anything<{ max?: number }>(),
    routeConfig: anything<{ max?: number }>(),
    create(host) {
      life.push(`created ${host.name}`);
      const counts = new WeakMap<object, number>();
      return {
        requestHeaders(stream, config) {
          stream.request.headers.append('x-passed', host.name);
          const count = (counts.get(config) ?? 0) + 1;
          counts.set(config, count);
          return count > (config.max ?? Infinity) ? stream.reply(429, 'TULLE_RATE_LIMITED') : CONTINUE;
        },
        dispose: () => void life.push(`disposed ${host.name}`),
      };
    },
  });

const entry = (name: string, max: number, more: Partial<FilterEntry> = {}): FilterEntry => ({
  name,
  filter: 'limit',
  config: { max },
  ...more,
});

function config(
  filters: readonly FilterEntry[],
  routes: readonly Route[] = [route('/', 'api')],
): ProxyConfig {
  const virtualHosts = [{ name: 'all', domains: ['*'], routes }];
  return {
    version: '1',
    listeners: [
      {
        name: 'http',
        address: { host: '127.0.0.1', port: 8080 },
        filterChains: [
          { name: 'chain', handler: { kind: 'http', filters, routes: { name: 'routes', virtualHosts } } },
        ],
      },
    ],
    routes: [],
    endpoints: [],
    clusters: [
      {
        name: 'api',
        discovery: { kind: 'static', endpoints: [{ address: { host: '10.0.0.1', port: 80 } }] },
      },
    ],
  };
}

async function proxy(first: ProxyConfig): Promise<{ test: TestProxy; life: Life }> {
  const life: Life = [];
  const test = await started({
    config: first,
    registry: [limit(life)],
    upstreams: {
      '10.0.0.1:80': (request) => ({
        body: request.headers.filter(([name]) => name === 'x-passed').join(' '),
      }),
    },
  });
  life.length = 0;
  return { test, life };
}

describe('a filter whose configuration stays the same', () => {
  it('keeps what it remembers, for itself and for routes, when another changes, comes or goes', async () => {
    const routes = [route('/own', 'api', { filterConfigs: { a: { max: 1 } } }), route('/', 'api')];
    const { test, life } = await proxy(config([entry('a', 1), entry('b', 9)], routes));
    const statuses = async (): Promise<number[]> => {
      const client = test.client();
      return [(await client.request({ path: '/own' })).status, (await client.request({ path: '/' })).status];
    };
    expect(await statuses()).toEqual([200, 200]);
    for (const filters of [
      [entry('a', 1), entry('b', 8)],
      [entry('c', 9), entry('a', 1)],
      [entry('a', 1, { failOpen: true })],
    ]) {
      await test.proxy.update(config(filters, routes));
      expect(await statuses()).toEqual([429, 429]);
    }
    await test.clock.settle();
    expect(life).toEqual(['created b', 'disposed b', 'created c', 'disposed b', 'disposed c']);
    await test.proxy.update(config([entry('a', 2)], routes));
    expect(await statuses()).toEqual([200, 200]);
    expect(life.slice(5)).toEqual(['created a', 'disposed a']);
  });

  it('is made anew where that changes, and what routes add to it with it', async () => {
    const routes = [route('/', 'api', { filterConfigs: { a: {} } })];
    const { test } = await proxy(config([entry('a', 1)], routes));
    const client = test.client();
    await client.request();
    expect((await client.request()).status).toBe(429);
    await test.proxy.update(config([entry('a', 2)], routes));
    for (const status of [200, 200, 429]) expect((await client.request()).status).toBe(status);
  });

  it('takes its new place', async () => {
    const { test, life } = await proxy(config([entry('a', 9), entry('b', 9)]));
    await test.proxy.update(config([entry('b', 9), entry('c', 9), entry('a', 9)]));
    expect((await test.client().request()).body).toBe('x-passed,b x-passed,c x-passed,a');
    expect(life).toEqual(['created c']);
    await test.stop();
    await test.clock.settle();
    expect(life.slice(1)).toEqual(['disposed c', 'disposed b', 'disposed a']);
  });

  it('lives on where a configuration is refused; what that had created does not', async () => {
    const { test, life } = await proxy(config([entry('a', 1)]));
    expect((await test.client().request()).status).toBe(200);
    const bad = config([entry('a', 1), entry('b', 1)], [route('/', 'nowhere')]);
    await expect(test.proxy.update(bad)).rejects.toThrow('no cluster is named "nowhere"');
    await test.clock.settle();
    expect(life).toEqual(['created b', 'disposed b']);
    expect((await test.client().request()).status).toBe(429);
  });

  it('is disposed when the last stream that began with it is over, and not before', async () => {
    const life: Life = [];
    let answer = (): void => {};
    const test = await started({
      config: config([entry('a', 9), entry('b', 9)]),
      registry: [limit(life)],
      upstreams: { '10.0.0.1:80': () => new Promise((resolve) => (answer = () => resolve({}))) },
    });
    life.length = 0;
    const client = test.client();
    client.send({});
    await test.upstream('10.0.0.1:80').next();
    await test.proxy.update(config([entry('b', 9)]));
    await test.clock.settle();
    expect(life).toEqual([]);
    answer();
    expect((await client.response()).status).toBe(200);
    await test.clock.settle();
    expect(life).toEqual(['disposed a']);
  });
});

describe('a connection filter whose configuration stays the same', () => {
  const only = (life: Life) =>
    defineConnFilter<object>({
      apiVersion: 1,
      kind: 'connection',
      id: 'only',
      config: anything<object>(),
      create(host) {
        life.push(`created ${host.name}`);
        return { connect: () => CONTINUE, dispose: () => void life.push(`disposed ${host.name}`) };
      },
    });

  it('stays when another of its listener changes', async () => {
    const life: Life = [];
    const withFilters = (...values: readonly number[]): ProxyConfig => {
      const made = config([]);
      const connectionFilters = values.map((value, index) => ({
        name: `f${index}`,
        filter: 'only',
        config: { value },
      }));
      return { ...made, listeners: made.listeners.map((one) => ({ ...one, connectionFilters })) };
    };
    const test = await started({ config: withFilters(1, 1), registry: [only(life)] });
    await test.proxy.update(withFilters(1, 2));
    await test.clock.settle();
    expect(life).toEqual(['created f0', 'created f1', 'created f1', 'disposed f1']);
  });
});
