import { create, fromBinary } from '@bufbuild/protobuf';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { AggregatedDiscoveryService } from '@tulle/xds-proto/envoy/service/discovery/v3/ads';
import {
  type DeltaDiscoveryResponse,
  DiscoveryRequestSchema,
  type DiscoveryResponse,
  ResourceSchema,
} from '@tulle/xds-proto/envoy/service/discovery/v3/discovery';
import { grpcService } from '@tulle/xds-proto/grpc';
import { createXdsServer, type ResourceInput, type XdsServer } from '../src/index.ts';
import { deltaRequest, openRaw } from './raw-client.ts';

const PREFIX = 'type.googleapis.com/';
const CLUSTER = `${PREFIX}envoy.config.cluster.v3.Cluster`;
const ENDPOINT = `${PREFIX}envoy.config.endpoint.v3.ClusterLoadAssignment`;
const WRAPPER = `${PREFIX}envoy.service.discovery.v3.Resource`;
/** Half of it is the time between heartbeats. */
const TTL_MS = 200;

const lasting = (resource: object): ResourceInput => ({
  '@type': WRAPPER,
  ttl: `${TTL_MS / 1000}s`,
  resource,
});
const cluster = (name: string): ResourceInput => ({ '@type': CLUSTER, name });
const endpoints = (name: string): ResourceInput => ({ '@type': ENDPOINT, cluster_name: name });
const node = { id: 'n', clientFeatures: ['xds.config.supports-resource-ttl'] };
const { deltaAggregatedResources, streamAggregatedResources } = grpcService(AggregatedDiscoveryService);

let server: XdsServer;
const opened: { close(): void }[] = [];

beforeEach(async () => {
  server = await createXdsServer();
});

afterEach(async () => {
  for (const stream of opened.splice(0)) stream.close();
  await server.close();
});

it('a resource with a TTL is said to be there, again and again, without its content', async () => {
  server.setSnapshot('n', [lasting(cluster('a')), cluster('b')]);
  const stream = openRaw(server.target, deltaAggregatedResources);
  opened.push(stream);
  stream.send(deltaRequest({ node, typeUrl: CLUSTER }));
  const ack = ({ nonce }: DeltaDiscoveryResponse): void =>
    stream.send(deltaRequest({ typeUrl: CLUSTER, responseNonce: nonce }));
  const first = await stream.next();
  const [a] = first.resources;
  expect(a).toMatchObject({ name: 'a', ttl: { nanos: TTL_MS * 1e6 } });
  ack(first);
  for (let i = 0; i < 2; i++) {
    const beat = await stream.next();
    expect(beat.resources).toEqual([
      create(ResourceSchema, { name: 'a', version: a?.version ?? '', ttl: { nanos: TTL_MS * 1e6 } }),
    ]);
    ack(beat);
  }
  // A heartbeat is none of what has to be taken.
  expect((await server.acked('n')).resources.map(({ state }) => state)).toEqual(['synced', 'synced']);
  // With the end of the TTL the beats end.
  server.put('n', cluster('a'));
  const last = await stream.next();
  expect(last.resources[0]?.ttl).toBeUndefined();
  ack(last);
  await server.acked('n');
  server.put('n', cluster('c'));
  expect((await stream.next()).resources.map(({ name }) => name)).toEqual(['c']);
});

it('in the state of the world comes in a wrapper, and heartbeats have the version of what was sent last', async () => {
  server.setSnapshot('n', [lasting(cluster('a')), lasting(endpoints('e')), cluster('b')], { version: 'v1' });
  const stream = openRaw(server.target, streamAggregatedResources);
  opened.push(stream);
  const ask = (fields: object): void => stream.send(create(DiscoveryRequestSchema, fields));
  const taken = async (resourceNames: string[] = []): Promise<DiscoveryResponse> => {
    const response = await stream.next();
    const { typeUrl, nonce, versionInfo } = response;
    expect(versionInfo).toBe('v1');
    ask({ typeUrl, responseNonce: nonce, versionInfo, resourceNames });
    return response;
  };
  ask({ node, typeUrl: ENDPOINT, resourceNames: ['e'] });
  for (const body of [ENDPOINT, undefined, undefined]) {
    const { resources } = await taken(['e']);
    expect(resources.map(({ typeUrl }) => typeUrl)).toEqual([WRAPPER]);
    const inner = fromBinary(ResourceSchema, resources[0]?.value as Uint8Array);
    expect([inner.name, inner.resource?.typeUrl]).toEqual(['e', body]);
  }
  // Clusters are said whole each time: those that are left out would be gone.
  ask({ typeUrl: ENDPOINT, resourceNames: [] });
  ask({ typeUrl: CLUSTER });
  for (let i = 0; i < 2; i++) {
    const { resources } = await taken();
    expect(resources.map(({ typeUrl }) => typeUrl).toSorted()).toEqual([CLUSTER, WRAPPER]);
  }
});

it('a client that does not know of TTLs gets the resource as it is', async () => {
  server.setSnapshot('n', [lasting(cluster('a'))]);
  const stream = openRaw(server.target, streamAggregatedResources);
  opened.push(stream);
  stream.send(create(DiscoveryRequestSchema, { node: { id: 'n' }, typeUrl: CLUSTER }));
  expect((await stream.next()).resources.map(({ typeUrl }) => typeUrl)).toEqual([CLUSTER]);
});

it('nor by delta is it told of a time that nobody would prolong; a program of gRPC neither', async () => {
  server.setSnapshot('n', [lasting(cluster('a'))]);
  for (const other of [{}, { userAgentName: 'gRPC Go', clientFeatures: ['xds.config.resource-in-sotw'] }]) {
    const stream = openRaw(server.target, deltaAggregatedResources);
    opened.push(stream);
    stream.send(deltaRequest({ node: { id: 'n', ...other }, typeUrl: CLUSTER }));
    const [a] = (await stream.next()).resources;
    expect(a).toMatchObject({ name: 'a', resource: { typeUrl: CLUSTER } });
    expect(a?.ttl).toBeUndefined();
  }
});

it('Envoy, which says nothing of TTLs, has its times and heartbeats', async () => {
  server.setSnapshot('n', [lasting(cluster('a'))]);
  const stream = openRaw(server.target, deltaAggregatedResources);
  opened.push(stream);
  stream.send(deltaRequest({ node: { id: 'n', userAgentName: 'envoy' }, typeUrl: CLUSTER }));
  const first = await stream.next();
  stream.send(deltaRequest({ typeUrl: CLUSTER, responseNonce: first.nonce }));
  const beat = await stream.next();
  for (const { resources } of [first, beat]) expect(resources[0]?.ttl).toMatchObject({ nanos: TTL_MS * 1e6 });
  expect(beat.resources[0]?.resource).toBeUndefined();
});
