import { create } from '@bufbuild/protobuf';
import type { Cluster, HttpHandler, Listener, ProxyConfig, RouteConfig } from '@tulle/model';
import { BootstrapSchema } from '@tulle/xds-proto/envoy/config/bootstrap/v3/bootstrap';
import { expect, it } from 'vitest';
import type { AdminHost } from './admin-host.ts';
import { configDump } from './config-dump.ts';

const scoped: HttpHandler = {
  kind: 'http',
  filters: [],
  routes: { name: 'scopes', virtualHosts: [] },
  scopes: {
    key: [{ header: 'x-tenant', element: 0 }],
    scopes: [
      { name: 'red', key: ['r'], routes: { routeConfigName: 'red-routes' } },
      { name: 'blue', key: ['b', 'c'], routes: { name: 'blue-routes', virtualHosts: [] } },
    ],
  },
};
const listener: Listener = {
  name: 'found',
  address: { host: '127.0.0.1', port: 1 },
  filterChains: [{ name: 'c', handler: scoped }],
};
const plain: Cluster = { name: 'plain', discovery: { kind: 'static', endpoints: [] } };
const zoned: Cluster = { ...plain, name: 'zoned', balance: { policy: 'pick-first' }, zoneRouting: {} };

const config: ProxyConfig = {
  version: '1',
  listeners: [listener],
  routes: [],
  clusters: [plain, zoned],
  endpoints: [],
};

function configs(query: string, inUse: ProxyConfig = config): Record<string, unknown>[] {
  const host: Partial<AdminHost> = {
    startedMs: 0,
    bootstrap: () => create(BootstrapSchema),
    discovered: () => config,
    inUse: () => inUse,
    discovery: () => undefined,
  };
  const { body } = configDump(host as AdminHost, new URLSearchParams(query));
  return (JSON.parse(body) as { configs: Record<string, unknown>[] }).configs;
}

const PREFIX = 'type.googleapis.com/envoy.config.route.v3';

it('has scopes that were discovered, by the name that their listener gives them', () => {
  expect(configs('resource=dynamic_scoped_route_configs')).toMatchObject([
    {
      name: 'scopes',
      scoped_route_configs: [
        {
          '@type': `${PREFIX}.ScopedRouteConfiguration`,
          name: 'red',
          key: { fragments: [{ string_key: 'r' }] },
          route_configuration_name: 'red-routes',
        },
        {
          name: 'blue',
          key: { fragments: [{ string_key: 'b' }, { string_key: 'c' }] },
          route_configuration: { name: 'blue-routes' },
        },
      ],
    },
  ]);
  expect(configs('resource=inline_scoped_route_configs')).toEqual([]);
});

it('says of scopes that cannot be written why, and has the others', () => {
  const counted: RouteConfig = {
    name: 'blue-routes',
    virtualHosts: [{ name: 'v', domains: ['*'], routes: [], virtualClusters: [{ name: 'c', headers: [] }] }],
  };
  const scopes = (scoped.scopes?.scopes ?? []).map((one) =>
    one.name === 'blue' ? { ...one, routes: counted } : one,
  );
  const handler: HttpHandler = { ...scoped, scopes: { key: scoped.scopes?.key ?? [], scopes } };
  const listeners = [{ ...listener, filterChains: [{ name: 'c', handler }] }];
  const [dump, ...others] = configs('resource=dynamic_scoped_route_configs', { ...config, listeners });
  expect(others).toEqual([]);
  expect(dump).toMatchObject({
    name: 'scopes',
    scoped_route_configs: [{ name: 'red' }],
    error_state: {
      details: expect.stringMatching(/^blue is in use .*virtualClusters is not sent/) as string,
    },
  });
});

it('says of what cannot be written why, and has everything else', () => {
  const [first, second] = configs('resource=dynamic_active_clusters');
  expect(first).toMatchObject({ cluster: { name: 'plain' } });
  expect(first).not.toHaveProperty('error_state');
  expect(second).not.toHaveProperty('cluster');
  expect(second).toMatchObject({
    error_state: { details: expect.stringMatching(/^zoned is in use .*zoneRouting can be sent/) as string },
  });
  expect(configs('resource=dynamic_listeners')).toMatchObject([
    { name: 'found', error_state: { details: expect.stringContaining('scopes is not sent') as string } },
  ]);
});
