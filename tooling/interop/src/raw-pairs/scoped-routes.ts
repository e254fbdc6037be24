import { strict as assert } from 'node:assert';
import { freePort } from '@tulle/processes';
import type { ResourceInput } from '@tulle/xds-server';
import type { StartProxy } from '../raw/proxies.ts';
import { until } from '../until.ts';
import { ask, cluster, listener, NODE, routes, sourceOf, typed, type Way, withSetting } from './setting.ts';

const scope = (name: string, key: string, where: object): ResourceInput =>
  typed('envoy.config.route.v3.ScopedRouteConfiguration', {
    name,
    key: { fragments: [{ string_key: key }] },
    ...where,
  });

/** Scopes and their routes, all discovered: as they come, change and go, who asks for which is answered by which. */
export async function scopedRoutes(startProxy: StartProxy, way: Way): Promise<string> {
  return withSetting(startProxy, way, async ({ server, origins: [a, b], start }) => {
    const port = await freePort();
    const source = sourceOf(way);
    server.setSnapshot(NODE, [
      listener('front', port, {
        scoped_routes: {
          name: 'tenants',
          scope_key_builder: {
            fragments: [{ header_value_extractor: { name: 'x-tenant', element_separator: ',', index: 0 } }],
          },
          rds_config_source: source,
          scoped_rds: { scoped_rds_config_source: source },
        },
      }),
      scope('red', 'red', { route_configuration_name: 'to-a' }),
      scope('blue', 'blue', { route_configuration_name: 'to-b' }),
      routes('to-a', 'a'),
      routes('to-b', 'b'),
      cluster('a', a),
      cluster('b', b),
    ]);
    await start();
    await server.acked(NODE, { timeoutMs: 10_000 });
    let asked = 0;
    const expectAll = async (wanted: Readonly<Record<string, string>>): Promise<void> =>
      until(JSON.stringify(wanted), async () => {
        for (const [tenant, answer] of Object.entries(wanted)) {
          asked++;
          assert.equal(await ask(port, tenant === '' ? {} : { 'x-tenant': tenant }), answer, tenant);
        }
      });
    await expectAll({ red: '200 a', blue: '200 b', 'blue,red': '200 b', green: '404', '': '404' });
    // Another scope by routes that are there already, and one that is led elsewhere.
    server.put(NODE, scope('green', 'green', { route_configuration_name: 'to-b' }));
    server.put(NODE, scope('red', 'red', { route_configuration_name: 'to-b' }));
    await server.acked(NODE);
    await expectAll({ red: '200 b', blue: '200 b', green: '200 b' });
    // The routes of a scope change, and it does not.
    server.put(NODE, routes('to-b', 'a'));
    await server.acked(NODE);
    await expectAll({ red: '200 a', blue: '200 a', green: '200 a' });
    // A key moves from one scope to another in one change.
    const withoutRed = server
      .snapshot(NODE)
      ?.resources.filter(({ name }) => name !== 'red' && name !== 'blue')
      .map(({ resource }) => resource as ResourceInput);
    assert(withoutRed);
    server.setSnapshot(NODE, [...withoutRed, scope('blue', 'red', { route_configuration_name: 'to-b' })]);
    await server.acked(NODE);
    await expectAll({ red: '200 a', blue: '404', green: '200 a' });
    const { state, streams } = server.status(NODE);
    const nacks = streams.flatMap(({ types }) => types).reduce((sum, { nacks: one }) => sum + one, 0);
    assert.deepEqual([state, nacks], ['acked', 0]);
    return `${asked} requests`;
  });
}
