import { queryObjects } from 'node:v8';
import { CONTINUE, defineHttpFilter, isTulleError, type TulleError } from '@tulle/filter';
import type { Cluster, FilterChain, FilterEntry, Listener, ProxyConfig } from '@tulle/model';
import { createProxy, httpListener, route } from '@tulle/proxy';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fakeClock, memoryLog, memoryNetwork, type TestProxy } from '../src/index.ts';
import { anything, simple, started } from './support.ts';

const ENDPOINT = { address: { host: '10.0.0.1', port: 80 } };

/** The one chain of a listener: everything goes to the cluster `api`. */
function chain(filters: readonly FilterEntry[] = [], more: Partial<FilterChain> = {}): FilterChain {
  const virtualHosts = [{ name: 'all', domains: ['*'], routes: [route('/', 'api')] }];
  return {
    name: 'chain',
    handler: { kind: 'http', filters, routes: { name: 'routes', virtualHosts } },
    ...more,
  };
}

/** One listener `http` on 127.0.0.1:8080 that sends everything to the cluster `api`. */
function config(
  edit: (parts: { listeners: Listener[]; clusters: Cluster[] }) => void = () => {},
): ProxyConfig {
  const parts = {
    listeners: [
      {
        name: 'http',
        address: { host: '127.0.0.1', port: 8080 },
        filterChains: [chain()],
      },
    ] as Listener[],
    clusters: [{ name: 'api', discovery: { kind: 'static' as const, endpoints: [ENDPOINT] } }] as Cluster[],
  };
  edit(parts);
  return { version: '1', routes: [], endpoints: [], ...parts };
}

/** The issues of a configuration that the proxy refuses; it must then serve as before. */
async function refusal(test: TestProxy, given: unknown): Promise<readonly string[]> {
  const { generation } = test.proxy.stats;
  const inForce = test.proxy.config;
  const error: unknown = await test.proxy.update(given as ProxyConfig).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(isTulleError(error) && error.code).toBe('TULLE_CONFIG_INVALID');
  expect(test.proxy.config).toBe(inForce);
  expect(test.proxy.stats.generation).toBe(generation);
  expect((await test.client().request()).status).toBe(200);
  return (error as TulleError).issues.map((issue) => `${issue.path} ${issue.message}`);
}

describe('a configuration that breaks the model', () => {
  const cases: readonly (readonly [what: string, cluster: object, issue: string])[] = [
    [
      'an unknown policy',
      { balance: { policy: 'fastest' } },
      '/balance/policy must be "round-robin", "client-side-weighted-round-robin", "random"',
    ],
    [
      'choices of none',
      { balance: { policy: 'least-request', choices: -3 } },
      '/balance/choices must be between 2 and 1000, not -3',
    ],
    [
      'a decay of nothing',
      { balance: { policy: 'peak-ewma', decayMs: 0 } },
      '/balance/decayMs must be between 1 and 2147483647, not 0',
    ],
    [
      'more than all ejected',
      { outlier: { maxEjectionPercent: 5_000 } },
      '/outlier/maxEjectionPercent must be between 0 and 100, not 5000',
    ],
    [
      'a word for a time',
      { outlier: { baseEjectionMs: 'x' } },
      '/outlier/baseEjectionMs must be a number, not the string "x"',
    ],
    [
      'a negative budget',
      { limits: { retryBudget: { minPerSecond: -5 } } },
      '/limits/retryBudget/minPerSecond must be between 0 and 1000000, not -5',
    ],
    [
      'a discovery that is none',
      { discovery: { kind: 'nope' } },
      '/discovery/kind must be "static", "eds", "aggregate", "forward-proxy", "original-dst" or "dns"',
    ],
    ['a label that is no text', { labels: { a: 1 } }, '/labels/a must be a string'],
    [
      'an unknown field',
      { conectTimeoutMs: 5 },
      '/conectTimeoutMs unknown field "conectTimeoutMs"; did you mean "connectTimeoutMs"?',
    ],
    ['not even an object', { limits: 7 }, '/limits must be an object'],
  ];

  it.each(cases)('%s: refused by path, and nothing of it is applied', async (_what, change, issue) => {
    const test = await started({ config: config(), upstreams: { '10.0.0.1:80': () => ({}) } });
    const issues = await refusal(
      test,
      config(({ clusters }) => {
        Object.assign(clusters[0] as Cluster, change);
        // In the same configuration, and itself in order: it must not be applied either.
        clusters.unshift({ name: 'first', discovery: { kind: 'static', endpoints: [] } });
      }),
    );
    expect(issues).toHaveLength(1);
    expect(issues[0]).toContain(`/clusters/1${issue}`);
  });

  it('says every fault of listeners, routes and filters at once', async () => {
    const test = await started({ config: config(), upstreams: { '10.0.0.1:80': () => ({}) } });
    const bad = config(({ listeners }) => {
      const handler = { ...chain().handler, requestTimeoutMS: 5, identityHeaders: 'trust' } as never;
      listeners[0] = {
        ...(listeners[0] as Listener),
        maxConnections: 0.5,
        filterChains: [chain([], { handler })],
      };
    });
    const issues = await refusal(test, { ...bad, endpoints: [{ name: 'x', endpoints: [{}] }], extra: 1 });
    expect(issues).toEqual([expect.stringContaining('/extra unknown field "extra"')]);
    expect((await refusal(test, { ...bad, endpoints: [{ name: 'x', endpoints: [{}] }] })).toSorted()).toEqual(
      [
        '/endpoints/0/endpoints/0 "address" is missing',
        '/listeners/0/filterChains/0/handler/identityHeaders must be "strip" or "keep", not the string "trust"',
        '/listeners/0/filterChains/0/handler/requestTimeoutMS unknown field "requestTimeoutMS"; did you mean "requestTimeoutMs"?',
        '/listeners/0/maxConnections must be a whole number, not the number 0.5',
      ],
    );
  });

  it('whatever stands where: refused with its issues or applied, never half, and the proxy serves on', async () => {
    const test = await started({ config: config(), upstreams: { '10.0.0.1:80': () => ({}) } });
    const places = fc.record({ path: fc.array(fc.nat(), { maxLength: 9 }), value: fc.jsonValue() });
    await fc.assert(
      fc.asyncProperty(fc.array(places, { minLength: 1, maxLength: 3 }), async (changes) => {
        let given: unknown = JSON.parse(JSON.stringify(config()));
        for (const { path, value } of changes) given = put(given, path, value);
        const before = test.proxy.config;
        try {
          await test.proxy.update(given as ProxyConfig);
          expect(test.proxy.config).toBe(given);
        } catch (error) {
          if (!isTulleError(error) || error.code !== 'TULLE_CONFIG_INVALID' || error.issues.length === 0)
            throw error;
          expect(test.proxy.config).toBe(before);
        }
        await test.proxy.update(config());
        expect((await test.client().request()).status).toBe(200);
      }),
      { numRuns: 150 },
    );
  });
});

/** `value` in the place that the numbers choose. */
function put(root: unknown, path: readonly number[], value: unknown): unknown {
  if (path.length === 0 || typeof root !== 'object' || root === null) return value;
  const keys = Object.keys(root);
  const key = keys[(path[0] as number) % (keys.length + 1)] ?? 'other';
  const inside = put((root as Record<string, unknown>)[key], path.slice(1), value);
  return Array.isArray(root)
    ? root.map((part: unknown, index) => (String(index) === key ? inside : part))
    : { ...root, [key]: inside };
}

describe('a listener whose address changes', () => {
  const moved = (port: number): ProxyConfig =>
    config(({ listeners }) => {
      const tls: FilterChain['tls'] = { certificate: { kind: 'workload' } };
      listeners[0] = {
        ...(listeners[0] as Listener),
        address: { host: '127.0.0.1', port },
        filterChains: [chain([{ name: 'f', filter: 'f', config: {} }], { tls })],
      };
    });

  it('keeps its filters and TLS at work; the last user lets them go', async () => {
    const life: string[] = [];
    const test = await started({
      registry: [
        defineHttpFilter<object>({
          apiVersion: 1,
          id: 'f',
          config: anything<object>(),
          create: (host) => {
            life.push('created');
            host.after(60_000, () => void life.push('timer'));
            return { requestHeaders: () => CONTINUE, dispose: () => void life.push('disposed') };
          },
        }),
      ],
      config: moved(8080),
      upstreams: { '10.0.0.1:80': () => ({}) },
    });
    const old = test.client({ tls: {} });
    expect((await old.request()).status).toBe(200);
    await test.proxy.update(moved(9090));
    expect((await old.request()).status).toBe(200);
    await test.clock.advance(10_000);
    await old.connection.over();
    expect(life).toEqual(['created']);
    expect(test.network.openTls).toBe(1);
    expect((await test.client({ tls: {} }).request()).status).toBe(200);
    await test.clock.advance(60_000);
    expect(life).toEqual(['created', 'timer']);
    await test.proxy.update(config());
    await test.clock.advance(10_000);
    expect(life).toEqual(['created', 'timer', 'disposed']);
    expect(test.network.openTls).toBe(0);
  });

  it('or that only gets another name, or changes places with one, goes on at the same socket', async () => {
    const named = (...listeners: (readonly [string, number])[]): ProxyConfig =>
      config((parts) => {
        const [listener] = parts.listeners as [Listener];
        parts.listeners = listeners.map(([name, port]) => ({
          ...listener,
          name,
          address: { host: '127.0.0.1', port },
        }));
      });
    const test = await started({
      config: named(['a', 8080], ['b', 9090]),
      upstreams: { '10.0.0.1:80': () => ({}) },
    });
    const kept = test.client({ listener: 'a' });
    await kept.request();
    await test.proxy.update(named(['b', 8080], ['a', 9090]));
    expect(test.proxy.addresses()).toEqual({
      a: { host: '127.0.0.1', port: 9090 },
      b: { host: '127.0.0.1', port: 8080 },
    });
    await test.proxy.update(named(['c', 8080]));
    // What was accepted before ends gently; what comes is served by who took over.
    expect((await kept.request()).status).toBe(200);
    expect((await test.client({ listener: 'c' }).request()).status).toBe(200);
    await test.clock.advance(10_000);
    expect((await test.client({ listener: 'c' }).request()).status).toBe(200);
    expect(test.records.map(({ listener }) => listener)).toEqual(['a', 'a', 'c', 'c']);
    test.network.listen('127.0.0.1:9090', () => {}).close();
    await test.proxy.update(named());
    await test.clock.advance(10_000);
    test.network.listen('127.0.0.1:8080', () => {}).close();
  });

  it('that cannot be had leaves the running one, its metrics included', async () => {
    const test = await started({ config: config(), upstreams: { '10.0.0.1:80': () => ({}) } });
    test.network.listen('127.0.0.1:9999', () => {});
    const client = test.client();
    await client.request();
    await expect(
      test.proxy.update(
        config(({ listeners }) => {
          listeners[0] = { ...(listeners[0] as Listener), address: { host: '127.0.0.1', port: 9999 } };
        }),
      ),
    ).rejects.toThrow('127.0.0.1:9999');
    expect((await client.request()).status).toBe(200);
    expect(test.meter.value('tulle_listener_downstream_cx_active')).toBe(1);
  });
});

describe('a configuration that is on its way when the proxy goes', () => {
  it.each(['stop', 'drain'] as const)(
    'by %s() opens nothing any more, and nothing of it is left',
    async (how) => {
      let create = (): void => {};
      const life: string[] = [];
      const test = await started({
        config: config(),
        registry: [
          defineHttpFilter<object>({
            apiVersion: 1,
            id: 'slow',
            config: anything<object>(),
            create: () =>
              new Promise((resolve) => {
                create = () => resolve({ dispose: () => void life.push('disposed') });
              }),
          }),
        ],
      });
      const updated = test.proxy
        .update(
          config(({ listeners }) => {
            listeners.push({
              name: 'second',
              address: { host: '127.0.0.1', port: 9090 },
              filterChains: [chain([{ name: 's', filter: 'slow', config: {} }])],
            });
          }),
        )
        .catch((error: unknown) => error);
      await test.clock.settle();
      const gone = how === 'stop' ? test.proxy.stop() : test.proxy.drain({ windowMs: 100 });
      await test.clock.settle();
      create();
      const error = await updated;
      if (how === 'stop') expect(isTulleError(error) && error.code).toBe('TULLE_DRAINING');
      else expect(error).toMatchObject({ warnings: ['listener second is not opened: the proxy drains'] });
      await gone;
      await test.clock.settle();
      expect(life).toEqual(['disposed']);
      expect(test.connect.bind(test, { listener: 'second' })).toThrow('no listener second');
      // The address is free: nobody listens there.
      test.network.listen('127.0.0.1:9090', () => {}).close();
    },
  );

  it('after a drain serves the connections that are left, opens and moves no listener, and lets removed ones end', async () => {
    const test = await started({
      config: config(({ listeners }) => {
        listeners.push({
          ...(listeners[0] as Listener),
          name: 'other',
          address: { host: '10.1.1.1', port: 81 },
        });
      }),
      upstreams: { '10.0.0.1:80': () => ({}), '10.0.0.2:80': () => ({ status: 202 }) },
    });
    const [client, other] = [test.client(), test.client({ listener: 'other' })];
    for (const each of [client, other]) expect((await each.request()).status).toBe(200);
    const drained = test.proxy.drain({ windowMs: 60_000 });
    await test.clock.settle();
    const moved = config(({ listeners, clusters }) => {
      clusters[0] = {
        name: 'api',
        discovery: { kind: 'static', endpoints: [{ address: { host: '10.0.0.2', port: 80 } }] },
      };
      const first = listeners[0] as Listener;
      listeners.push(
        { ...first, name: 'other', address: { host: '127.0.0.1', port: 82 } },
        { ...first, name: 'new', address: { host: '127.0.0.1', port: 83 } },
      );
    });
    const taken = test.network.listen('127.0.0.1:83', () => {});
    expect((await test.proxy.update(moved)).warnings).toEqual([
      'listener other is not opened: the proxy drains',
      'listener new is not opened: the proxy drains',
    ]);
    expect(test.proxy.config).toBe(moved);
    expect(test.proxy.state).toBe('draining');
    expect(Object.keys(test.proxy.addresses())).toEqual(['http']);
    taken.close();
    test.network.listen('127.0.0.1:82', () => {}).close();
    expect((await client.request()).status).toBe(202);
    await test.clock.advance(6_000);
    await other.connection.over();
    client.connection.close();
    await drained;
    expect(test.proxy.stats.connections).toBe(0);
  });

  it('and is drained between two of its listeners opens neither', async () => {
    const test = await started({ config: config() });
    const { transport } = test.network;
    const listen = transport.listen.bind(transport);
    let drained: Promise<void> | undefined;
    transport.listen = async (...given) => {
      const listening = await listen(...given);
      drained ??= test.proxy.drain({ windowMs: 100 });
      return listening;
    };
    const next = config(({ listeners }) => {
      for (const port of [82, 83])
        listeners.push({
          name: `at-${port}`,
          address: { host: '127.0.0.1', port },
          filterChains: [chain()],
        });
    });
    expect((await test.proxy.update(next)).warnings).toHaveLength(2);
    await drained;
    for (const port of [82, 83]) test.network.listen(`127.0.0.1:${port}`, () => {}).close();
  });

  it('because it is stopped while it starts leaves it stopped', async () => {
    const clock = fakeClock();
    const network = memoryNetwork(clock);
    let create = (): void => {};
    const slow = defineHttpFilter<object>({
      apiVersion: 1,
      id: 'slow',
      config: anything<object>(),
      create: () => new Promise((resolve) => (create = () => resolve({}))),
    });
    const proxy = createProxy({
      transport: network.transport,
      clock,
      log: memoryLog(),
      listeners: [
        httpListener({
          port: 8080,
          filters: [slow({})],
          routes: [route('/', { kind: 'direct', status: 200 })],
        }),
      ],
    });
    const outcome = proxy.start().catch((error: unknown) => error);
    await clock.settle();
    const stopped = proxy.stop();
    create();
    expect(await outcome).toMatchObject({ code: 'TULLE_DRAINING' });
    await stopped;
    expect(proxy.state).toBe('stopped');
    network.listen('127.0.0.1:8080', () => {}).close();
    await expect(proxy.update(config())).rejects.toMatchObject({ code: 'TULLE_DRAINING' });
  });
});

describe('an exporter that does not come to an end', () => {
  it('delays drain and stop by five seconds, and is named', async () => {
    const test = await simple({
      telemetry: [
        {
          name: 'dead',
          sink: {
            name: 'dead',
            record() {},
            flush: () => new Promise(() => {}),
            close: () => new Promise(() => {}),
          },
        },
      ],
    });
    let over = '';
    const gone = test.proxy
      .drain({ windowMs: 100 })
      .then(() => (over = 'drained'))
      .then(() => test.proxy.stop())
      .then(() => (over = 'stopped'));
    await test.clock.advance(4_900);
    expect(over).toBe('');
    await test.clock.advance(200);
    expect(over).toBe('drained');
    await test.clock.advance(5_100);
    await gone;
    expect(test.log.lines.filter(({ message }) => message.includes('plugin dead failed to')).length).toBe(2);
  });
});

describe('a cluster whose endpoints are discovered', () => {
  const discovered = (connectTimeoutMs: number, withSet: boolean): ProxyConfig => ({
    ...config(({ clusters }) => {
      clusters[0] = { name: 'api', discovery: { kind: 'eds' }, connectTimeoutMs };
    }),
    endpoints: withSet ? [{ name: 'api', endpoints: [ENDPOINT] }] : [],
  });

  it('serves on with those that it had when it changes before they are sent anew', async () => {
    const test = await started({ config: discovered(1_000, true), upstreams: { '10.0.0.1:80': () => ({}) } });
    expect((await test.client().request()).status).toBe(200);
    await test.proxy.update(discovered(2_000, false));
    expect((await test.client().request()).status).toBe(200);
  });

  it('serves on with those that it had when it takes another set, or takes one at all, until that is there', async () => {
    const test = await started({
      config: config(),
      upstreams: { '10.0.0.1:80': () => ({}), '10.0.0.2:80': () => ({ status: 202 }) },
    });
    for (const serviceName of ['blue', 'green']) {
      const renamed = config(({ clusters }) => {
        clusters[0] = { name: 'api', discovery: { kind: 'eds', serviceName } };
      });
      await test.proxy.update(renamed);
      expect((await test.client().request()).status).toBe(200);
      if (serviceName === 'blue') continue;
      const endpoints = [{ address: { host: '10.0.0.2', port: 80 } }];
      await test.proxy.update({ ...renamed, endpoints: [{ name: 'green', endpoints }] });
      expect((await test.client().request()).status).toBe(202);
    }
  });
});

/** What serves requests by the generation of the configuration in use: it is no one else's to name. */
function chainOf(proxy: object): object {
  const { listeners } = proxy as {
    listeners: Map<string, { compiled: { chains: { handler: object }[] } }>;
  };
  const chain = [...listeners.values()][0]?.compiled.chains[0];
  if (chain === undefined) throw new Error('the proxy has no chain');
  return chain.handler;
}

it.each([
  ['nobody asks', 0],
  ['a request stays under way', 1],
])(
  'holds no generation of the configuration between those in use: %s',
  async (_name, streams) => {
    const test = await simple({ answer: () => new Promise<never>(() => {}) });
    if (streams > 0) {
      test
        .client()
        .request()
        .catch(() => {});
      await test.upstream('10.0.0.1:80').next();
    }
    // Of this proxy alone: those of other tests may go at any time.
    const generations = [new WeakRef(chainOf(test.proxy))];
    const update = async (from: number, to: number): Promise<number> => {
      for (let n = from; n < to; n++) {
        const { config: before } = test.proxy;
        const virtualHosts = [{ name: 'all', domains: ['*'], routes: [route(`/${n}`, 'api')] }];
        const listeners = before.listeners.map((listener) => ({
          ...listener,
          filterChains: listener.filterChains.map(({ name }): FilterChain => ({
            name,
            handler: { kind: 'http', filters: [], routes: { name: 'routes', virtualHosts } },
          })),
        }));
        await test.proxy.update({ ...before, version: `${n}`, listeners });
        generations.push(new WeakRef(chainOf(test.proxy)));
      }
      await new Promise((resolve) => setImmediate(resolve));
      queryObjects(chainOf(test.proxy).constructor); // collects garbage
      return generations.filter((generation) => generation.deref() !== undefined).length;
    };
    const few = await update(0, 5);
    expect(test.proxy.stats.streams).toBe(streams);
    // The one in use, and the first, by which the request went.
    expect(few).toBe(1 + streams);
    expect(await update(5, 20)).toBe(few);
    // It collects the garbage of all tests in the process, which takes as long as there is much of it.
  },
  60_000,
);
