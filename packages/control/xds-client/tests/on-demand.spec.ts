import type { JsonObject } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import type { Demand, ProxyConfig } from '@tulle/model';
import { createResourceDecoder } from '../src/index.ts';
import { sourceText } from '../src/decode/discovery-source.ts';
import {
  anyOf,
  apiSource,
  at,
  client,
  cluster,
  endpoints,
  grpc,
  listener,
  portOf,
  routes,
  server,
  typed,
  warnings,
  useSources,
} from './sources-kit.ts';

useSources();

const HOST = 'envoy.config.route.v3.VirtualHost';
const host = (name: string, domain: string, to: string): JsonObject =>
  typed(HOST, {
    name,
    domains: [domain],
    routes: [{ match: { prefix: '/' }, route: { cluster: to } }],
  });
const open = (name: string, fields: JsonObject = {}): JsonObject => ({
  ...routes(name, 'a'),
  virtual_hosts: [],
  vhds: { config_source: apiSource('delta') },
  ...fields,
});
const hostsOf = ({ routes: all }: ProxyConfig): readonly string[] =>
  all.flatMap(({ virtualHosts }) => virtualHosts.map(({ name }) => name));
const wanted = (name: string): Demand => ({ kind: 'virtual-host', routes: 'r', host: name });
const wantedCluster = (name: string, timeoutMs: number = 5_000): Demand => ({
  kind: 'cluster',
  name,
  source: sourceText(grpc('delta')),
  timeoutMs,
});

describe('virtual hosts that are discovered', () => {
  const roots = { listener: grpc('delta'), cluster: 'none' } as const;

  it('come behind those of their routes, follow every change, and go', async () => {
    const one = await server();
    one.putAny('listener', 'in', anyOf(listener('in', 'r', apiSource('delta'))));
    const fixed = { name: 'fixed', domains: ['fixed.example'], routes: [] };
    one.putAny('route', 'r', anyOf(open('r', { virtual_hosts: [fixed] })));
    one.putAny('virtual-host', 'r/shop', anyOf(host('shop', 'shop.example', 'a')));
    one.putAny('virtual-host', 'other/shop', anyOf(host('no', 'no.example', 'a')));
    const { config, configs, xds } = await client({ roots, server: at(one.port) });
    await config((now) => hostsOf(now).includes('shop'));
    // Not a moment without: a listener waits for the first answer about its hosts.
    expect(configs.filter(({ listeners }) => listeners.length > 0).map(hostsOf)).toEqual([['fixed', 'shop']]);
    expect(configs.at(-1)?.routes[0]).toMatchObject({ discoversHosts: true, headerOrder: 'specific-first' });
    one.putAny('virtual-host', 'r/blog', anyOf(host('blog', 'blog.example', 'a')));
    await config((now) => hostsOf(now).join() === 'fixed,blog,shop');
    one.remove('virtual-host', 'r/shop');
    await config((now) => hostsOf(now).join() === 'fixed,blog');
    expect(one.nacks).toEqual([]);
    expect(xds.resources().map(({ kind, name, state }) => `${kind} ${name} ${state}`)).toContain(
      'virtual-host r/blog acked',
    );
  });

  it('are asked for when a request needs one, which waits until it is in use or there is none', async () => {
    const one = await server();
    one.namespaces = false;
    one.putAny('listener', 'in', anyOf(listener('in', 'r', apiSource('delta'))));
    one.putAny('route', 'r', anyOf(open('r')));
    one.putAny('virtual-host', 'r/shop.example', anyOf(host('shop', 'shop.example', 'a')));
    const { config, configs, xds } = await client({ roots, server: at(one.port) });
    await config(({ listeners }) => listeners.length > 0);
    expect(hostsOf(configs.at(-1) as ProxyConfig)).toEqual([]);
    await xds.discover(wanted('shop.example'));
    expect(hostsOf(configs.at(-1) as ProxyConfig)).toEqual(['shop']);
    const before = configs.length;
    await xds.discover(wanted('nobody.example'));
    expect(configs).toHaveLength(before);
    await xds.discover(wanted('nobody.example')); // known: nobody is asked again
    one.putAny('virtual-host', 'r/nobody.example', anyOf(host('late', 'nobody.example', 'a')));
    await config((now) => hostsOf(now).includes('late'));
    expect(one.nacks).toEqual([]);
  });

  it('are asked for again on another stream', async () => {
    const first = await server();
    first.namespaces = false;
    first.putAny('listener', 'in', anyOf(listener('in', 'r', apiSource('delta'))));
    first.putAny('route', 'r', anyOf(open('r')));
    first.putAny('virtual-host', 'r/shop.example', anyOf(host('shop', 'shop.example', 'a')));
    const { config, xds } = await client(
      { roots, server: at(first.port) },
      { backoff: { baseMs: 5, maxMs: 10 } },
    );
    await config(({ listeners }) => listeners.length > 0);
    await xds.discover(wanted('shop.example'));
    first.kill();
    const second = await server(first.port, first);
    second.namespaces = false;
    second.putAny('virtual-host', 'r/shop.example', anyOf(host('shop', 'www.shop.example', 'a')));
    await config((now) => now.routes[0]?.virtualHosts[0]?.domains[0] === 'www.shop.example');
  });

  it('that the engine refuses are taken back, and the others stay', async () => {
    const one = await server();
    one.putAny('listener', 'in', anyOf(listener('in', 'r', apiSource('delta'))));
    one.putAny('route', 'r', anyOf(open('r')));
    one.putAny('virtual-host', 'r/a', anyOf(host('a', 'a.example', 'a')));
    one.putAny('virtual-host', 'r/b', anyOf(host('b', 'b.example', 'a')));
    const { config } = await client(
      { roots, server: at(one.port) },
      {
        judge(now) {
          const at_ = now.routes[0]?.virtualHosts.findIndex(({ name }) => name === 'b') ?? -1;
          return at_ < 0
            ? { ok: true }
            : {
                ok: false,
                issues: [{ path: `/routes/0/virtualHosts/${at_}/domains/0`, message: 'not here' }],
              };
        },
      },
    );
    await expect.poll(() => one.nacks).toEqual(['virtual-host "r/b": /domains/0: not here']);
    await config((now) => hostsOf(now).join() === 'a');
  });

  it.each([
    [{ vhds: { config_source: apiSource('state-of-the-world') } }, 'vhds.config_source', /DELTA_GRPC/],
    [{ request_mirror_policies: [{ cluster: 'a' }] }, 'request_mirror_policies', /where vhds is set/],
    [{ max_direct_response_body_size_bytes: 5 }, 'max_direct_response_body_size_bytes', /beside vhds/],
  ] as const)('are refused with %j', (fields, path, message) => {
    const decoded = createResourceDecoder().decode('route', anyOf(open('r', fields as JsonObject)), {
      kind: 'ads',
    });
    expect(decoded).toMatchObject({
      ok: false,
      issues: [{ path, message: expect.stringMatching(message) as unknown }],
    });
  });
});

describe('clusters on demand', () => {
  const roots = { listener: 'none', cluster: 'none' } as const;
  const nameOf = ({ clusters }: ProxyConfig): string => clusters.map(({ name }) => name).join();

  it('are asked for by name, with their endpoints, and follow every change', async () => {
    const one = await server();
    one.putAny('cluster', 'a', anyOf(cluster('a', apiSource('delta'))));
    one.putAny('cluster', 'b', anyOf(cluster('b', apiSource('delta'))));
    one.putAny('endpoint', 'a', anyOf(endpoints('a', 9)));
    const { config, configs, xds } = await client({ roots, server: at(one.port) });
    await xds.discover(wantedCluster('a'));
    const now = configs.at(-1) as ProxyConfig;
    expect(nameOf(now)).toBe('a');
    expect(portOf(now)).toBe(9);
    await xds.discover(wantedCluster('b', 50)); // whose endpoints never come
    expect(nameOf(configs.at(-1) as ProxyConfig)).toBe('a');
    await xds.discover(wantedCluster('no', 50));
    one.remove('cluster', 'a');
    await config((then) => then.clusters.length === 0);
    expect(one.nacks).toEqual([]);
  });

  it('do not take the place of all the clusters that the same server has, on any stream', async () => {
    const one = await server();
    one.putAny('cluster', 'all', anyOf(typed('envoy.config.cluster.v3.Cluster', { name: 'all' })));
    one.hidden.add('hid');
    one.putAny('cluster', 'hid', anyOf(typed('envoy.config.cluster.v3.Cluster', { name: 'hid' })));
    const { config, configs, xds } = await client(
      { roots: { listener: 'none', cluster: grpc('delta') }, server: at(one.port) },
      { backoff: { baseMs: 5, maxMs: 10 } },
    );
    await config((now) => nameOf(now) === 'all');
    await xds.discover(wantedCluster('hid'));
    expect(nameOf(configs.at(-1) as ProxyConfig)).toBe('all,hid');
    one.kill();
    const again = await server(one.port, one);
    again.hidden.add('hid');
    again.putAny('cluster', 'new', anyOf(typed('envoy.config.cluster.v3.Cluster', { name: 'new' })));
    await config((now) => nameOf(now) === 'all,hid,new');
    expect(
      configs
        .slice(configs.findIndex((now) => nameOf(now) === 'all,hid'))
        .every((now) => nameOf(now).includes('hid')),
    ).toBe(true);
  });

  it('are as many as there may be; who is said not to exist makes room', async () => {
    const one = await server();
    for (const name of ['a', 'b', 'c'])
      one.putAny('cluster', name, anyOf(typed('envoy.config.cluster.v3.Cluster', { name })));
    const { configs, xds } = await client({ roots, server: at(one.port) }, { maxDemands: 2 });
    await xds.discover(wantedCluster('a'));
    await xds.discover(wantedCluster('no', 1_000));
    await xds.discover(wantedCluster('b'));
    await xds.discover(wantedCluster('c', 60_000)); // not asked for: at once
    expect(nameOf(configs.at(-1) as ProxyConfig)).toBe('a,b');
    expect(warnings.join()).toContain('maxDemands');
  });
});

describe('the filter on_demand', () => {
  const http = 'envoy.extensions.filters.http';
  const onDemand = (odcds?: JsonObject): JsonObject => ({
    name: 'envoy.filters.http.on_demand',
    typed_config: typed(`${http}.on_demand.v3.OnDemand`, odcds ? { odcds } : {}),
  });
  const inline = (filters: readonly JsonObject[], perRoute: JsonObject = {}): JsonObject => {
    const made = listener('in', 'r', { ads: {} });
    const [chain] = made['filter_chains'] as unknown as { filters: { typed_config: JsonObject }[] }[];
    const manager = chain?.filters[0]?.typed_config as JsonObject;
    delete manager['rds'];
    manager['http_filters'] = [...filters, ...(manager['http_filters'] as JsonObject[])];
    manager['route_config'] = {
      name: 'r',
      virtual_hosts: [
        {
          name: 'v',
          domains: ['*'],
          routes: [
            { match: { path: '/own' }, route: { cluster: 'a' }, typed_per_filter_config: perRoute },
            { match: { prefix: '/' }, route: { cluster_header: 'x-to' } },
          ],
        },
      ],
    };
    return made;
  };
  const handlerOf = (json: JsonObject) => {
    const decoded = createResourceDecoder().decode('listener', anyOf(json), { kind: 'ads' });
    if (!decoded.ok) return decoded.issues;
    return decoded.resource.filterChains[0]?.handler;
  };
  const source = { source: { ads: {} }, timeout: '2s' };
  const slot = 'envoy.filters.http.on_demand';

  it('lets requests wait for hosts and clusters, and a route say otherwise', () => {
    expect(handlerOf(inline([onDemand()]))).toMatchObject({ onDemand: {}, filters: [] });
    expect(handlerOf(inline([]))).not.toHaveProperty('onDemand');
    const perRoute = (fields: JsonObject): JsonObject => ({
      [slot]: typed(`${http}.on_demand.v3.PerRouteConfig`, fields),
    });
    const own = { source: apiSource('delta') };
    expect(handlerOf(inline([onDemand(source)], perRoute({ odcds: own })))).toMatchObject({
      onDemand: { clusters: { source: 'ads', timeoutMs: 2_000 } },
      routes: {
        virtualHosts: [
          { routes: [{ action: { onDemand: { source: sourceText(grpc('delta')) } } }, { action: {} }] },
        ],
      },
    });
    const none = { routes: { virtualHosts: [{ routes: [{ action: { onDemand: 'none' } }, {}] }] } };
    expect(handlerOf(inline([onDemand(source)], perRoute({})))).toMatchObject(none);
    const off = { [slot]: typed('envoy.config.route.v3.FilterConfig', { disabled: true }) };
    expect(handlerOf(inline([onDemand(source)], off))).toMatchObject(none);
  });

  it('asks nobody who has all there is in every answer', () => {
    const at0 = `filter_chains[0].filters[0].typed_config.http_filters[0].typed_config.odcds.source`;
    expect(handlerOf(inline([onDemand({ source: apiSource('state-of-the-world') })]))).toEqual([
      { path: at0, message: expect.stringContaining('must be ads or DELTA_GRPC') as unknown },
    ]);
  });

  it('is known to no server that cannot be asked for one by itself', async () => {
    const { xds } = await client(
      { roots: { listener: 'none', cluster: 'none' }, server: () => undefined },
      { api: 'state-of-the-world' },
    );
    for (const name of ['a', 'b'])
      await xds.discover({ kind: 'cluster', name, source: 'ads', timeoutMs: 60_000 });
    expect(warnings).toEqual([expect.stringContaining('api_type is not DELTA_GRPC')]);
  });
});
