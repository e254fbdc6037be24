import { isTulleError } from '@tulle/filter';
import { AggregatedDiscoveryService } from '@tulle/xds-proto/envoy/service/discovery/v3/ads';
import { RuntimeDiscoveryService } from '@tulle/xds-proto/envoy/service/runtime/v3/rtds';
import { grpcService } from '@tulle/xds-proto/grpc';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createXdsServer, type ResourceInput, type XdsServer } from '../src/index.ts';
import { deltaRequest, openRaw, type RawDelta } from './raw-client.ts';

const PREFIX = 'type.googleapis.com/';
const CLUSTER = 'envoy.config.cluster.v3.Cluster';
const RUNTIME = 'envoy.service.runtime.v3.Runtime';
const HTTP = `${PREFIX}envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`;
const ADS = { ads: {} };

const cluster = (path: string): ResourceInput => ({
  '@type': PREFIX + CLUSTER,
  name: `xdstp://mesh/${CLUSTER}/${path}`,
});
const runtime = (name: string, fields: object): ResourceInput => ({
  '@type': PREFIX + RUNTIME,
  name,
  layer: fields,
});

let server: XdsServer;
let stream: RawDelta | undefined;
beforeEach(async () => {
  server = await createXdsServer();
});
afterEach(async () => {
  stream?.close();
  await server.close();
});

/** Names that came, and that are gone; answered. */
async function next(): Promise<{ has: string[]; gone: string[] }> {
  const { typeUrl, nonce, resources, removedResources } = await (stream as RawDelta).next();
  stream?.send(deltaRequest({ typeUrl, responseNonce: nonce }));
  const short = (name: string): string => name.replace(`xdstp://mesh/${CLUSTER}/`, '');
  return { has: resources.map(({ name }) => short(name)), gone: removedResources.map(short) };
}

function ask(...names: string[]): void {
  stream = openRaw(server.target, grpcService(AggregatedDiscoveryService).deltaAggregatedResources);
  stream.send(
    deltaRequest({
      node: { id: 'one' },
      typeUrl: PREFIX + CLUSTER,
      resourceNamesSubscribe: names.map((name) => `xdstp://mesh/${CLUSTER}/${name}`),
    }),
  );
}

describe('names that say their authority', () => {
  it('a directory is all that is in it, of the same context, and follows every change', async () => {
    server.setSnapshot('one', [
      cluster('shop/a'),
      cluster('shop/b'),
      cluster('shop/deep/c'),
      cluster('other/d'),
      cluster('shop/e?zone=1'),
    ]);
    ask('shop/*');
    expect(await next()).toEqual({ has: ['shop/a', 'shop/b'], gone: [] });
    await server.acked('one');
    server.put('one', cluster('shop/f'));
    expect(await next()).toEqual({ has: ['shop/f'], gone: [] });
    server.delete('one', 'cluster', `xdstp://mesh/${CLUSTER}/shop/a`);
    expect(await next()).toEqual({ has: [], gone: ['shop/a'] });
    stream?.send(
      deltaRequest({
        typeUrl: PREFIX + CLUSTER,
        resourceNamesSubscribe: [`xdstp://mesh/${CLUSTER}/shop/*?zone=1`],
        resourceNamesUnsubscribe: [`xdstp://mesh/${CLUSTER}/shop/*`],
      }),
    );
    expect(await next()).toEqual({ has: ['shop/e?zone=1'], gone: [] });
  });

  it('one that is empty is answered, so that nobody waits for it', async () => {
    server.setSnapshot('one', [cluster('other/d')]);
    ask('shop/*');
    expect(await next()).toEqual({ has: [], gone: [] });
    await server.acked('one');
  });
});

it('layers of the runtime come over a service of their own, too', async () => {
  server.setSnapshot('one', [runtime('flags', { 'health.verify': true })]);
  stream = openRaw(server.target, grpcService(RuntimeDiscoveryService).deltaRuntime);
  stream.send(deltaRequest({ node: { id: 'one' }, resourceNamesSubscribe: ['flags'] }));
  expect(await next()).toEqual({ has: ['flags'], gone: [] });
});

it('what scopes, datagrams and filters of connections name must be there', async () => {
  const listener = (name: string, fields: object): ResourceInput => ({
    '@type': `${PREFIX}envoy.config.listener.v3.Listener`,
    name,
    ...fields,
  });
  const scoped = (source: object): object => ({
    filter_chains: [
      {
        filters: [
          { name: 'limit', config_discovery: { config_source: ADS } },
          {
            name: 'http',
            typed_config: {
              '@type': HTTP,
              scoped_routes: {
                rds_config_source: source,
                scoped_route_configurations_list: {
                  scoped_route_configurations: [{ name: 'x', route_configuration_name: 'inline' }],
                },
              },
            },
          },
        ],
      },
    ],
  });
  const udp = 'envoy.extensions.filters.udp.udp_proxy.v3';
  const datagrams = (fields: object): object => ({
    listener_filters: [
      { name: 'udp', typed_config: { '@type': `${PREFIX}${udp}.UdpProxyConfig`, ...fields } },
    ],
  });
  const action = { name: 'route', typed_config: { '@type': `${PREFIX}${udp}.Route`, cluster: 'dns' } };
  const set = [
    listener('here', scoped(ADS)),
    listener('elsewhere', scoped({ path: '/x' })),
    listener('named', datagrams({ cluster: 'names' })),
    listener('matched', datagrams({ matcher: { on_no_match: { action } } })),
    {
      '@type': `${PREFIX}envoy.config.route.v3.ScopedRouteConfiguration`,
      name: 's',
      route_configuration_name: 'r',
    },
  ];
  const said = (): string[] => {
    try {
      server.setSnapshot('n', set);
    } catch (error) {
      if (isTulleError(error)) return (error.issues ?? []).map(({ path, message }) => `${path} ${message}`);
      throw error;
    }
    return [];
  };
  const http = 'filter_chains/0/filters/1/typed_config';
  expect(said().map((line) => line.replace(', which is not in the set', ''))).toEqual([
    '/listener/here/filter_chains/0/filters/0/name names the extension "limit"',
    `/listener/here/${http}/scoped_routes/scoped_route_configurations_list/scoped_route_configurations/0/route_configuration_name names the route "inline"`,
    '/listener/elsewhere/filter_chains/0/filters/0/name names the extension "limit"',
    '/listener/named/listener_filters/0/typed_config/cluster names the cluster "names"',
    '/listener/matched/listener_filters/0/typed_config/matcher/on_no_match/action/typed_config/cluster names the cluster "dns"',
    '/scoped-route/s/route_configuration_name names the route "r"',
  ]);
});
