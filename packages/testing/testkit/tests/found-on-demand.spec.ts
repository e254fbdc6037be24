import type {
  Demand,
  Discover,
  ForwardAction,
  OnDemand,
  ProxyConfig,
  RouteConfig,
  VirtualHost,
} from '@tulle/model';
import { CONTINUE } from '@tulle/filter';
import { cluster, httpListener } from '@tulle/proxy';
import { describe, expect, it } from 'vitest';
import type { TestProxy } from '../src/index.ts';
import { filter, started } from './support.ts';

const API = '10.0.0.1:80';
const hostFor = (domain: string, action: Partial<ForwardAction> = {}): VirtualHost => ({
  name: domain,
  domains: [domain],
  routes: [
    {
      name: `${domain}-all`,
      match: { path: { kind: 'prefix', value: '/' } },
      action: {
        kind: 'forward',
        clusters: action.clusterHeader === undefined ? [{ name: 'api' }] : [],
        ...action,
      },
    },
  ],
});
const routesWith = (hosts: readonly VirtualHost[], more: Partial<RouteConfig> = {}): RouteConfig => ({
  name: 'r',
  virtualHosts: hosts,
  discoversHosts: true,
  ...more,
});

/** A proxy whose control plane the test is: it says when what was asked for is answered. */
interface Scene {
  readonly test: TestProxy;
  readonly asked: Demand[];
  /** What was asked for first is answered; by default everything that was so far. */
  answer(count?: number): void;
  use(hosts: readonly VirtualHost[], clusters?: readonly string[]): Promise<void>;
}

async function scene(
  hosts: readonly VirtualHost[],
  clusters: readonly string[] = ['api'],
  onDemand: OnDemand | 'off' = { clusters: { source: 'ads' } },
  filters: readonly ReturnType<ReturnType<typeof filter>>[] = [],
  routes: Partial<RouteConfig> = {},
): Promise<Scene> {
  const asked: Demand[] = [];
  const waiting: (() => void)[] = [];
  const discover: Discover = async (demand) => {
    asked.push(demand);
    await new Promise<void>((resolve) => waiting.push(resolve));
  };
  const test = await started({
    listeners: [
      httpListener({
        name: 'in',
        port: 8080,
        routes: { routeConfigName: 'r' },
        filters,
        ...(onDemand !== 'off' && { onDemand }),
      }),
    ],
    routes: [routesWith(hosts, routes)],
    clusters: clusters.map((name) => cluster(name, [API])),
    upstreams: {
      [API]: (request) => ({ body: `${request.method} ${request.target} ${request.body.length}` }),
    },
    danglingReferences: 'allow',
    discover,
  });
  return {
    test,
    asked,
    answer(count = waiting.length) {
      for (const resolve of waiting.splice(0, count)) resolve();
    },
    async use(next, names = clusters) {
      const config: ProxyConfig = test.proxy.config;
      await test.proxy.update({
        ...config,
        version: `${config.version}+`,
        routes: [routesWith(next, routes)],
        clusters: names.map((name) => cluster(name, [API])),
      });
    },
  };
}

/** Lets what is under way come to rest. */
const rest = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve));
};

describe('a request for a host that is not here', () => {
  const get = (host: string) => ({ headers: { host } });

  it('waits until it is, and goes where its routes say; all that wait ask once', async () => {
    const { test, asked, answer, use } = await scene([hostFor('a.example')]);
    const [one, two] = [test.client(), test.client()];
    const replies = [
      one.request(get('B.example')),
      two.request({ ...get('b.example'), method: 'POST', body: 'xyz' }),
    ];
    await rest();
    expect(asked).toEqual([{ kind: 'virtual-host', routes: 'r', host: 'b.example' }]);
    await use([hostFor('a.example'), hostFor('b.example')]);
    answer();
    expect((await Promise.all(replies)).map(({ status, body }) => `${status} ${body}`)).toEqual([
      '200 GET / 0',
      '200 POST / 3',
    ]);
    // It is here now, for this connection too.
    expect((await one.request(get('b.example'))).status).toBe(200);
    expect(asked).toHaveLength(1);
  });

  it('gets 404 where there is none, and the next one asks again', async () => {
    const { test, asked, answer } = await scene([]);
    const client = test.client();
    for (const times of [1, 2]) {
      const reply = client.request(get('b.example'));
      await rest();
      expect(asked).toHaveLength(times);
      answer();
      expect((await reply).status).toBe(404);
    }
  });

  it('is not asked for where the host has routes, where all are here, or where nobody looks', async () => {
    const only = hostFor('a.example');
    const [route] = only.routes;
    const one = {
      ...only,
      routes: [{ ...route!, match: { path: { kind: 'exact', value: '/x' } as const } }],
    };
    const here = await scene([one]);
    expect((await here.test.client().request(get('a.example'))).status).toBe(404);
    const all = await scene([], ['api'], {}, [], { discoversHosts: false });
    expect((await all.test.client().request(get('a.example'))).status).toBe(404);
    const off = await scene([], ['api'], 'off');
    expect((await off.test.client().request(get('a.example'))).status).toBe(404);
    expect([...here.asked, ...all.asked, ...off.asked]).toEqual([]);
  });

  it('takes its filters along, each of which ran and ends once', async () => {
    const seen: string[] = [];
    const early = filter(
      'early',
      {
        requestHeaders(stream, _config, state) {
          state.count++;
          seen.push(`early ${stream.request.authority} ${state.count}`);
          return CONTINUE;
        },
        complete: (_stream, _config, state) => void seen.push(`end ${state.count}`),
      },
      { stage: 'before-route' },
    );
    const late = filter(
      'late',
      {
        requestHeaders(stream) {
          seen.push(`late ${stream.route?.name}`);
          return CONTINUE;
        },
        requestData(_stream, _config, _state, bytes) {
          seen.push(`${bytes.length} bytes`);
          return CONTINUE;
        },
      },
      { body: { request: 'observe' } },
    );
    const { test, answer, use } = await scene([], ['api'], {}, [early({}), late({})]);
    const reply = test.client().request({ ...get('b.example'), method: 'POST', body: 'abc' });
    await rest();
    await use([hostFor('b.example')]);
    answer();
    expect((await reply).status).toBe(200);
    await rest();
    expect(seen).toEqual(['early b.example 1', 'late b.example-all', '3 bytes', '0 bytes', 'end 1']);
  });

  it('may go while it waits, and is not waited for', async () => {
    const { test, answer, use } = await scene([]);
    const client = test.client();
    void client.request(get('b.example')).catch(() => {});
    await rest();
    client.connection.close(true);
    await rest();
    // Another request that waits, on the same object, is not the one that was waited for.
    const other = test.client().request(get('c.example'));
    await rest();
    await use([hostFor('b.example')]);
    answer(1);
    await rest();
    expect(test.upstream(API).requests).toEqual([]);
    expect(test.proxy.stats.streams).toBe(1);
    answer();
    expect((await other).status).toBe(404);
    expect(test.proxy.stats.streams).toBe(0);
    expect(test.log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

describe('a request to a cluster that is not here', () => {
  it('waits for it, its body too, and goes to it', async () => {
    const { test, asked, answer, use } = await scene([hostFor('*')], []);
    const reply = test.client().request({ method: 'POST', body: 'x'.repeat(5_000) });
    await rest();
    expect(asked).toEqual([{ kind: 'cluster', name: 'api', source: 'ads', timeoutMs: 5_000 }]);
    await use([hostFor('*')], ['api']);
    answer();
    expect(await reply).toMatchObject({ status: 200, body: 'POST / 5000' });
  });

  it.each([
    ['route', { clusterHeader: 'x-to' }, { source: 'here', timeoutMs: 70 }],
    ['share of a split', { clusters: [{ clusterHeader: 'x-to' }] }, undefined],
  ] as const)(
    'that it names itself by its %s waits too, and gets 503 where there is none',
    async (...one) => {
      const [, action, clusters] = one;
      const host = hostFor('*', action);
      const { test, asked, answer, use } = await scene([host], [], clusters && { clusters });
      const client = test.client();
      const none = client.request({ headers: { 'x-to': 'no' } });
      await rest();
      const expected = clusters ?? { source: 'ads', timeoutMs: 5_000 };
      expect(asked).toEqual([{ kind: 'cluster', name: 'no', ...expected }]);
      answer();
      expect((await none).status).toBe(503);
      const reply = client.request({ headers: { 'x-to': 'api' } });
      await rest();
      await use([host], ['api']);
      answer();
      expect((await reply).status).toBe(200);
      expect((await client.request({})).status).toBe(503); // names none: nobody is asked
      expect(asked).toHaveLength(2);
    },
  );

  it('waits for its host and then for its cluster', async () => {
    const { test, asked, answer, use } = await scene([], []);
    const reply = test.client().request({ headers: { host: 'b.example' } });
    await rest();
    await use([hostFor('b.example')], []);
    answer();
    await rest();
    await use([hostFor('b.example')], ['api']);
    answer();
    expect((await reply).status).toBe(200);
    expect(asked.map(({ kind }) => kind)).toEqual(['virtual-host', 'cluster']);
  });

  it('waits where its route says, or not at all', async () => {
    const { test, asked, answer } = await scene(
      [hostFor('a.example', { onDemand: 'none' }), hostFor('b.example', { onDemand: { source: 'own' } })],
      [],
    );
    expect((await test.client().request({ headers: { host: 'a.example' } })).status).toBe(503);
    const reply = test.client().request({ headers: { host: 'b.example' } });
    await rest();
    answer();
    expect((await reply).status).toBe(503);
    expect(asked).toEqual([{ kind: 'cluster', name: 'api', source: 'own', timeoutMs: 5_000 }]);
  });

  it('gives up when the request has waited as long as its route lets it', async () => {
    const { test, answer } = await scene([hostFor('*', { requestTimeoutMs: 1_000 })], []);
    const reply = test.client().request({});
    await rest();
    await test.clock.advance(1_000);
    expect((await reply).status).toBe(504);
    answer();
    await rest();
    expect(test.proxy.stats.streams).toBe(0);
  });
});
