import type { JsonObject } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import type { ProxyConfig, RouteScopes } from '@tulle/model';
import { createResourceDecoder, type XdsApi } from '../src/index.ts';
import {
  anyOf,
  apiSource,
  at,
  client,
  grpc,
  listener,
  routes,
  server,
  typed,
  useSources,
  warnings,
} from './sources-kit.ts';

useSources();

const SCOPE = 'envoy.config.route.v3.ScopedRouteConfiguration';
const KEY: JsonObject = { fragments: [{ header_value_extractor: { name: 'X-Tenant', index: 0 } }] };
const scope = (name: string, key: string, more: JsonObject): JsonObject =>
  typed(SCOPE, { name, key: { fragments: [{ string_key: key }] }, ...more });
const named = (name: string, key: string, routeConfig: string): JsonObject =>
  scope(name, key, { route_configuration_name: routeConfig });
const plain = (message: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(message).filter(([key]) => key !== '@type'));

/** A listener whose connection manager has these scoped routes. */
function scopedListener(scoped: JsonObject): JsonObject {
  const made = structuredClone(listener('in', 'r', apiSource('delta')));
  const [chain] = made['filter_chains'] as [{ filters: [{ typed_config: JsonObject }] }];
  const manager = chain.filters[0].typed_config;
  delete manager['rds'];
  manager['scoped_routes'] = { name: 'scopes', scope_key_builder: KEY, ...scoped };
  return made;
}

const discovered = (api: XdsApi): JsonObject =>
  scopedListener({
    scoped_rds: { scoped_rds_config_source: apiSource(api) },
    rds_config_source: apiSource(api),
  });
const inline = (scopes: readonly JsonObject[], more: JsonObject = {}): JsonObject =>
  scopedListener({
    scoped_route_configurations_list: { scoped_route_configurations: scopes.map(plain) },
    ...more,
  });

const scopesOf = ({ listeners }: ProxyConfig): RouteScopes | undefined => {
  const handler = listeners[0]?.filterChains[0]?.handler;
  return handler?.kind === 'http' ? handler.scopes : undefined;
};
const keysOf = (config: ProxyConfig): string =>
  (scopesOf(config)?.scopes ?? []).map(({ name, key }) => `${name}=${key.join()}`).join(' ');
const readsRefused = (resource: JsonObject): readonly string[] => {
  const decoded = createResourceDecoder().decode('listener', anyOf(resource), grpc('delta'));
  return decoded.ok ? [] : decoded.issues.map(({ path }) => path.replace(/^.*typed_config\./, ''));
};

describe('scopes that are written into a listener', () => {
  it('are read with their key and routes', () => {
    const fragments: JsonObject[] = [
      { header_value_extractor: { name: 'X-Tenant', index: 0 } },
      { header_value_extractor: { name: 'x-list', element_separator: ',', index: 2 } },
      {
        header_value_extractor: {
          name: 'x-pairs',
          element_separator: ';',
          element: { key: 'a', separator: '=' },
        },
      },
    ];
    const one = {
      name: 'one',
      key: { fragments: ['a', 'b', 'c'].map((key) => ({ string_key: key })) },
      route_configuration: plain(routes('', 'a')),
    };
    const made = inline([one], { scope_key_builder: { fragments } });
    const decoded = createResourceDecoder().decode('listener', anyOf(made), grpc('delta'));
    if (!decoded.ok) throw new Error(JSON.stringify(decoded.issues));
    const handler = decoded.resource.filterChains[0]?.handler;
    expect(handler).toMatchObject({
      routes: { name: 'scopes', virtualHosts: [] },
      scopes: {
        key: [
          { header: 'x-tenant', element: 0 },
          { header: 'x-list', separator: ',', element: 2 },
          { header: 'x-pairs', separator: ';', element: { key: 'a', separator: '=' } },
        ],
        scopes: [
          { name: 'one', key: ['a', 'b', 'c'], routes: { name: 'one', virtualHosts: [{ name: 'all' }] } },
        ],
      },
    });
  });

  it('are refused by path', () => {
    const bad = scope('x', 'x', {
      route_configuration_name: 'r',
      route_configuration: plain(routes('r', 'a')),
    });
    expect(
      readsRefused(
        inline([bad, typed(SCOPE, { name: 'y' })], {
          scope_key_builder: {
            fragments: [
              { header_value_extractor: { name: 'a', index: 1 } },
              { header_value_extractor: { name: 'a' } },
            ],
          },
        }),
      ),
    ).toEqual([
      'scoped_routes.scope_key_builder.fragments[0].header_value_extractor.index',
      'scoped_routes.scope_key_builder.fragments[1].header_value_extractor',
      'scoped_routes.scoped_route_configurations_list.scoped_route_configurations[0].route_configuration',
      'scoped_routes.scoped_route_configurations_list.scoped_route_configurations[1].key.fragments',
      'scoped_routes.scoped_route_configurations_list.scoped_route_configurations[1].route_configuration_name',
      'scoped_routes.rds_config_source',
    ]);
    expect(readsRefused(scopedListener({}))).toEqual(['scoped_routes']);
    expect(readsRefused(scopedListener({ scoped_rds: {} }))).toEqual([
      'scoped_routes.scoped_rds.scoped_rds_config_source',
      'scoped_routes.rds_config_source',
    ]);
  });

  it('wait for the routes that they name', async () => {
    const one = await server();
    one.putAny(
      'listener',
      'in',
      anyOf(inline([named('red', 'r', 'shared')], { rds_config_source: apiSource('delta') })),
    );
    const { config, configs } = await client({
      roots: { listener: grpc('delta'), cluster: 'none' },
      server: at(one.port),
    });
    await expect.poll(() => one.opened).toContain('route delta');
    expect(configs.flatMap(({ listeners }) => listeners)).toEqual([]);
    one.putAny('route', 'shared', anyOf(routes('shared', 'a')));
    const used = await config(({ listeners }) => listeners.length > 0);
    expect(used.routes.map(({ name }) => name)).toEqual(['shared']);
    expect(keysOf(used)).toBe('red=r');
  });
});

describe.each(['delta', 'state-of-the-world'] as const)('scopes that are discovered, by %s', (api) => {
  const start = async (one: { readonly port: number }) =>
    client({ roots: { listener: grpc(api), cluster: 'none' }, server: at(one.port) });

  it('are all that the server has, with routes from where the listener says', async () => {
    const one = await server();
    one.putAny('listener', 'in', anyOf(discovered(api)));
    one.putAny('scoped-route', 'red', anyOf(named('red', 'r', 'r1')));
    one.putAny(
      'scoped-route',
      'blue',
      anyOf(scope('blue', 'b', { route_configuration: plain(routes('', 'b')) })),
    );
    one.putAny('route', 'r1', anyOf(routes('r1', 'a')));
    const { config, configs, xds } = await start(one);
    const used = await config(({ listeners }) => listeners.length > 0);
    // Not a moment without its scopes, or they without their routes.
    expect(configs.filter(({ listeners }) => listeners.length > 0).map(keysOf)).toEqual(['blue=b red=r']);
    expect(used.routes.map(({ name }) => name)).toEqual(['r1']);
    expect(one.nacks).toEqual([]);
    await expect
      .poll(() => xds.resources().map(({ kind, name, state }) => `${kind} ${name} ${state}`))
      .toContain('scoped-route red acked');
  });

  it('come, change and go while the listener stays, each when its routes are here', async () => {
    const one = await server();
    one.putAny('listener', 'in', anyOf(discovered(api)));
    one.putAny('scoped-route', 'red', anyOf(named('red', 'r', 'r1')));
    one.putAny('route', 'r1', anyOf(routes('r1', 'a')));
    const { config, configs } = await start(one);
    await config((now) => keysOf(now) === 'red=r');
    one.putAny('scoped-route', 'blue', anyOf(named('blue', 'b', 'r2')));
    one.putAny('scoped-route', 'green', anyOf(named('green', 'g', 'r1')));
    await config((now) => keysOf(now) === 'green=g red=r');
    one.putAny('route', 'r2', anyOf(routes('r2', 'a')));
    await config((now) => keysOf(now) === 'blue=b green=g red=r');
    for (const { listeners, routes: used } of configs.filter((now) => keysOf(now).includes('blue')))
      expect([listeners.length, used.map(({ name }) => name)]).toEqual([1, ['r1', 'r2']]);
    one.remove('scoped-route', 'red');
    await config((now) => keysOf(now) === 'blue=b green=g');
    one.putAny('scoped-route', 'blue', anyOf(named('blue', 'bb', 'r1')));
    const last = await config((now) => keysOf(now) === 'blue=bb green=g');
    expect(last.routes.map(({ name }) => name)).toEqual(['r1']);
  });

  it('that cannot be used are refused by name, and the others and their last good version stay', async () => {
    const one = await server();
    one.putAny('listener', 'in', anyOf(discovered(api)));
    one.putAny(
      'scoped-route',
      'red',
      anyOf(scope('red', 'r', { route_configuration: plain(routes('', 'a')) })),
    );
    const { config } = await start(one);
    await config((now) => keysOf(now) === 'red=r');
    one.putAny('scoped-route', 'red', anyOf(typed(SCOPE, { name: 'red', route_configuration_name: 'r1' })));
    await expect.poll(() => one.nacks.join()).toContain('key.fragments');
    one.putAny(
      'scoped-route',
      'blue',
      anyOf(scope('blue', 'b', { route_configuration: plain(routes('', 'a')) })),
    );
    expect(keysOf(await config((now) => keysOf(now).includes('blue')))).toBe('blue=b red=r');
  });

  it('let a listener go on where there are none at all', async () => {
    const one = await server();
    one.putAny('listener', 'in', anyOf(discovered(api)));
    one.putAny(
      'scoped-route',
      'red',
      anyOf(scope('red', 'r', { route_configuration: plain(routes('', 'a')) })),
    );
    one.remove('scoped-route', 'red');
    const { config } = await start(one);
    expect(keysOf(await config(({ listeners }) => listeners.length > 0))).toBe('');
  });
});

it('listeners that discover scopes in two places are refused but for the first', async () => {
  const one = await server();
  one.putAny('listener', 'in', anyOf(discovered('delta')));
  one.putAny('listener', 'too', anyOf({ ...discovered('state-of-the-world'), name: 'too' }));
  const { config } = await client({
    roots: { listener: grpc('delta'), cluster: 'none' },
    server: at(one.port),
  });
  const used = await config(({ listeners }) => listeners.length > 0);
  expect(used.listeners.map(({ name }) => name)).toEqual(['in']);
  await expect.poll(() => warnings.join()).toMatch(/discovers scopes elsewhere/);
});
