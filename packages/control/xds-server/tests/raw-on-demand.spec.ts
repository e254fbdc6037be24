import { afterEach, beforeEach, expect, it } from 'vitest';
import { AggregatedDiscoveryService } from '@tulle/xds-proto/envoy/service/discovery/v3/ads';
import type { DeltaDiscoveryResponse } from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import { VirtualHostDiscoveryService } from '@tulle/xds-proto/envoy/service/route/v3/rds';
import { grpcService } from '@tulle/xds-proto/grpc';
import { createXdsServer, type ResourceInput, type XdsServer } from '../src/index.ts';
import { deltaRequest, openRaw, type RawDelta } from './raw-client.ts';

const PREFIX = 'type.googleapis.com/';
const HOST = `${PREFIX}envoy.config.route.v3.VirtualHost`;
const CLUSTER = `${PREFIX}envoy.config.cluster.v3.Cluster`;

/** A virtual host for routes, under the name by which clients ask for it. */
const host = (name: string, domain: string): ResourceInput => ({
  '@type': `${PREFIX}envoy.service.discovery.v3.Resource`,
  name,
  resource: { '@type': HOST, name: domain, domains: [domain] },
});
const cluster = (name: string): ResourceInput => ({ '@type': CLUSTER, name });

let server: XdsServer;
let stream: RawDelta;
beforeEach(async () => {
  server = await createXdsServer();
});
afterEach(async () => {
  stream.close();
  await server.close();
});

/** Names that came with content, that came without, and that are gone. */
async function next(): Promise<{ has: string[]; none: string[]; gone: string[] }> {
  const response: DeltaDiscoveryResponse = await stream.next();
  const { typeUrl, nonce, resources, removedResources } = response;
  stream.send(deltaRequest({ typeUrl, responseNonce: nonce }));
  return {
    has: resources.flatMap(({ name, resource }) => (resource ? [name] : [])),
    none: resources.flatMap(({ name, resource }) => (resource ? [] : [name])),
    gone: removedResources,
  };
}

it('virtual hosts go to who asks for their routes, or for one of them; of one that is not there it is said so', async () => {
  server.setSnapshot('*', [host('r/a', 'a'), host('r/b', 'b'), host('other/c', 'c')]);
  stream = openRaw(server.target, grpcService(VirtualHostDiscoveryService).deltaVirtualHosts);
  stream.send(deltaRequest({ node: { id: 'one' }, typeUrl: HOST, resourceNamesSubscribe: ['r'] }));
  expect(await next()).toEqual({ has: ['r/a', 'r/b'], none: [], gone: [] });
  stream.send(deltaRequest({ typeUrl: HOST, resourceNamesSubscribe: ['other/c', 'other/no'] }));
  expect(await next()).toEqual({ has: ['other/c'], none: ['other/no'], gone: [] });
  server.put('*', host('other/no', 'late'));
  expect(await next()).toEqual({ has: ['other/no'], none: [], gone: [] });
  server.delete('*', 'virtual-host', 'r/a');
  expect(await next()).toEqual({ has: [], none: [], gone: ['r/a'] });
});

it('clusters go to who asks for them by name, beside those that all get', async () => {
  server.setSnapshot('*', [cluster('a'), cluster('b')]);
  stream = openRaw(server.target, grpcService(AggregatedDiscoveryService).deltaAggregatedResources);
  stream.send(deltaRequest({ node: { id: 'one' }, typeUrl: CLUSTER, resourceNamesSubscribe: ['b', 'no'] }));
  expect(await next()).toEqual({ has: ['b'], none: [], gone: ['no'] });
  server.put('*', cluster('no'));
  expect(await next()).toEqual({ has: ['no'], none: [], gone: [] });
});
