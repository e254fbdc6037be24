import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '@tulle/processes';
import type { ResourceInput } from '@tulle/xds-server';
import type { StartProxy } from '../raw/proxies.ts';
import { until } from '../until.ts';
import { ask, cluster, listener, NODE, routes, sourceOf, typed, type Way, withSetting } from './setting.ts';

const LISTENER = 'envoy.config.listener.v3.Listener';
const ROUTES = 'envoy.config.route.v3.RouteConfiguration';
const ENDPOINTS = 'envoy.config.endpoint.v3.ClusterLoadAssignment';

/** How long resources are good that nobody says again. */
const TTL_MS = 2_000;

const endpointsAt = (name: string, port: number): ResourceInput =>
  typed(ENDPOINTS, {
    cluster_name: name,
    endpoints: [
      {
        lb_endpoints: [
          { endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } } } },
        ],
      },
    ],
  });

/**
 * A listener with a time to live stays while the server says it, and goes when it is gone; one without stays. (Endpoints with one are
 * not asked of Envoy 1.40: over the state of the world it ends with a segmentation fault when they are said again.)
 */
export async function timesToLive(startProxy: StartProxy, way: Way): Promise<string> {
  return withSetting(startProxy, way, async ({ server, origins: [a], start }) => {
    const [mortal, other] = [await freePort(), await freePort()];
    const rds = { route_config_name: 'r', config_source: sourceOf(way) };
    server.setSnapshot(NODE, [
      typed('envoy.service.discovery.v3.Resource', {
        ttl: `${TTL_MS / 1000}s`,
        resource: listener('mortal', mortal, { rds }),
      }),
      listener('other', other, { rds }),
      routes('r', 'a'),
      cluster('a', a),
    ]);
    await start();
    for (const port of [mortal, other])
      await until('an answer', async () => assert.equal(await ask(port), '200 a'));
    for (const end = performance.now() + 2 * TTL_MS; performance.now() < end; await sleep(100))
      assert.equal(await ask(mortal), '200 a', 'while it is said again and again');
    const goneAt = performance.now();
    await server.close();
    assert.equal(await ask(mortal), '200 a', 'as long as the time is not over');
    await until('the listener is gone', async () => assert.rejects(ask(mortal)), 3 * TTL_MS);
    assert.equal(await ask(other), '200 a', 'the other one stays');
    return `gone ${Math.round(performance.now() - goneAt)} ms after the server`;
  });
}

const AUTHORITY = 'xdstp://shop.example/';
const nameOf = (type: string, id: string): string => `${AUTHORITY}${type}/${id}`;

/** A resource whose name says its authority; what it says of itself stays as it is. */
const named = (name: string, resource: ResourceInput): ResourceInput =>
  typed('envoy.service.discovery.v3.Resource', { name, resource });

/** A directory of listeners, and routes and endpoints by names that say their authority. */
export async function authorityNames(startProxy: StartProxy): Promise<string> {
  const way: Way = { protocol: 'delta', single: false };
  return withSetting(startProxy, way, async ({ server, origins: [a, b], start }) => {
    const [first, second] = [await freePort(), await freePort()];
    const source = sourceOf(way);
    const routeName = nameOf(ROUTES, 'front?env=test');
    const front = (name: string, port: number): ResourceInput =>
      listener(nameOf(LISTENER, name), port, {
        rds: { route_config_name: routeName, config_source: source },
      });
    const endpointsName = nameOf(ENDPOINTS, 'shop');
    const endpoints = (port: number): ResourceInput => endpointsAt(endpointsName, port);
    server.setSnapshot(NODE, [
      front('edge/one', first),
      front('inner/two', second),
      named(routeName, routes(routeName, 'shop')),
      typed('envoy.config.cluster.v3.Cluster', {
        name: 'shop',
        type: 'EDS',
        connect_timeout: '1s',
        eds_cluster_config: { service_name: endpointsName, eds_config: source },
      }),
      endpoints(a),
    ]);
    await start((bootstrap) => {
      bootstrap.dynamic_resources['lds_resources_locator'] = nameOf(LISTENER, 'edge/*');
    });
    await until('an answer', async () => assert.equal(await ask(first), '200 a'));
    await server.acked(NODE);
    await assert.rejects(ask(second), 'it is in another directory');
    server.put(NODE, endpoints(b));
    await until('the other origin', async () => assert.equal(await ask(first), '200 b'));
    server.put(NODE, front('edge/three', second));
    await until('a listener that came into the directory', async () =>
      assert.equal(await ask(second), '200 b'),
    );
    server.delete(NODE, LISTENER, nameOf(LISTENER, 'edge/one'));
    await until('no listener any more', async () => assert.rejects(ask(first)));
    assert.equal(await ask(second), '200 b');
    return 'listeners of a directory come and go';
  });
}

/** A layer of Envoy's runtime, which says how many requests a route takes. */
export async function runtimeLayer(startProxy: StartProxy, way: Way): Promise<string> {
  return withSetting(startProxy, way, async ({ server, origins: [a, b], start, admin }) => {
    const port = await freePort();
    const source = sourceOf(way);
    const layer = (percent: number): ResourceInput =>
      typed('envoy.service.runtime.v3.Runtime', { name: 'flags', layer: { 'shop.share': percent } });
    const share = { default_value: { numerator: 0 }, runtime_key: 'shop.share' };
    server.setSnapshot(NODE, [
      listener('front', port, { rds: { route_config_name: 'r', config_source: source } }),
      typed(ROUTES, {
        name: 'r',
        virtual_hosts: [
          {
            name: 'all',
            domains: ['*'],
            routes: [
              { match: { prefix: '/', runtime_fraction: share }, route: { cluster: 'b' } },
              { match: { prefix: '/' }, route: { cluster: 'a' } },
            ],
          },
        ],
      }),
      cluster('a', a),
      cluster('b', b),
      layer(0),
    ]);
    await start((bootstrap) => {
      bootstrap['layered_runtime'] = {
        layers: [{ name: 'flags', rtds_layer: { name: 'flags', rtds_config: source } }],
      };
    });
    await server.acked(NODE, { timeoutMs: 10_000 });
    await until('an answer', async () => assert.equal(await ask(port), '200 a'));
    server.put(NODE, layer(100));
    await server.acked(NODE);
    await until('the other route', async () => assert.equal(await ask(port), '200 b'));
    const { entries } = JSON.parse(await admin('/runtime')) as {
      entries: Record<string, { final_value: string }>;
    };
    assert.equal(entries['shop.share']?.final_value, '100');
    return 'a share follows it';
  });
}
